namespace TuneSharp.Tokenizers;

/// <summary>Cuts normalised text into pieces, as one kind of SentencePiece model does.</summary>
internal abstract class PieceEncoder
{
    private readonly TokenTable _normal;
    private readonly int[] _normalIds;

    protected PieceEncoder(SentencePieceProto proto, int unknown)
    {
        Proto = proto;
        Unknown = unknown;

        // Only normal, user-defined and unused pieces are found in text.
        int[] ids = [.. Enumerable.Range(0, proto.Pieces.Count).Where(i => proto.Pieces[i].Type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused)];
        _normalIds = ids;
        _normal = new TokenTable(ids.Length);
        for (int i = 0; i < ids.Length; i++)
        {
            _normal.Add(i, proto.Pieces[ids[i]].Piece);
        }

        _normal.Seal();
    }

    protected SentencePieceProto Proto { get; }

    /// <summary>Cuts a text where no piece reaches across.</summary>
    internal WordScanner Words() => new BlankScanner(_normal);

    protected int Unknown { get; }

    internal static PieceEncoder Create(SentencePieceProto proto, ByteTrie? userDefined, int unknown) => proto.ModelType switch
    {
        PieceModelType.Bpe => new BpePieceEncoder(proto, userDefined, unknown),
        PieceModelType.Unigram => new UnigramPieceEncoder(proto, unknown),
        PieceModelType.Word => new WordPieceEncoder(proto, unknown),
        _ => new CharPieceEncoder(proto, userDefined, unknown),
    };

    internal abstract void Encode(ReadOnlySpan<byte> text, List<(int Id, int Start, int End)> pieces);

    /// <summary>The id of a piece, or -1.</summary>
    protected int Find(ReadOnlySpan<byte> piece) => _normal.Find(piece) is int at and >= 0 ? _normalIds[at] : -1;

    protected int FindOrUnknown(ReadOnlySpan<byte> piece) => Find(piece) is int id and >= 0 ? id : Unknown;

    protected static int SymbolLength(ByteTrie? userDefined, ReadOnlySpan<byte> rest, out bool isUserDefined)
    {
        int length = SentencePieceNormalizer.LongestMatch(userDefined, rest);
        isUserDefined = length > 0;
        return isUserDefined ? length : Utf8.LengthOf(rest[0]);
    }
}

/// <summary>Merges neighbours into the piece of highest score, the leftmost first; user-defined symbols stand alone.</summary>
internal sealed class BpePieceEncoder(SentencePieceProto proto, ByteTrie? userDefined, int unknown) : PieceEncoder(proto, unknown)
{
    private readonly bool _hasUnused = proto.Pieces.Exists(p => p.Type == PieceType.Unused);

    internal override void Encode(ReadOnlySpan<byte> text, List<(int Id, int Start, int End)> pieces)
    {
        List<Symbol> symbols = [];
        for (int at = 0; at < text.Length;)
        {
            int length = SymbolLength(userDefined, text[at..], out bool frozen);
            symbols.Add(new() { Start = at, End = at + length, Previous = symbols.Count - 1, Next = symbols.Count + 1, Frozen = frozen });
            at += length;
        }

        if (symbols.Count == 0)
        {
            return;
        }

        Span<Symbol> all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(symbols);
        all[^1].Next = -1;
        PriorityQueue<(int Left, int Right, int Size), (float NegativeScore, int Left)> agenda = new(symbols.Count);
        Dictionary<(int Start, int End), int> unusedCuts = [];
        for (int i = 1; i < all.Length; i++)
        {
            Offer(text, all, i - 1, i, agenda, unusedCuts);
        }

        while (agenda.TryDequeue(out (int Left, int Right, int Size) top, out _))
        {
            ref Symbol left = ref all[top.Left];
            ref Symbol right = ref all[top.Right];
            if (left.Start == left.End || right.Start == right.End || right.End - left.Start != top.Size || left.Next != top.Right)
            {
                continue;
            }

            left.End = right.End;
            left.Next = right.Next;
            if (right.Next >= 0)
            {
                all[right.Next].Previous = top.Left;
            }

            right.Start = right.End;
            Offer(text, all, left.Previous, top.Left, agenda, unusedCuts);
            Offer(text, all, top.Left, left.Next, agenda, unusedCuts);
        }

        for (int i = 0; i >= 0; i = all[i].Next)
        {
            Emit(text, all[i].Start, all[i].End, unusedCuts, pieces);
        }
    }

