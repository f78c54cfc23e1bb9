using System.Numerics;

namespace TuneSharp.Tokenizers;

/// <summary>Pairs of ids that merge: into which id, and how early. A lower rank goes first.</summary>
internal sealed class MergeTable
{
    internal const int NoRank = int.MaxValue;
    private const ulong Empty = ulong.MaxValue;
    private readonly Entry[] _entries;
    private readonly int _shift;

    internal MergeTable(int count)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, count * 2));
        _shift = 64 - BitOperations.Log2((uint)size);
        _entries = new Entry[size];
        Array.Fill(_entries, new Entry { Key = Empty });
    }

    /// <summary>Adds a pair; a pair given twice keeps its last rank.</summary>
    internal void Set(int left, int right, int rank, int merged)
    {
        ulong key = Key(left, right);
        _entries[Slot(key)] = new Entry { Key = key, Rank = rank, Merged = merged };
    }

    /// <summary>The rank of a pair, or <see cref="NoRank"/>.</summary>
    internal int Rank(int left, int right, out int merged)
    {
        ulong key = Key(left, right);
        int slot = (int)((key * 0x9E3779B97F4A7C15) >> _shift);
        Entry[] entries = _entries;
        while (true)
        {
            ref Entry entry = ref entries[slot];
            if (entry.Key == key)
            {
                merged = entry.Merged;
                return entry.Rank;
            }

            if (entry.Key == Empty)
            {
                merged = -1;
                return NoRank;
            }

            slot = (slot + 1) & (entries.Length - 1);
        }
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong key)
    {
        int slot = (int)((key * 0x9E3779B97F4A7C15) >> _shift);
        while (_entries[slot].Key != key && _entries[slot].Key != Empty)
        {
            slot = (slot + 1) & (_entries.Length - 1);
        }

        return slot;
    }

    // Together, so that a look-up touches one cache line.
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)]
    private struct Entry
    {
        internal ulong Key;
        internal int Rank;
        internal int Merged;
    }
}
