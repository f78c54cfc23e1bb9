using TuneSharp.Native;

namespace TuneSharp.Backend;

public static partial class Aten
{
    /// <summary>The same bytes read as another element type.</summary>
    /// <param name="x">Any dense tensor.</param>
    /// <param name="dtype">The other type; of another size, it changes the last dimension.</param>
    public static Tensor ViewAs(Tensor x, ScalarType dtype)
    {
        // view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)
        Span<ulong> s = [Handle(x), (ulong)(int)(sbyte)dtype];
        AtenApi.Call("aten::view\0"u8, "dtype\0"u8, s);
        return Take(s[0]);
    }
}
