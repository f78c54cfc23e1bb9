namespace TuneSharp.Tokenizers;

/// <summary>Cuts text into the words that the model sees.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Cuts one stretch; empty pieces are left out by the caller.</summary>
    internal abstract IEnumerable<AlignedText> Split(AlignedText text);
}

/// <summary>Several, each cutting what the one before left.</summary>
internal sealed class PreTokenizerSequence(IReadOnlyList<PreTokenizer> parts) : PreTokenizer
{
    internal IReadOnlyList<PreTokenizer> Parts { get; } = parts;

    internal override IEnumerable<AlignedText> Split(AlignedText text)
    {
        List<AlignedText> pieces = [text];
        foreach (PreTokenizer part in Parts)
        {
            pieces = [.. pieces.SelectMany(part.Split).Where(p => p.Length > 0)];
        }

        return pieces;
    }
}

/// <summary>Cuts at a pattern.</summary>
internal sealed class SplitPreTokenizer(Pattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    internal Pattern Pattern { get; } = pattern;

    internal SplitBehavior Behavior { get; } = behavior;

    internal bool Invert { get; } = invert;

    internal override IEnumerable<AlignedText> Split(AlignedText text) => Pattern.Split(text, Behavior, Invert);
}

/// <summary>GPT-2's: cuts with its pattern, then spells every byte as a printable character.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : PreTokenizer
{
    internal const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    private static readonly RegexPattern Gpt2 = new(new CodeRegex(Gpt2Pattern));

    internal bool AddPrefixSpace { get; } = addPrefixSpace;

    internal bool UseRegex { get; } = useRegex;

    internal override IEnumerable<AlignedText> Split(AlignedText text)
    {
        if (AddPrefixSpace && text.Length > 0 && text.Bytes[0] != ' ')
        {
            text.Prepend(" ");
        }

        IEnumerable<AlignedText> pieces = UseRegex ? Gpt2.Split(text, SplitBehavior.Isolated) : [text];
        foreach (AlignedText piece in pieces)
        {
            piece.MapBytes();
            yield return piece;
        }
    }
}

/// <summary>Cuts at single characters of a kind: white space, digits, punctuation, a delimiter.</summary>
internal sealed class CharSplitPreTokenizer(Func<int, bool> test, SplitBehavior behavior) : PreTokenizer
{
    private readonly CharPattern _pattern = new(test);

    internal override IEnumerable<AlignedText> Split(AlignedText text) => _pattern.Split(text, behavior);
}

/// <summary>Runs of word characters, and runs of anything else but white space.</summary>
internal sealed class WhitespacePreTokenizer : PreTokenizer
{
    internal override IEnumerable<AlignedText> Split(AlignedText text)
    {
        List<Range32> words = [];
        ReadOnlySpan<byte> bytes = text.Bytes;
        int kind = 0;
        for (int i = 0, start = 0; i <= bytes.Length;)
        {
            int length = 1;
            int c = i < bytes.Length ? Utf8.Decode(bytes, i, out length) : ' ';
            int now = Unicode.IsRustWord(c) ? 1 : Unicode.IsWhiteSpace(c) ? 0 : 2;
            if (now != kind)
            {
                if (kind != 0)
                {
                    words.Add(new(start, i));
                }

                start = i;
                kind = now;
            }

            i += length;
        }

        return words.Select(w => text.Slice(w.Start, w.End));
    }
}

/// <summary>Where a blank's stand-in is put in front.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>Blanks become a visible character, which also begins the text; then cut before each.</summary>
internal sealed class MetaspacePreTokenizer(string replacement, PrependScheme scheme, bool split) : PreTokenizer
{
    private readonly byte[] _replacement = System.Text.Encoding.UTF8.GetBytes(replacement);
    private readonly TextPattern _pattern = new(replacement);
    private readonly TextPattern _blank = new(" ");

    internal override IEnumerable<AlignedText> Split(AlignedText text)
    {
        List<(Range32 Range, bool IsMatch)> found = [];
        _blank.Find(text.Bytes, found);
        text.Replace([.. found.Where(f => f.IsMatch).Select(f => f.Range)], _replacement);
        bool wanted = scheme == PrependScheme.Always || (scheme == PrependScheme.First && text.OriginalStart == 0);
        if (wanted && !text.Bytes.StartsWith(_replacement))
        {
            text.Prepend(replacement);
        }

        return split ? _pattern.Split(text, SplitBehavior.MergedWithNext) : [text];
    }
}

/// <summary>Pieces of a fixed number of characters.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : PreTokenizer
{
    internal override IEnumerable<AlignedText> Split(AlignedText text)
    {
        List<int> cuts = [0];
        ReadOnlySpan<byte> bytes = text.Bytes;
        int count = 0;
        for (int i = 0; i < bytes.Length;)
        {
            i += Utf8.LengthOf(bytes[i]);
            if (++count % length == 0 || i == bytes.Length)
            {
                cuts.Add(i);
            }
        }

        return cuts.Zip(cuts.Skip(1), (from, to) => text.Slice(from, to));
    }
}

/// <summary>Cuts where the script changes; kana count as Han, blanks go with either side.</summary>
internal sealed class UnicodeScriptsPreTokenizer : PreTokenizer
{
    internal override IEnumerable<AlignedText> Split(AlignedText text)
    {
        List<int> cuts = [];
        ReadOnlySpan<byte> bytes = text.Bytes;
        int? last = null;
        for (int i = 0; i < bytes.Length;)
        {
            int script = ScriptOf(Utf8.Decode(bytes, i, out int length));
            if (script != Scripts.None)
            {
                if (last != script)
                {
                    cuts.Add(i);
                }

                last = script;
            }

            i += length;
        }

        cuts.Add(bytes.Length);
        return cuts.Zip(cuts.Skip(1), (from, to) => text.Slice(from, to));
    }

    private static int ScriptOf(int codePoint)
    {
        int script = Scripts.Of(codePoint);
        return codePoint == ' ' ? Scripts.None
            : codePoint == 0x30FC || script == Scripts.Hiragana || script == Scripts.Katakana ? Scripts.Han
            : script;
    }
}
