using System.Globalization;
using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>A SentencePiece .model: Llama 2's, Mistral's, Gemma's and T5's tokenizer.model. Thread-safe.</summary>
/// <remarks>
/// Control pieces such as &lt;s&gt; are not recognised in text and print as nothing. Asked for special tokens, encoding
/// puts the BOS piece first if the model has one.
/// </remarks>
public sealed class SentencePieceModel : IOffsetTokenizer
{
    private readonly SentencePieceProto _proto;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly SentencePieceNormalizer? _denormalizer;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly string[] _texts;
    private readonly int[]? _byteIds;
    private readonly PieceEncoder _encoder;
    private readonly SentencePieceWords? _words;
    private readonly int _unknown = -1;

    private SentencePieceModel(SentencePieceProto proto)
    {
        _proto = proto;
        _texts = new string[proto.Pieces.Count];
        ByteTrie userDefined = new();
        bool anyUserDefined = false;
        for (int id = 0; id < _texts.Length; id++)
        {
            (byte[] piece, _, PieceType type) = proto.Pieces[id];
            _texts[id] = Encoding.UTF8.GetString(piece);
            _ids.TryAdd(_texts[id], id);
            if (type == PieceType.Unknown)
            {
                _unknown = _unknown < 0 ? id : throw new FormatException("it has two unknown pieces.");
            }
            else if (type == PieceType.UserDefined)
            {
                userDefined.Add(piece, id);
                anyUserDefined = true;
            }
        }

        if (_unknown < 0)
        {
            throw new FormatException("it has no unknown piece.");
        }

        if (proto.ByteFallback)
        {
            _byteIds = [.. Enumerable.Range(0, 256).Select(b => _ids.TryGetValue($"<0x{b:X2}>", out int id)
                ? id
                : throw new FormatException($"it falls back on bytes but has no piece <0x{b:X2}>."))];
        }

        ByteTrie? symbols = anyUserDefined ? userDefined : null;
        _normalizer = new(proto.Normalizer, proto.TreatWhitespaceAsSuffix, symbols);
        _denormalizer = proto.Denormalizer is { CharsMap.Length: > 0 } spec ? new(spec, false, null) : null;
        _encoder = PieceEncoder.Create(proto, symbols, _unknown);

        // Merging is the same word by word. (Unigram adds its scores up over the whole text, and rounds on the way; unknown characters
        // in a row become one piece, unless they are written as bytes.)
        _words = _encoder is BpePieceEncoder bpe && _byteIds is not null ? new SentencePieceWords(bpe.Words()) : null;
        BosId = Control(proto.BosPiece);
        EosId = Control(proto.EosPiece);
        PadId = Control(proto.PadPiece);
    }

    /// <inheritdoc/>
    public int VocabSize => _texts.Length;

    /// <summary>The id of the piece that begins a text, or null.</summary>
    public int? BosId { get; }

    /// <summary>The id of the piece that ends a text, or null.</summary>
    public int? EosId { get; }

    /// <summary>The id of the padding piece, or null.</summary>
    public int? PadId { get; }

