using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TuneSharp.Tokenizers;

/// <summary>
/// The ids of words met lately: tables of fixed size, two places for each word. One thread at a time.
/// </summary>
internal sealed class WordCache
{
    /// <summary>Longest word whose key is read from the text itself, in bytes.</summary>
    internal const int ShortLength = 15;

    /// <summary>Longest word kept, in bytes.</summary>
    internal const int MaxLength = 31;

    private const int ShortBits = 16;
    private const int LongBits = 14;
    private const int MaxIds = 3;
    private readonly Entry[] _short = new Entry[1 << ShortBits];
    private readonly LongEntry[] _long = new LongEntry[1 << LongBits];

    /// <summary>Makes the key of a word of 1 to 15 bytes; the span must go on for 16 bytes from the word's start.</summary>
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

    /// <summary>Makes the key of a word of 16 to 31 bytes.</summary>
    internal static LongKey KeyOfLong(ReadOnlySpan<byte> word)
    {
        Span<byte> copy = stackalloc byte[32];
        copy.Clear();
        word.CopyTo(copy);
        copy[31] = (byte)word.Length;
        return MemoryMarshal.Read<LongKey>(copy);
    }

    /// <summary>Appends the ids of a word; false if it is not here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryAppend((ulong Low, ulong High) key, IntBuffer ids)
    {
        int slot = Slot(key.Low, key.High, ShortBits);
        ref Entry entry = ref _short[slot];
        if (entry.Low != key.Low || entry.High != key.High)
        {
            entry = ref _short[slot ^ 1];
            if (entry.Low != key.Low || entry.High != key.High)
            {
                return false;
            }
        }

        entry.Ids.AppendTo(ids);
        return true;
    }

    /// <inheritdoc cref="TryAppend(ValueTuple{ulong, ulong}, IntBuffer)"/>
    internal bool TryAppend(in LongKey key, IntBuffer ids)
    {
        ref LongEntry entry = ref _long[SlotOf(key)];
        if (entry.Key != key)
        {
            return false;
        }

        entry.Ids.AppendTo(ids);
        return true;
    }

    /// <summary>Keeps a word; the one that was in its place moves to the second place.</summary>
    internal void Keep((ulong Low, ulong High) key, ReadOnlySpan<int> ids)
    {
        if (ids.Length is 0 or > MaxIds)
        {
            return;
        }

        int slot = Slot(key.Low, key.High, ShortBits);
        _short[slot ^ 1] = _short[slot];
        _short[slot] = new Entry { Low = key.Low, High = key.High, Ids = new(ids) };
    }

    /// <inheritdoc cref="Keep(ValueTuple{ulong, ulong}, ReadOnlySpan{int})"/>
    internal void Keep(in LongKey key, ReadOnlySpan<int> ids)
    {
        if (ids.Length is not 0 and <= MaxIds)
        {
            _long[SlotOf(key)] = new LongEntry { Key = key, Ids = new(ids) };
        }
    }

    private static int SlotOf(in LongKey key) => Slot(key.A ^ BitOperations.RotateLeft(key.C, 17), key.B ^ BitOperations.RotateLeft(key.D, 41), LongBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Slot(ulong low, ulong high, int bits)
    {
        ulong hash = (low ^ BitOperations.RotateLeft(high, 23)) * 0x9E3779B97F4A7C15;
        return (int)((hash ^ (hash >> 29)) * 0xBF58476D1CE4E5B9 >> (64 - bits));
    }

    /// <summary>A word of 16 to 31 bytes and its length.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal readonly record struct LongKey(ulong A, ulong B, ulong C, ulong D);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct FewIds
    {
        private readonly int _count;
        private readonly int _first;
        private readonly int _second;
        private readonly int _third;

        internal FewIds(ReadOnlySpan<int> ids)
        {
            _count = ids.Length;
            _first = ids[0];
            _second = ids.Length > 1 ? ids[1] : 0;
            _third = ids.Length > 2 ? ids[2] : 0;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal void AppendTo(IntBuffer ids)
        {
            ids.Add(_first);
            if (_count > 1)
            {
                ids.Add(_second);
                if (_count > 2)
                {
                    ids.Add(_third);
                }
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Entry
    {
        internal ulong Low;
        internal ulong High;
        internal FewIds Ids;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct LongEntry
    {
        internal LongKey Key;
        internal FewIds Ids;
    }
}
