using System.Globalization;

namespace TuneSharp.Tokenizers;

/// <summary>
/// Added tokens, normalizer, pre-tokenizer, model, post-processor and decoder, one after the other, each as Rust's
/// <c>tokenizers</c> defines them, exact to the id and the offset. Thread-safe.
/// </summary>
/// <remarks>Made by <see cref="TokenizerJson"/> and <see cref="TiktokenFile"/>.</remarks>
public sealed class TokenizerPipeline : IOffsetTokenizer
{
    private readonly TokenizerParts _parts;
    private readonly AddedTokenMatcher _plainMatcher;
    private readonly AddedTokenMatcher _normalizedMatcher;
    private readonly Dictionary<int, string> _addedDecoded = [];
    private readonly HashSet<string> _special = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _addedIds = new(StringComparer.Ordinal);
    private readonly Dictionary<int, AddedToken> _added = [];
    private readonly FastBpe? _fast;
    private readonly int[] _before;
    private readonly int[] _after;

    internal TokenizerPipeline(TokenizerParts parts)
    {
        _parts = parts;
        List<(string Text, int Id)> plain = [];
        List<(string Text, int Id)> normalized = [];
        int next = parts.Model.Table.Count;
        foreach (AddedToken token in parts.AddedTokens)
        {
            int id = token.Id ?? TokenToId(token.Content) ?? next++;
            _addedIds[token.Content] = id;
            _added[id] = token;
            string text = token.Content;
            if (token.Normalized && parts.Normalizer is not null)
            {
                AlignedText aligned = new(text);
                parts.Normalizer.Apply(aligned);
                text = System.Text.Encoding.UTF8.GetString(aligned.Bytes);
            }

            _addedDecoded[id] = text;
            (token.Normalized ? normalized : plain).Add((text, id));
            if (token.Special)
            {
                _special.Add(token.Content);
            }
        }

        _plainMatcher = new(plain, id => _added[id]);
        _normalizedMatcher = new(normalized, id => _added[id]);
        _fast = FastBpe.Create(parts, _plainMatcher, _normalizedMatcher);
        _before = [.. parts.PostProcessor?.Before.Select(t => t.Id) ?? []];
        _after = [.. parts.PostProcessor?.After.Select(t => t.Id) ?? []];
        VocabSize = Math.Max(parts.Model.Table.Capacity, _added.Count == 0 ? 0 : _added.Keys.Max() + 1);
    }

    /// <inheritdoc/>
    public int VocabSize { get; }

    /// <summary>Whether encoding takes the fast way.</summary>
    internal bool IsFast => _fast is not null;

    /// <summary>Ids and texts of the tokens that decoding can skip.</summary>
    public IReadOnlyDictionary<int, string> SpecialTokens =>
        _added.Where(a => a.Value.Special).ToDictionary(a => a.Key, a => a.Value.Content);

    /// <inheritdoc/>
    public int[] Encode(string text, bool addSpecialTokens = false) => Encode(text, addSpecialTokens, specialTokensAsText: false);

    /// <summary>Encodes text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Apply the post-processor.</param>
    /// <param name="specialTokensAsText">Do not recognise special tokens in the text: it comes from someone who must not write any.</param>
    public int[] Encode(string text, bool addSpecialTokens, bool specialTokensAsText) =>
        _fast is null
            ? EncodeFull(text, addSpecialTokens, specialTokensAsText).Ids
            : _fast.Encode(text, specialTokensAsText, addSpecialTokens ? _before : [], addSpecialTokens ? _after : []);

    /// <inheritdoc/>
    public TokenEncoding EncodeFull(string text, bool addSpecialTokens = false) =>
        EncodeFull(text, addSpecialTokens, specialTokensAsText: false);

