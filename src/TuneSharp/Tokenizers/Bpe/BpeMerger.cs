namespace TuneSharp.Tokenizers;

/// <summary>
/// Merges the symbols of one word: always the pair of lowest rank, the leftmost first. Short words are scanned, long
/// ones go through a heap, so that the time stays near linear. Not thread-safe: each thread has its own.
/// </summary>
internal sealed class BpeMerger(MergeTable merges)
{
    private const int ScanLimit = 40;
    private int[] _ranks = new int[64];
    private int[] _merged = new int[64];
    private int[] _next = new int[64];
    private int[] _previous = new int[64];
    private ulong[] _heap = new ulong[64];
    private int _heapCount;

    /// <summary>Merges in place.</summary>
    /// <param name="ids">The symbols' ids.</param>
    /// <param name="lengths">The symbols' lengths; merged ones add up.</param>
    /// <returns>How many symbols are left, at the front.</returns>
    internal int Merge(Span<int> ids, Span<int> lengths)
    {
        if (ids.Length < 2)
        {
            return ids.Length;
        }

        if (_ranks.Length < ids.Length)
        {
            int size = Math.Max(ids.Length, _ranks.Length * 2);
            _ranks = new int[size];
            _merged = new int[size];
            _next = new int[size];
            _previous = new int[size];
        }

        return ids.Length <= ScanLimit ? Scan(ids, lengths) : Queue(ids, lengths);
    }

    private int Scan(Span<int> ids, Span<int> lengths)
    {
        int count = ids.Length;
        Span<int> ranks = _ranks.AsSpan(0, count);
        Span<int> merged = _merged.AsSpan(0, count);
        for (int i = 0; i + 1 < count; i++)
        {
            ranks[i] = merges.Rank(ids[i], ids[i + 1], out merged[i]);
        }

        while (count > 1)
        {
            int best = 0;
            int bestRank = ranks[0];
            for (int i = 1; i < count - 1; i++)
            {
                if (ranks[i] < bestRank)
                {
                    bestRank = ranks[i];
                    best = i;
                }
            }

            if (bestRank == MergeTable.NoRank)
            {
                break;
            }

            ids[best] = merged[best];
            lengths[best] += lengths[best + 1];
            for (int i = best + 1; i + 1 < count; i++)
            {
                ids[i] = ids[i + 1];
                lengths[i] = lengths[i + 1];
                ranks[i] = ranks[i + 1];
                merged[i] = merged[i + 1];
            }

            count--;
            if (best > 0)
            {
                ranks[best - 1] = merges.Rank(ids[best - 1], ids[best], out merged[best - 1]);
            }

            if (best + 1 < count)
            {
                ranks[best] = merges.Rank(ids[best], ids[best + 1], out merged[best]);
            }
        }

        return count;
    }

    private int Queue(Span<int> ids, Span<int> lengths)
    {
        int count = ids.Length;
        _heapCount = 0;
        for (int i = 0; i < count; i++)
        {
            _previous[i] = i - 1;
            _next[i] = i + 1;
        }

        for (int i = 0; i + 1 < count; i++)
        {
            Push(i, merges.Rank(ids[i], ids[i + 1], out _merged[i]));
        }

        while (_heapCount > 0)
        {
            ulong top = Pop();
            int at = (int)(uint)top;
            int right = _next[at];

            // An entry is stale when its symbol is gone or its pair is no longer the one it was made for.
            if (ids[at] < 0 || right >= count || _ranks[at] != (int)(top >> 32))
            {
                continue;
            }

            ids[at] = _merged[at];
            lengths[at] += lengths[right];
            ids[right] = -1;
            int after = _next[right];
            _next[at] = after;
            if (after < count)
            {
                _previous[after] = at;
                Push(at, merges.Rank(ids[at], ids[after], out _merged[at]));
            }
            else
            {
                _ranks[at] = MergeTable.NoRank;
            }

            int before = _previous[at];
            if (before >= 0)
            {
                Push(before, merges.Rank(ids[before], ids[at], out _merged[before]));
            }
        }

        int kept = 0;
        for (int i = 0; i < count; i = _next[i])
        {
            ids[kept] = ids[i];
            lengths[kept++] = lengths[i];
        }

        return kept;
    }

    private void Push(int at, int rank)
    {
        _ranks[at] = rank;
        if (rank == MergeTable.NoRank)
        {
            return;
        }

        if (_heapCount == _heap.Length)
        {
            Array.Resize(ref _heap, _heap.Length * 2);
        }

        ulong key = ((ulong)(uint)rank << 32) | (uint)at;
        int i = _heapCount++;
        while (i > 0 && _heap[(i - 1) >> 1] > key)
        {
            _heap[i] = _heap[(i - 1) >> 1];
            i = (i - 1) >> 1;
        }

        _heap[i] = key;
    }

    private ulong Pop()
    {
        ulong top = _heap[0];
        ulong key = _heap[--_heapCount];
        int i = 0;
        while (true)
        {
            int child = (2 * i) + 1;
            if (child >= _heapCount)
            {
                break;
            }

            if (child + 1 < _heapCount && _heap[child + 1] < _heap[child])
            {
                child++;
            }

            if (_heap[child] >= key)
            {
                break;
            }

            _heap[i] = _heap[child];
            i = child;
        }

        _heap[i] = key;
        return top;
    }
}
