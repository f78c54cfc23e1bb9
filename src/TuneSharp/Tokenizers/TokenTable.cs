using System.Numerics;
using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>Tokens by id and ids by token, over one block of UTF-8 bytes: no string and no object per token.</summary>
internal sealed class TokenTable
{
    private const int LargestId = 1 << 24;
    private byte[] _bytes = new byte[4096];
    private int _used;
    private int[] _starts;
    private int[] _lengths;
    private int[] _slots = [];
    private int _mask;

    internal TokenTable(int expected)
    {
        _starts = new int[Math.Max(expected, 16)];
        _lengths = new int[_starts.Length];
        Array.Fill(_lengths, -1);
    }

    /// <summary>One more than the largest id.</summary>
    internal int Capacity { get; private set; }

    /// <summary>Tokens, without the holes.</summary>
    internal int Count { get; private set; }

    /// <summary>Adds a token before <see cref="Seal"/>.</summary>
    internal void Add(int id, ReadOnlySpan<byte> token)
    {
        if (id is < 0 or > LargestId)
        {
            throw new FormatException($"The token {Encoding.UTF8.GetString(token)} has the id {id}; ids run from 0 to {LargestId}.");
        }

        if (id >= _starts.Length)
        {
            int old = _starts.Length;
            int size = Math.Max(id + 1, old * 2);
            Array.Resize(ref _starts, size);
            Array.Resize(ref _lengths, size);
            _lengths.AsSpan(old).Fill(-1);
        }

        if (_lengths[id] >= 0)
        {
            throw new FormatException(
                $"Two tokens have the id {id}: {Encoding.UTF8.GetString(Bytes(id))} and {Encoding.UTF8.GetString(token)}.");
        }

        if (_used + token.Length > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + token.Length));
        }

        token.CopyTo(_bytes.AsSpan(_used));
        _starts[id] = _used;
        _lengths[id] = token.Length;
        _used += token.Length;
        Capacity = Math.Max(Capacity, id + 1);
        Count++;
    }

    /// <summary>Builds the index. When two ids spell the same, the later one is found.</summary>
    internal void Seal()
    {
        Array.Resize(ref _bytes, _used);
        _mask = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, Capacity * 2)) - 1;
        _slots = new int[_mask + 1];
        for (int id = 0; id < Capacity; id++)
        {
            if (_lengths[id] >= 0)
            {
                _slots[Slot(Bytes(id))] = id + 1;
            }
        }
    }

    /// <summary>The id of a token, or -1.</summary>
    internal int Find(ReadOnlySpan<byte> token) => _slots[Slot(token)] - 1;

    internal bool Has(int id) => (uint)id < (uint)Capacity && _lengths[id] >= 0;

    internal ReadOnlySpan<byte> Bytes(int id) => _bytes.AsSpan(_starts[id], _lengths[id]);

    internal string? Text(int id) => Has(id) ? Encoding.UTF8.GetString(Bytes(id)) : null;

    private int Slot(ReadOnlySpan<byte> token)
    {
        int slot = (int)ByteHash.Of(token) & _mask;
        while (_slots[slot] != 0 && !Bytes(_slots[slot] - 1).SequenceEqual(token))
        {
            slot = (slot + 1) & _mask;
        }

        return slot;
    }
}