    /// <summary>Reads a .model file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FormatException">The file is not a SentencePiece model, or is damaged.</exception>
    public static SentencePieceModel Load(string path)
    {
        try
        {
            return new SentencePieceModel(SentencePieceProto.Parse(File.ReadAllBytes(path)));
        }
        catch (FormatException e)
        {
            throw new FormatException($"{path} is not a SentencePiece model that can be used: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        byte[] normalized = _normalizer.Apply(Encoding.UTF8.GetBytes(text), origin: null);
        if (_words is not null)
        {
            return _words.Encode(normalized, addSpecialTokens ? BosId : null, Pieces);
        }

        List<int> ids = [];
        if (addSpecialTokens && BosId is int bos)
        {
            ids.Add(bos);
        }

        foreach ((int id, _, _) in Pieces(normalized))
        {
            ids.Add(id);
        }

        return [.. ids];
    }

    /// <inheritdoc/>
    public TokenEncoding EncodeFull(string text, bool addSpecialTokens = false)
    {
        byte[] source = Encoding.UTF8.GetBytes(text);
        List<int> origin = [];
        byte[] normalized = _normalizer.Apply(source, origin);
        int[] codePoints = new int[source.Length + 1];
        for (int i = 0; i < source.Length; i++)
        {
            codePoints[i + 1] = codePoints[i] + (i + 1 == source.Length || (source[i + 1] & 0xC0) != 0x80 ? 1 : 0);
        }

        List<(int Id, string Token, (int Start, int End) Offset)> result = [];
        if (addSpecialTokens && BosId is int bos)
        {
            result.Add((bos, _texts[bos], (0, 0)));
        }

        foreach ((int id, int start, int end) in Pieces(normalized))
        {
            string token = id == _unknown ? Encoding.UTF8.GetString(normalized, start, end - start) : _texts[id];
            result.Add((id, token, (codePoints[origin[start]], codePoints[origin[end]])));
        }

        return new([.. result.Select(r => r.Id)], [.. result.Select(r => r.Token)], [.. result.Select(r => r.Offset)]);
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        StringBuilder text = new();
        List<byte> bytes = [];
        bool atStart = true;
        bool sawBlank = false;
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)_texts.Length)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(ids), id, $"The id {id.ToString(CultureInfo.InvariantCulture)} is not in the vocabulary of {VocabSize.ToString(CultureInfo.InvariantCulture)} pieces.");
            }

            if (_proto.Pieces[id].Type == PieceType.Byte)
            {
                bytes.Add(byte.Parse(_texts[id].AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                continue;
            }

            Flush();
            atStart &= !sawBlank && text.Length == 0;
            text.Append(Surface(id, atStart, out sawBlank));
        }

        Flush();
        string result = text.ToString();
        return _denormalizer is null ? result : Encoding.UTF8.GetString(_denormalizer.Apply(Encoding.UTF8.GetBytes(result), null));

        // Byte pieces in a row are UTF-8; each byte that fits nowhere is U+FFFD.
        void Flush()
        {
            ReadOnlySpan<byte> rest = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes);
            while (!rest.IsEmpty)
            {
                bool valid = Rune.DecodeFromUtf8(rest, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
                text.Append(rune);
                rest = rest[(valid ? length : 1)..];
            }

            bytes.Clear();
        }
    }

    /// <inheritdoc/>
    public int? TokenToId(string token) => _ids.TryGetValue(token, out int id) ? id : null;

    /// <inheritdoc/>
    public string? IdToToken(int id) => (uint)id < (uint)_texts.Length ? _texts[id] : null;

    // The blank that normalisation put in front is taken away again.
    private string Surface(int id, bool atStart, out bool sawBlank)
    {
        sawBlank = false;
        switch (_proto.Pieces[id].Type)
        {
            case PieceType.Control:
                return "";
            case PieceType.Unknown:
                return _proto.UnknownSurface;
        }

        string piece = _texts[id];
        NormalizerSpec spec = _proto.Normalizer;
        if (atStart && (spec.AddDummyPrefix || spec.RemoveExtraWhitespaces) && piece.StartsWith('▁'))
        {
            piece = piece[1..];
            sawBlank = !spec.RemoveExtraWhitespaces;
        }

        return piece.Replace('▁', ' ');
    }

    // Unknown pieces become bytes, or one unknown token a run.
    private List<(int Id, int Start, int End)> Pieces(byte[] normalized)
    {
        List<(int Id, int Start, int End)> pieces = [];
        List<(int Id, int Start, int End)> result = [];
        _encoder.Encode(normalized, pieces);
        bool afterUnknown = false;
        foreach ((int id, int start, int end) in pieces)
        {
            bool unknown = id == _unknown;
            if (unknown && _byteIds is not null)
            {
                for (int i = start; i < end; i++)
                {
                    // The last byte stands for the whole character, those before it for nothing.
                    result.Add((_byteIds[normalized[i]], start, i == end - 1 ? end : start));
                }
            }
            else if (unknown && afterUnknown)
            {
                result[^1] = (id, result[^1].Start, end);
            }
            else
            {
                result.Add((id, start, end));
            }

            afterUnknown = unknown;
        }

        return result;
    }

    private int? Control(string piece) =>
        _ids.TryGetValue(piece, out int id) && _proto.Pieces[id].Type == PieceType.Control ? id : null;
}
