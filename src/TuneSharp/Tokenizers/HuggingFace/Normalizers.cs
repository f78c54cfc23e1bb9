using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>Rewrites text before it is split.</summary>
internal abstract class Normalizer
{
    internal abstract void Apply(AlignedText text);
}

/// <summary>Several, one after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<Normalizer> parts) : Normalizer
{
    internal IReadOnlyList<Normalizer> Parts { get; } = parts;

    internal override void Apply(AlignedText text)
    {
        foreach (Normalizer part in Parts)
        {
            part.Apply(text);
        }
    }
}

/// <summary>NFC, NFD, NFKC, NFKD.</summary>
internal sealed class UnicodeNormalizer(bool compatible, bool compose) : Normalizer
{
    internal bool IsNfc { get; } = !compatible && compose;

    /// <summary>A text that is not all ASCII, in this form.</summary>
    internal byte[] Formed(ReadOnlySpan<byte> text)
    {
        AlignedText aligned = new(Encoding.UTF8.GetString(text));
        aligned.Rewrite(Normalization.Apply(aligned.CodePoints(), compatible, compose));
        return aligned.Bytes.ToArray();
    }

    internal override void Apply(AlignedText text)
    {
        if (!Ascii.IsValid(text.Bytes))
        {
            text.Rewrite(Normalization.Apply(text.CodePoints(), compatible, compose));
        }
    }
}

/// <summary>Replaces every match of a pattern by the same text.</summary>
internal sealed class ReplaceNormalizer(Pattern pattern, string content) : Normalizer
{
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    internal Pattern Pattern { get; } = pattern;

    /// <summary>Whether this writes blanks as U+2581.</summary>
    internal bool MarksBlanks { get; } = pattern is TextPattern { Text: " " } && content == "▁";

    internal override void Apply(AlignedText text)
    {
        List<(Range32 Range, bool IsMatch)> found = [];
        Pattern.Find(text.Bytes, found);
        text.Replace([.. found.Where(f => f.IsMatch).Select(f => f.Range)], _content);
    }
}

/// <summary>Puts a text in front.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    internal string Prefix { get; } = prefix;

    internal override void Apply(AlignedText text) => text.Prepend(Prefix);
}

/// <summary>Takes white space off the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    internal override void Apply(AlignedText text)
    {
        List<int> old = text.CodePoints();
        int from = left ? old.TakeWhile(Unicode.IsWhiteSpace).Count() : 0;
        int to = old.Count;
        while (right && to > from && Unicode.IsWhiteSpace(old[to - 1]))
        {
            to--;
        }

        if (from > 0 || to < old.Count)
        {
            text.Rewrite([.. old.Skip(from).Take(to - from).Select(c => (c, 0))], from);
        }
    }
}

/// <summary>Drops combining marks.</summary>
internal sealed class StripAccentsNormalizer : Normalizer
{
    internal override void Apply(AlignedText text) => text.Filter(c => !Unicode.IsMark(c));
}

/// <summary>Lower case, character by character.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    internal override void Apply(AlignedText text)
    {
        List<(int CodePoint, int Change)> result = new(text.Length);
        foreach (int c in text.CodePoints())
        {
            if (c == 0x130)
            {
                // The only character whose lower case is two: i and a dot above.
                result.Add(('i', 0));
                result.Add((0x307, 1));
            }
            else
            {
                result.Add((c < 128 ? Unicode.Fold(c) : Rune.ToLowerInvariant(new Rune(c)).Value, 0));
            }
        }

        text.Rewrite(result);
    }
}

/// <summary>BERT's cleaning: control characters out, blanks around Chinese characters, accents off, lower case.</summary>
internal sealed class BertNormalizer(bool cleanText, bool handleChineseChars, bool? stripAccents, bool lowercase) : Normalizer
{
    private static readonly LowercaseNormalizer Lowercase = new();

    internal override void Apply(AlignedText text)
    {
        if (cleanText)
        {
            text.Filter(c => c is not (0 or 0xFFFD) && !IsControl(c));
            text.Map(c => Unicode.IsWhiteSpace(c) ? ' ' : c);
        }

        if (handleChineseChars)
        {
            List<(int CodePoint, int Change)> result = new(text.Length);
            foreach (int c in text.CodePoints())
            {
                result.AddRange(IsChinese(c) ? [(' ', 0), (c, 1), (' ', 1)] : [(c, 0)]);
            }

            text.Rewrite(result);
        }

        if (stripAccents ?? lowercase)
        {
            text.Rewrite(Normalization.Apply(text.CodePoints(), compatible: false, compose: false));
            text.Filter(c => Unicode.Category(c) != System.Globalization.UnicodeCategory.NonSpacingMark);
        }

        if (lowercase)
        {
            Lowercase.Apply(text);
        }
    }

    private static bool IsControl(int c) => c is not ('\t' or '\n' or '\r') && Unicode.Category(c)
        is System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.PrivateUse;

    private static bool IsChinese(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
        or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF)
        or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}

/// <summary>The cleaning of Google's translation models: control characters out, odd white space to blanks.</summary>
internal sealed class NmtNormalizer : Normalizer
{
    internal override void Apply(AlignedText text)
    {
        text.Filter(c => c is not ((>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or 0x8F or 0x9F));
        text.Map(c => c is 9 or 0xA or 0xC or 0xD or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD ? ' ' : c);
    }
}

/// <summary>Spells every byte as a printable character.</summary>
internal sealed class ByteLevelNormalizer : Normalizer
{
    internal override void Apply(AlignedText text) => text.MapBytes();
}

/// <summary>SentencePiece's character map, applied grapheme by grapheme as Hugging Face does.</summary>
internal sealed class PrecompiledNormalizer(CharsMap map) : Normalizer
{
    internal override void Apply(AlignedText text)
    {
        List<(int CodePoint, int Change)> result = new(text.Length);
        string source = Encoding.UTF8.GetString(text.Bytes);
        bool changed = false;
        for (int at = 0; at < source.Length;)
        {
            int length = System.Globalization.StringInfo.GetNextTextElementLength(source, at);
            string grapheme = source.Substring(at, length);
            at += length;
            byte[] bytes = Encoding.UTF8.GetBytes(grapheme);
            if (bytes.Length < 6 && map.First(bytes) is string whole)
            {
                Replace(result, grapheme.EnumerateRunes().Count(), whole);
                changed = true;
                continue;
            }

            foreach (Rune rune in grapheme.EnumerateRunes())
            {
                if (map.First(Encoding.UTF8.GetBytes(rune.ToString())) is string part)
                {
                    Replace(result, 1, part);
                    changed = true;
                }
                else
                {
                    result.Add((rune.Value, 0));
                }
            }
        }

        if (changed)
        {
            text.Rewrite(result);
        }
    }

    private static void Replace(List<(int CodePoint, int Change)> result, int oldCount, string replacement)
    {
        int count = 0;
        foreach (Rune rune in replacement.EnumerateRunes())
        {
            result.Add((rune.Value, count++ < oldCount ? 0 : 1));
        }

        if (count < oldCount && result.Count > 0)
        {
            result[^1] = (result[^1].CodePoint, result[^1].Change + count - oldCount);
        }
    }
}