    /// <summary>Encodes text and says where each token came from.</summary>
    /// <param name="text">The text.</param>
    /// <param name="addSpecialTokens">Apply the post-processor.</param>
    /// <param name="specialTokensAsText">Do not recognise special tokens in the text.</param>
    public TokenEncoding EncodeFull(string text, bool addSpecialTokens, bool specialTokensAsText)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<EncodedToken> tokens = [];
        List<ModelToken> found = [];
        foreach (AlignedText piece in Pieces(text, specialTokensAsText))
        {
            if (piece.AddedId is int id)
            {
                tokens.Add(new() { Id = id, Text = System.Text.Encoding.UTF8.GetString(piece.Bytes), Offsets = piece.Original(0, piece.Length) });
                continue;
            }

            found.Clear();
            _parts.Model.Tokenize(piece.Bytes, found);
            foreach (ModelToken token in found)
            {
                tokens.Add(new()
                {
                    Id = token.Id,
                    Text = token.ShowsText ? System.Text.Encoding.UTF8.GetString(piece.Bytes[token.Start..token.End]) : _parts.Model.Table.Text(token.Id)!,
                    Offsets = piece.Original(token.Start, token.End),
                });
            }
        }

        _parts.PostProcessor?.Apply(tokens, addSpecialTokens);
        return new(
            [.. tokens.Select(t => t.Id)],
            [.. tokens.Select(t => t.Text)],
            [.. tokens.Select(t => (t.Offsets.Start, t.Offsets.End))]);
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        List<string> tokens = new(ids.Length);
        foreach (int id in ids)
        {
            string token = DecodedToken(id) ?? throw new ArgumentOutOfRangeException(
                nameof(ids), id, $"The id {id.ToString(CultureInfo.InvariantCulture)} is not in the vocabulary of {VocabSize.ToString(CultureInfo.InvariantCulture)} tokens.");
            if (!skipSpecialTokens || !_special.Contains(token))
            {
                tokens.Add(token);
            }
        }

        return _parts.Decoder is null ? string.Join(' ', tokens) : string.Concat(_parts.Decoder.Apply(tokens));
    }

    /// <inheritdoc/>
    public int? TokenToId(string token) =>
        _addedIds.TryGetValue(token, out int id) || (id = _parts.Model.Find(token)) >= 0 ? id : null;

    /// <inheritdoc/>
    public string? IdToToken(int id) => _added.TryGetValue(id, out AddedToken? token) ? token.Content : _parts.Model.Table.Text(id);

    private string? DecodedToken(int id) => _addedDecoded.TryGetValue(id, out string? text) ? text : _parts.Model.Table.Text(id);

    // Added tokens that match raw text come out first; the rest is normalised, cut at the others, and pre-tokenized.
    private IEnumerable<AlignedText> Pieces(string text, bool specialAsText)
    {
        foreach (AlignedText raw in Cut(_plainMatcher, new AlignedText(text), specialAsText))
        {
            if (raw.AddedId is not null)
            {
                yield return raw;
                continue;
            }

            _parts.Normalizer?.Apply(raw);
            foreach (AlignedText piece in Cut(_normalizedMatcher, raw, specialAsText))
            {
                if (piece.AddedId is not null || _parts.PreTokenizer is null)
                {
                    yield return piece;
                    continue;
                }

                foreach (AlignedText word in _parts.PreTokenizer.Split(piece))
                {
                    if (word.Length > 0)
                    {
                        yield return word;
                    }
                }
            }
        }
    }

    private static IEnumerable<AlignedText> Cut(AddedTokenMatcher matcher, AlignedText text, bool specialAsText)
    {
        List<(int Start, int End, int Id)> cuts = [];
        matcher.Cut(text.Bytes, specialAsText, cuts);
        return cuts.Select(c => text.Slice(c.Start, c.End, c.Id < 0 ? null : c.Id));
    }
}

/// <summary>The parts of a tokenizer.json.</summary>
internal sealed record TokenizerParts(TokenModel Model)
{
    internal Normalizer? Normalizer { get; init; }

    internal PreTokenizer? PreTokenizer { get; init; }

    internal PostProcessor? PostProcessor { get; init; }

    internal Decoder? Decoder { get; init; }

    internal IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];
}
