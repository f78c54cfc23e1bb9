using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>The cut of a word into tokens whose log-probabilities add up highest (Viterbi).</summary>
internal sealed class UnigramModel : TokenModel
{
    private const double UnknownPenalty = 10;
    private readonly ByteTrie _trie = new();
    private readonly double[] _scores;
    private readonly int? _unknown;
    private readonly double _unknownScore;
    private readonly int[]? _byteTokens;

    internal UnigramModel(TokenTable table, double[] scores, int? unknown, bool byteFallback)
        : base(table)
    {
        _scores = scores;
        _unknown = unknown;
        for (int id = 0; id < table.Capacity; id++)
        {
            _trie.Add(table.Bytes(id), id);
        }

        _unknownScore = scores.Length == 0 ? 0 : scores.Min() - UnknownPenalty;
        if (byteFallback)
        {
            _byteTokens = [.. Enumerable.Range(0, 256).Select(b => Find($"<0x{b:X2}>"))];
        }
    }

    internal override void Tokenize(ReadOnlySpan<byte> word, List<ModelToken> tokens)
    {
        int size = word.Length;
        double[] best = new double[size + 1];
        int[] from = new int[size + 1];
        int[] ids = new int[size + 1];
        from.AsSpan().Fill(-1);
        for (int start = 0; start < size;)
        {
            int length = Utf8.LengthOf(word[start]);
            bool single = false;
            int node = 0;
            for (int i = start; i < size && (node = _trie.Step(node, word[i])) >= 0; i++)
            {
                int id = _trie.Value(node);
                if (id >= 0)
                {
                    Offer(start, i + 1, _scores[id], id);
                    single |= i + 1 - start == length;
                }
            }

            if (!single)
            {
                Offer(start, start + length, _unknownScore, _unknown ?? throw new ArgumentException(
                    $"{Encoding.UTF8.GetString(word.Slice(start, length))} is not in the vocabulary, and the tokenizer has no unknown token."));
            }

            start += length;
        }

        Collect(word, from, ids, tokens);

        void Offer(int start, int end, double score, int id)
        {
            double candidate = score + best[start];
            if (from[end] < 0 || candidate > best[end])
            {
                (best[end], from[end], ids[end]) = (candidate, start, id);
            }
        }
    }

    // Walks the best path from its end; neighbouring unknown characters become one token.
    private void Collect(ReadOnlySpan<byte> word, int[] from, int[] ids, List<ModelToken> tokens)
    {
        int first = tokens.Count;
        for (int end = word.Length; end > 0;)
        {
            int start = from[end];
            bool unknown = ids[end] == _unknown;
            while (unknown && start > 0 && ids[start] == _unknown)
            {
                start = from[start];
            }

            Emit(word, start, end, tokens);
            end = start;
        }

        tokens.Reverse(first, tokens.Count - first);
    }

    private void Emit(ReadOnlySpan<byte> word, int start, int end, List<ModelToken> tokens)
    {
        ReadOnlySpan<byte> piece = word[start..end];
        int id = Table.Find(piece);
        if (id >= 0)
        {
            tokens.Add(new(id, start, end));
            return;
        }

        if (_byteTokens is not null && !piece.ToArray().Any(b => _byteTokens[b] < 0))
        {
            for (int i = piece.Length - 1; i >= 0; i--)
            {
                tokens.Add(new(_byteTokens[piece[i]], start, end));
            }

            return;
        }

        tokens.Add(new(_unknown!.Value, start, end, ShowsText: true));
    }
}
