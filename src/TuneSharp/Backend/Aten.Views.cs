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

    /// <summary>Copies in place; between pinned memory and a GPU without the host waiting.</summary>
    /// <param name="to">Written.</param>
    /// <param name="from">Read; must stay until the stream is done with it.</param>
    public static void CopyAsync(Tensor to, Tensor from)
    {
        // copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)
        Span<ulong> s = [Handle(to), Handle(from), Bool(true)];
        AtenApi.Call("aten::copy_\0"u8, Plain, s);
        Take(s[0]).Dispose();
    }
}
