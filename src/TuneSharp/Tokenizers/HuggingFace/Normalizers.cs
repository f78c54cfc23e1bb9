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
    internal override void Apply(AlignedText text) => text.Prepend(prefix);
}
