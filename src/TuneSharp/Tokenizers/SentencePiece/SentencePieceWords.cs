using System.Collections.Concurrent;

namespace TuneSharp.Tokenizers;

/// <summary>Encodes a SentencePiece text word by word, and keeps the ids of the words met lately. Thread-safe.</summary>
/// <param name="scanner">Cuts where no piece reaches across.</param>
internal sealed class SentencePieceWords(WordScanner scanner)
{
    private readonly ConcurrentStack<State> _free = new();

    /// <summary>The ids of a normalised text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="first">An id that goes before it, or null.</param>
    /// <param name="pieces">Encodes a word that is not kept.</param>
    internal int[] Encode(byte[] text, int? first, Func<byte[], List<(int Id, int Start, int End)>> pieces)
    {
        State state = _free.TryPop(out State? free) ? free : new State();
        IntBuffer ids = state.Ids;
        ids.Clear();
        state.Ends.Clear();
        if (first is { } id)
        {
            ids.Add(id);
        }

        scanner.Scan(text, 0, state.Ends);
        Span<byte> copy = stackalloc byte[16];
        int start = 0;
        foreach (int end in state.Ends.Items)
        {
            ReadOnlySpan<byte> word = text.AsSpan(start, end - start);
            start = end;
            if (word.Length > WordCache.MaxLength)
            {
                Append(ids, word, pieces);
                continue;
            }

            int count = ids.Count;
            if (word.Length <= WordCache.ShortLength)
            {
                copy.Clear();
                word.CopyTo(copy);
                (ulong Low, ulong High) key = WordCache.Key(copy, word.Length);
                if (!state.Cache.TryAppend(key, ids))
                {
                    Append(ids, word, pieces);
                    state.Cache.Keep(key, ids.Items[count..]);
                }

                continue;
            }

            WordCache.LongKey longKey = WordCache.KeyOfLong(word);
            if (!state.Cache.TryAppend(in longKey, ids))
            {
                Append(ids, word, pieces);
                state.Cache.Keep(in longKey, ids.Items[count..]);
            }
        }

        int[] result = ids.Items.ToArray();
        _free.Push(state);
        return result;
    }

    private static void Append(IntBuffer ids, ReadOnlySpan<byte> word, Func<byte[], List<(int Id, int Start, int End)>> pieces)
    {
        foreach ((int id, _, _) in pieces(word.ToArray()))
        {
            ids.Add(id);
        }
    }

    private sealed class State
    {
        internal IntBuffer Ids { get; } = new();

        internal IntBuffer Ends { get; } = new();

        internal WordCache Cache { get; } = new();
    }
}
