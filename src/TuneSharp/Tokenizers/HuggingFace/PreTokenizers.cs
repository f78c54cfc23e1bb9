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
