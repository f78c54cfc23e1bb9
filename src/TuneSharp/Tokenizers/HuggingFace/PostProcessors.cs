using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>One token of an encoding while post-processors work on it.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal struct EncodedToken
{
    internal int Id;
    internal string Text;
    internal Range32 Offsets;
}

/// <summary>Adds special tokens and corrects offsets after the model is done.</summary>
internal abstract class PostProcessor
{
    /// <summary>Ids to put before and after when special tokens are wanted.</summary>
    internal virtual IReadOnlyList<(int Id, string Text)> Before => [];

    /// <inheritdoc cref="Before"/>
    internal virtual IReadOnlyList<(int Id, string Text)> After => [];

    /// <summary>Corrects offsets.</summary>
    internal virtual void Trim(List<EncodedToken> tokens)
    {
    }

    internal void Apply(List<EncodedToken> tokens, bool addSpecialTokens)
    {
        Trim(tokens);
        if (addSpecialTokens)
        {
            tokens.InsertRange(0, Before.Select(Added));
            tokens.AddRange(After.Select(Added));
        }

        static EncodedToken Added((int Id, string Text) token) => new() { Id = token.Id, Text = token.Text };
    }

    /// <summary>Takes blanks at a token's ends out of its offsets.</summary>
    internal static void TrimBlanks(List<EncodedToken> tokens, bool addPrefixSpace)
    {
        for (int i = 0; i < tokens.Count; i++)
        {
            EncodedToken token = tokens[i];
            int leading = token.Text.EnumerateRunes().TakeWhile(IsBlank).Count();
            int trailing = token.Text.EnumerateRunes().Reverse().TakeWhile(IsBlank).Count();
            (int start, int end) = (token.Offsets.Start, token.Offsets.End);
            if (leading > 0)
            {
                // The blank that was put before the first word is not in the text.
                bool ours = addPrefixSpace && leading == 1 && (i == 0 || start == 0);
                start = Math.Min(start + (ours ? 0 : leading), end);
            }

            if (trailing > 0 && end >= trailing)
            {
                end = Math.Max(end - trailing, start);
            }

            token.Offsets = new(start, end);
            tokens[i] = token;
        }

        static bool IsBlank(Rune rune) => rune.Value == ByteAlphabet.CharOf((byte)' ') || Unicode.IsWhiteSpace(rune.Value);
    }
}

/// <summary>Several, one after the other.</summary>
internal sealed class PostProcessorSequence(IReadOnlyList<PostProcessor> parts) : PostProcessor
{
    internal override IReadOnlyList<(int Id, string Text)> Before { get; } = [.. parts.Reverse().SelectMany(p => p.Before)];

    internal override IReadOnlyList<(int Id, string Text)> After { get; } = [.. parts.SelectMany(p => p.After)];

    internal override void Trim(List<EncodedToken> tokens)
    {
        foreach (PostProcessor part in parts)
        {
            part.Trim(tokens);
        }
    }
}

/// <summary>Byte-level: takes blanks out of offsets.</summary>
internal sealed class ByteLevelPostProcessor(bool addPrefixSpace, bool trimOffsets) : PostProcessor
{
    internal override void Trim(List<EncodedToken> tokens)
    {
        if (trimOffsets)
        {
            TrimBlanks(tokens, addPrefixSpace);
        }
    }
}

/// <summary>Tokens before and after, with blanks taken out of offsets if asked: templates, BERT's and RoBERTa's.</summary>
internal sealed class FramingPostProcessor(
    IReadOnlyList<(int Id, string Text)> before, IReadOnlyList<(int Id, string Text)> after, bool trimOffsets = false, bool addPrefixSpace = false) : PostProcessor
{
    internal override IReadOnlyList<(int Id, string Text)> Before { get; } = before;

    internal override IReadOnlyList<(int Id, string Text)> After { get; } = after;

    internal override void Trim(List<EncodedToken> tokens)
    {
        if (trimOffsets)
        {
            TrimBlanks(tokens, addPrefixSpace);
        }
    }
}
