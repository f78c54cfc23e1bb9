using System.Numerics;
using System.Runtime.InteropServices;

namespace TuneSharp.Data;

/// <summary>A part of a sample, or all of it, in a pack.</summary>
/// <param name="Sample">The sample's number.</param>
/// <param name="From">First token.</param>
/// <param name="Count">Tokens.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PackPiece(int Sample, int From, int Count);

/// <summary>Which samples go into which pack: decided by their lengths alone.</summary>
/// <remarks>
/// Greedy packs in order, as torchtune does. Best fit takes the longest sample first and puts it into the pack with the least room
/// that suffices (best-fit decreasing; Johnson 1973: at most 11/9 of the fewest packs possible, plus a constant).
/// </remarks>
internal sealed class PackPlan
{
    private readonly PackPiece[] _pieces;
    private readonly int[] _starts;

    private PackPlan(int size, List<PackPiece> pieces, List<int> starts)
    {
        Size = size;
        _pieces = [.. pieces];
        _starts = [.. starts];
        foreach (PackPiece piece in _pieces)
        {
            TokenCount += piece.Count;
        }
    }

    /// <summary>Tokens of a pack.</summary>
    public int Size { get; }

    /// <summary>Number of packs.</summary>
    public int Count => _starts.Length - 1;

    /// <summary>Real tokens in all packs.</summary>
    public long TokenCount { get; }

    /// <summary>Share of the packs' tokens that is real.</summary>
    public double Fill => Count == 0 ? 1 : TokenCount / ((double)Count * Size);

    /// <summary>The samples of a pack.</summary>
    public ReadOnlySpan<PackPiece> this[int pack] => _pieces.AsSpan(_starts[pack], _starts[pack + 1] - _starts[pack]);

    /// <summary>Plans packs.</summary>
    /// <param name="count">Number of samples.</param>
    /// <param name="lengthOf">Their lengths.</param>
    /// <param name="size">Tokens of a pack.</param>
    /// <param name="split">Split what does not fit.</param>
    /// <param name="strategy">How.</param>
    /// <param name="maxPacks">Stop after so many; null for no limit.</param>
    /// <param name="place">Names a sample, for messages.</param>
    /// <exception cref="DatasetException">A sample is longer than a pack and may not be split.</exception>
    public static PackPlan Make(
        int count, Func<int, int> lengthOf, int size, bool split, PackingStrategy strategy, int? maxPacks, Func<int, string> place)
    {
        int[] lengths = new int[count];
        for (int i = 0; i < count; i++)
        {
            lengths[i] = lengthOf(i);
            if (lengths[i] > size && !split)
            {
                throw new DatasetException(
                    $"{place(i)} is too long to pack ({lengths[i]} > {size} tokens). " +
                    "Set split_across_pack=True, or raise tokenizer.max_seq_len.");
            }
        }

        return strategy == PackingStrategy.Greedy ? Greedy(lengths, size, split, maxPacks) : BestFit(lengths, size, maxPacks);
    }

    private static PackPlan Greedy(int[] lengths, int size, bool split, int? maxPacks)
    {
        List<PackPiece> pieces = new(lengths.Length);
        List<int> starts = [0];
        int room = size;
        void Close()
        {
            if (pieces.Count > starts[^1])
            {
                starts.Add(pieces.Count);
                room = size;
            }
        }

        for (int i = 0; i < lengths.Length && starts.Count - 1 != maxPacks; i++)
        {
            if (!split && lengths[i] > room)
            {
                Close();
            }

            for (int done = 0; done < lengths[i] && starts.Count - 1 != maxPacks;)
            {
                if (room == 0)
                {
                    Close();
                    continue;
                }

                int take = Math.Min(room, lengths[i] - done);
                pieces.Add(new PackPiece(i, done, take));
                done += take;
                room -= take;
            }
        }

        if (starts.Count - 1 != maxPacks)
        {
            Close();
        }

        return new PackPlan(size, pieces.GetRange(0, starts[^1]), starts);
    }

    private static PackPlan BestFit(int[] lengths, int size, int? maxPacks)
    {
        List<PackPiece> all = new(lengths.Length);
        for (int i = 0; i < lengths.Length; i++)
        {
            for (int from = 0; from < lengths[i]; from += size)
            {
                all.Add(new PackPiece(i, from, Math.Min(size, lengths[i] - from)));
            }
        }

        int[] pack = Assign(all, size, out int packs);

        // Packs in the order of their first sample, pieces in the order of the data: an order to shuffle that any machine finds.
        int[] rank = new int[packs];
        Array.Fill(rank, -1);
        int next = 0;
        int[] sizes = new int[packs + 1];
        for (int i = 0; i < all.Count; i++)
        {
            ref int r = ref rank[pack[i]];
            r = r < 0 ? next++ : r;
            sizes[r + 1]++;
        }

        for (int p = 0; p < packs; p++)
        {
            sizes[p + 1] += sizes[p];
        }

        int[] fill = [.. sizes];
        PackPiece[] ordered = new PackPiece[all.Count];
        for (int i = 0; i < all.Count; i++)
        {
            ordered[fill[rank[pack[i]]]++] = all[i];
        }

        int kept = Math.Min(packs, maxPacks ?? packs);
        return new PackPlan(size, [.. ordered.AsSpan(0, sizes[kept])], [.. sizes.AsSpan(0, kept + 1)]);
    }

    /// <summary>The pack of each piece. Packs of equal room form a stack; a bit set finds the least room that suffices.</summary>
    private static int[] Assign(List<PackPiece> pieces, int size, out int packs)
    {
        int[] order = LongestFirst(pieces, size);
        int[] pack = new int[pieces.Count];
        int[] top = new int[size + 1]; // 1 + the pack on top of the stack of each room
        List<int> below = [];          // the pack under a pack in its stack, 1 + its number
        ulong[] occupied = new ulong[(size >> 6) + 1];
        foreach (int i in order)
        {
            int length = pieces[i].Count;
            int room = FirstFrom(occupied, length);
            int chosen;
            if (room < 0)
            {
                (chosen, room) = (below.Count, size);
                below.Add(0);
            }
            else
            {
                chosen = top[room] - 1;
                top[room] = below[chosen];
                if (top[room] == 0)
                {
                    occupied[room >> 6] &= ~(1UL << (room & 63));
                }
            }

            pack[i] = chosen;
            room -= length;
            if (room > 0)
            {
                below[chosen] = top[room];
                top[room] = chosen + 1;
                occupied[room >> 6] |= 1UL << (room & 63);
            }
        }

        packs = below.Count;
        return pack;
    }

    private static int FirstFrom(ulong[] bits, int from)
    {
        int word = from >> 6;
        ulong current = bits[word] & (ulong.MaxValue << (from & 63));
        while (current == 0)
        {
            if (++word == bits.Length)
            {
                return -1;
            }

            current = bits[word];
        }

        return (word << 6) + BitOperations.TrailingZeroCount(current);
    }

    /// <summary>Counting sort, equal lengths in the order of the data.</summary>
    private static int[] LongestFirst(List<PackPiece> pieces, int size)
    {
        int[] at = new int[size + 2];
        foreach (PackPiece piece in pieces)
        {
            at[size - piece.Count + 1]++;
        }

        for (int i = 0; i <= size; i++)
        {
            at[i + 1] += at[i];
        }

        int[] order = new int[pieces.Count];
        for (int i = 0; i < pieces.Count; i++)
        {
            order[at[size - pieces[i].Count]++] = i;
        }

        return order;
    }
}
