using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>Turns tokens back into text, step by step.</summary>
internal abstract class Decoder
{
    internal abstract List<string> Apply(List<string> tokens);
}

/// <summary>Several, one after the other.</summary>
internal sealed class DecoderSequence(IReadOnlyList<Decoder> parts) : Decoder
{
    internal override List<string> Apply(List<string> tokens) => parts.Aggregate(tokens, (t, part) => part.Apply(t));
}

/// <summary>Bytes spelt as characters become bytes, and all bytes one text.</summary>
internal sealed class ByteLevelDecoder : Decoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        List<byte> bytes = [];
        foreach (string token in tokens)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(token);
            byte[] spelt = new byte[utf8.Length];
            if (ByteAlphabet.TryGetBytes(utf8, spelt, out int count))
            {
                bytes.AddRange(spelt.AsSpan(0, count));
            }
            else
            {
                bytes.AddRange(utf8);
            }
        }

        return [Encoding.UTF8.GetString(bytes.ToArray())];
    }
}

/// <summary>All tokens become one.</summary>
internal sealed class FuseDecoder : Decoder
{
    internal override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];
}

/// <summary>Replaces a pattern in each token.</summary>
internal sealed class ReplaceDecoder(Pattern pattern, string content) : Decoder
{
    internal override List<string> Apply(List<string> tokens) => [.. tokens.Select(Replace)];

    private string Replace(string token)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(token);
        List<(Range32 Range, bool IsMatch)> found = [];
        pattern.Find(bytes, found);
        StringBuilder text = new();
        foreach ((Range32 range, bool isMatch) in found)
        {
            text.Append(isMatch ? content : Encoding.UTF8.GetString(bytes, range.Start, range.End - range.Start));
        }

        return text.ToString();
    }
}

/// <summary>Takes up to so many of one character off each token's ends.</summary>
internal sealed class StripDecoder(Rune content, int start, int stop) : Decoder
{
    internal override List<string> Apply(List<string> tokens) => [.. tokens.Select(Strip)];

    private string Strip(string token)
    {
        Rune[] runes = [.. token.EnumerateRunes()];
        int from = 0;
        while (from < start && from < runes.Length && runes[from] == content)
        {
            from++;
        }

        int to = runes.Length;
        while (runes.Length - to < stop && to > 0 && runes[to - 1] == content)
        {
            to--;
        }

        StringBuilder text = new();
        for (int i = from; i < to; i++)
        {
            text.Append(runes[i]);
        }

        return text.ToString();
    }
}

/// <summary>Runs of byte tokens such as &lt;0xE2&gt; become the characters they spell, or one U+FFFD a byte.</summary>
internal sealed class ByteFallbackDecoder : Decoder
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    internal override List<string> Apply(List<string> tokens)
    {
        List<string> result = new(tokens.Count);
        List<byte> pending = [];
        foreach (string token in tokens)
        {
            if (ByteOf(token) is byte value)
            {
                pending.Add(value);
                continue;
            }

            Flush();
            result.Add(token);
        }

        Flush();
        return result;

        void Flush()
        {
            if (pending.Count == 0)
            {
                return;
            }

            byte[] bytes = [.. pending];
            pending.Clear();
            if (System.Text.Unicode.Utf8.IsValid(bytes))
            {
                result.Add(Strict.GetString(bytes));
            }
            else
            {
                result.AddRange(Enumerable.Repeat("\uFFFD", bytes.Length));
            }
        }
    }

    /// <summary>The byte of a token such as &lt;0x0A&gt;, or null.</summary>
    internal static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture, out byte value)
            ? value
            : null;
}

/// <summary>WordPiece: continuing pieces join, others get a blank before; English punctuation closes up if asked.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : Decoder
{
    private static readonly (string From, string To)[] Joins =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    internal override List<string> Apply(List<string> tokens) => [.. tokens.Select((token, i) =>
    {
        string text = i == 0 ? token : token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        return cleanup ? CleanUp(text) : text;
    })];

    internal static string CleanUp(string text) =>
        Joins.Aggregate(text, (t, join) => t.Replace(join.From, join.To, StringComparison.Ordinal));
}

/// <summary>A suffix that ends words becomes a blank, the last one nothing.</summary>
internal sealed class BpeSuffixDecoder(string suffix) : Decoder
{
    internal override List<string> Apply(List<string> tokens) =>
        [.. tokens.Select((token, i) => suffix.Length == 0 ? token : token.Replace(suffix, i == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal))];
}

/// <summary>Speech: repeats collapse, padding goes, the delimiter becomes a blank.</summary>
internal sealed class CtcDecoder(string padToken, string wordDelimiterToken, bool cleanup) : Decoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        List<string> result = [];
        for (int i = 0; i < tokens.Count; i++)
        {
            if (i > 0 && tokens[i] == tokens[i - 1])
            {
                continue;
            }

            string text = padToken.Length == 0 ? tokens[i] : tokens[i].Replace(padToken, "", StringComparison.Ordinal);
            if (cleanup)
            {
                text = WordPieceDecoder.CleanUp(text);
                text = wordDelimiterToken.Length == 0 ? text : text.Replace(wordDelimiterToken, " ", StringComparison.Ordinal);
            }

            if (text.Length > 0)
            {
                result.Add(text);
            }
        }

        return result;
    }
}

/// <summary>The visible character becomes a blank again, in the first token nothing.</summary>
internal sealed class MetaspaceDecoder(string replacement, PrependScheme scheme) : Decoder
{
    internal override List<string> Apply(List<string> tokens) => [.. tokens.Select((token, i) =>
        token.Replace(replacement, i == 0 && scheme != PrependScheme.Never ? "" : " ", StringComparison.Ordinal))];
}