    private void Offer(
        ReadOnlySpan<byte> text,
        Span<Symbol> symbols,
        int left,
        int right,
        PriorityQueue<(int Left, int Right, int Size), (float NegativeScore, int Left)> agenda,
        Dictionary<(int Start, int End), int> unusedCuts)
    {
        if (left < 0 || right < 0 || symbols[left].Frozen || symbols[right].Frozen)
        {
            return;
        }

        (int start, int end) = (symbols[left].Start, symbols[right].End);
        int id = Find(text[start..end]);
        if (id >= 0)
        {
            agenda.Enqueue((left, right, end - start), (-Proto.Pieces[id].Score, left));
            if (_hasUnused && Proto.Pieces[id].Type == PieceType.Unused)
            {
                unusedCuts[(start, end)] = symbols[left].End;
            }
        }
    }

    // A piece marked unused is taken apart again.
    private void Emit(ReadOnlySpan<byte> text, int start, int end, Dictionary<(int Start, int End), int> unusedCuts, List<(int Id, int Start, int End)> pieces)
    {
        int id = FindOrUnknown(text[start..end]);
        if (Proto.Pieces[id].Type == PieceType.Unused && unusedCuts.TryGetValue((start, end), out int cut))
        {
            Emit(text, start, cut, unusedCuts, pieces);
            Emit(text, cut, end, unusedCuts, pieces);
        }
        else
        {
            pieces.Add((id, start, end));
        }
    }

    private struct Symbol
    {
        internal int Start;
        internal int End;
        internal int Previous;
        internal int Next;
        internal bool Frozen;
    }
}

/// <summary>The cut whose scores add up highest, in single precision as the original adds them.</summary>
internal sealed class UnigramPieceEncoder : PieceEncoder
{
    private const float UnknownPenalty = 10;
    private readonly ByteTrie _trie = new();
    private readonly float _unknownScore;
    private readonly float _maxScore = 1.17549435E-38f;

    internal UnigramPieceEncoder(SentencePieceProto proto, int unknown)
        : base(proto, unknown)
    {
        float min = float.MaxValue;
        for (int id = 0; id < proto.Pieces.Count; id++)
        {
            (byte[] piece, float score, PieceType type) = proto.Pieces[id];
            if (type == PieceType.Normal)
            {
                min = Math.Min(min, score);
                _maxScore = Math.Max(_maxScore, score);
            }

            if (type is PieceType.Normal or PieceType.UserDefined)
            {
                _trie.Add(piece, id);
            }
        }

        _unknownScore = min - UnknownPenalty;
    }

    internal override void Encode(ReadOnlySpan<byte> text, List<(int Id, int Start, int End)> pieces)
    {
        int size = text.Length;
        float[] best = new float[size + 1];
        int[] from = new int[size + 1];
        int[] ids = new int[size + 1];
        from.AsSpan().Fill(-1);
        for (int start = 0; start < size;)
        {
            int length = Utf8.LengthOf(text[start]);
            bool single = false;
            int node = 0;
            for (int i = start; i < size && (node = _trie.Step(node, text[i])) >= 0; i++)
            {
                int id = _trie.Value(node);
                if (id < 0)
                {
                    continue;
                }

                // A user-defined symbol always wins.
                double score = Proto.Pieces[id].Type == PieceType.UserDefined ? ((i + 1 - start) * _maxScore) - 0.1 : Proto.Pieces[id].Score;
                Offer(start, i + 1, score + best[start], id);
                single |= i + 1 - start == length;
            }

            if (!single)
            {
                Offer(start, start + length, _unknownScore + best[start], Unknown);
            }

            start += length;
        }

        int first = pieces.Count;
        for (int end = size; end > 0; end = from[end])
        {
            pieces.Add((ids[end], from[end], end));
        }

        pieces.Reverse(first, pieces.Count - first);

        void Offer(int start, int end, double score, int id)
        {
            if (from[end] < 0 || score > best[end])
            {
                (best[end], from[end], ids[end]) = ((float)score, start, id);
            }
        }
    }
}

/// <summary>Whole words.</summary>
internal sealed class WordPieceEncoder(SentencePieceProto proto, int unknown) : PieceEncoder(proto, unknown)
{
    internal override void Encode(ReadOnlySpan<byte> text, List<(int Id, int Start, int End)> pieces)
    {
        for (int start = 0; start < text.Length;)
        {
            int next = text[(start + 1)..].IndexOf(SentencePieceNormalizer.Blank);
            int end = next < 0 ? text.Length : start + 1 + next;
            pieces.Add((FindOrUnknown(text[start..end]), start, end));
            start = end;
        }
    }
}

/// <summary>Single characters.</summary>
internal sealed class CharPieceEncoder(SentencePieceProto proto, ByteTrie? userDefined, int unknown) : PieceEncoder(proto, unknown)
{
    internal override void Encode(ReadOnlySpan<byte> text, List<(int Id, int Start, int End)> pieces)
    {
        for (int start = 0; start < text.Length;)
        {
            int length = SymbolLength(userDefined, text[start..], out _);
            pieces.Add((FindOrUnknown(text.Slice(start, length)), start, start + length));
            start += length;
        }
    }
}
