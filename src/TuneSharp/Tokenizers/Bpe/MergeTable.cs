using System.Numerics;

namespace TuneSharp.Tokenizers;

/// <summary>Pairs of ids that merge: into which id, and how early. A lower rank goes first.</summary>
internal sealed class MergeTable
{
    internal const int NoRank = int.MaxValue;
    private const ulong Empty = ulong.MaxValue;
    private readonly ulong[] _keys;
    private readonly long[] _values;
    private readonly int _shift;

    internal MergeTable(int count)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, count * 2));
        _shift = 64 - BitOperations.Log2((uint)size);
        _keys = new ulong[size];
        _values = new long[size];
        Array.Fill(_keys, Empty);
    }

    /// <summary>Adds a pair; a pair given twice keeps its last rank.</summary>
    internal void Set(int left, int right, int rank, int merged)
    {
        int slot = Slot(Key(left, right));
        _keys[slot] = Key(left, right);
        _values[slot] = ((long)rank << 32) | (uint)merged;
    }

    /// <summary>The rank of a pair, or <see cref="NoRank"/>.</summary>
    internal int Rank(int left, int right, out int merged)
    {
        ulong key = Key(left, right);
        int slot = (int)((key * 0x9E3779B97F4A7C15) >> _shift);
        ulong[] keys = _keys;
        while (true)
        {
            ulong found = keys[slot];
            if (found == key)
            {
                long value = _values[slot];
                merged = (int)value;
                return (int)(value >> 32);
            }

            if (found == Empty)
            {
                merged = -1;
                return NoRank;
            }

            slot = (slot + 1) & (keys.Length - 1);
        }
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong key)
    {
        int slot = (int)((key * 0x9E3779B97F4A7C15) >> _shift);
        while (_keys[slot] != key && _keys[slot] != Empty)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        return slot;
    }
}
