using System.Runtime.CompilerServices;

namespace TuneSharp.Tokenizers;

/// <summary>Numbers that pile up, in an array that is used again and again.</summary>
internal sealed class IntBuffer
{
    private int[] _items = new int[1024];

    internal int Count { get; private set; }

    internal ReadOnlySpan<int> Items => _items.AsSpan(0, Count);

    internal void Clear() => Count = 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(int value)
    {
        if (Count == _items.Length)
        {
            Array.Resize(ref _items, Count * 2);
        }

        _items[Count++] = value;
    }

    internal void AddRange(ReadOnlySpan<int> values)
    {
        if (Count + values.Length > _items.Length)
        {
            Array.Resize(ref _items, Math.Max(Count + values.Length, _items.Length * 2));
        }

        values.CopyTo(_items.AsSpan(Count));
        Count += values.Length;
    }
}
