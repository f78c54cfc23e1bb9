using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TuneSharp.Tokenizers;

/// <summary>The ids of short words met lately: a table of fixed size, each entry half a cache line. One thread at a time.</summary>
internal sealed class WordCache
{
    /// <summary>Longest word kept, in bytes.</summary>
    internal const int MaxLength = 15;

    private const int Bits = 16;
    private const int MaxIds = 3;
    private readonly Entry[] _entries = new Entry[1 << Bits];

    /// <summary>
    /// Makes the key of a word of 1 to 15 bytes; the array must go on for 16 bytes from the word's start.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static (ulong Low, ulong High) Key(ReadOnlySpan<byte> fromWord, int length)
    {
        ulong low = BinaryPrimitives.ReadUInt64LittleEndian(fromWord);
        if (length < 8)
        {
            return (low & ((1UL << (length * 8)) - 1), (ulong)length << 56);
        }

        ulong high = BinaryPrimitives.ReadUInt64LittleEndian(fromWord[8..]);
        return (low, (high & ((1UL << ((length - 8) * 8)) - 1)) | ((ulong)length << 56));
    }

    /// <summary>Appends the ids of a word; false if it is not here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryAppend((ulong Low, ulong High) key, IntBuffer ids)
    {
        ref Entry entry = ref _entries[Slot(key)];
        if (entry.Low != key.Low || entry.High != key.High)
        {
            return false;
        }

        ids.Add(entry.Id0);
        if (entry.Count > 1)
        {
            ids.Add(entry.Id1);
            if (entry.Count > 2)
            {
                ids.Add(entry.Id2);
            }
        }

        return true;
    }

    /// <summary>Keeps a word, in place of another if need be.</summary>
    internal void Keep((ulong Low, ulong High) key, ReadOnlySpan<int> ids)
    {
        if (ids.Length is 0 or > MaxIds)
        {
            return;
        }

        _entries[Slot(key)] = new Entry
        {
            Low = key.Low,
            High = key.High,
            Count = ids.Length,
            Id0 = ids[0],
            Id1 = ids.Length > 1 ? ids[1] : 0,
            Id2 = ids.Length > 2 ? ids[2] : 0,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Slot((ulong Low, ulong High) key)
    {
        ulong hash = (key.Low ^ BitOperations.RotateLeft(key.High, 23)) * 0x9E3779B97F4A7C15;
        return (int)((hash ^ (hash >> 29)) * 0xBF58476D1CE4E5B9 >> (64 - Bits));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Entry
    {
        internal ulong Low;
        internal ulong High;
        internal int Count;
        internal int Id0;
        internal int Id1;
        internal int Id2;
    }
}
