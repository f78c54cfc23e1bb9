using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>The few normalizers that the fast way knows: none, NFC, and blanks to U+2581 with or without one in front.</summary>
internal sealed class TextRewriter
{
    private readonly bool _nfc;
    private readonly bool _prepends;

    private TextRewriter(bool nfc, bool marksBlanks, bool prepends)
    {
        _nfc = nfc;
        MarksBlanks = marksBlanks;
        _prepends = prepends;
    }

    /// <summary>Whether blanks become U+2581.</summary>
    internal bool MarksBlanks { get; }

    internal static TextRewriter? Create(Normalizer? normalizer)
    {
        IReadOnlyList<Normalizer> parts = normalizer is NormalizerSequence sequence ? sequence.Parts : normalizer is null ? [] : [normalizer];
        return parts switch
        {
            [] => new(false, false, false),
            [UnicodeNormalizer { IsNfc: true }] => new(true, false, false),
            [ReplaceNormalizer { MarksBlanks: true }] => new(false, true, false),
            [PrependNormalizer { Prefix: "▁" }, ReplaceNormalizer { MarksBlanks: true }] => new(false, true, true),
            _ => null,
        };
    }

    /// <summary>The text as it is or, in the state's buffer, as it becomes.</summary>
    internal ReadOnlySpan<byte> Apply(ReadOnlySpan<byte> text, FastBpe.State state)
    {
        if (text.IsEmpty)
        {
            return text;
        }

        return MarksBlanks ? Marked(text, state) : _nfc && MayChange(text) ? Composed(text) : text;
    }

    private static bool MayChange(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (true)
        {
            // Bytes below 0xCC begin characters below U+0300, which NFC leaves alone.
            int skip = text[at..].IndexOfAnyInRange((byte)0xCC, (byte)0xFF);
            if (skip < 0)
            {
                return false;
            }

            at += skip;
            if (Normalization.MayChangeInNfc(Utf8.Decode(text, at, out int length)))
            {
                return true;
            }

            at += length;
        }
    }

    private static byte[] Composed(ReadOnlySpan<byte> text)
    {
        AlignedText aligned = new(Encoding.UTF8.GetString(text));
        aligned.Rewrite(Normalization.Apply(aligned.CodePoints(), compatible: false, compose: true));
        return aligned.Bytes.ToArray();
    }

    private ReadOnlySpan<byte> Marked(ReadOnlySpan<byte> text, FastBpe.State state)
    {
        ReadOnlySpan<byte> mark = "▁"u8;
        byte[] target = state.ReserveRewritten((text.Length + 1) * 3);
        int write = 0;
        if (_prepends)
        {
            mark.CopyTo(target);
            write = mark.Length;
        }

        while (true)
        {
            int blank = text.IndexOf((byte)' ');
            ReadOnlySpan<byte> part = blank < 0 ? text : text[..blank];
            part.CopyTo(target.AsSpan(write));
            write += part.Length;
            if (blank < 0)
            {
                return target.AsSpan(0, write);
            }

            mark.CopyTo(target.AsSpan(write));
            write += mark.Length;
            text = text[(blank + 1)..];
        }
    }
}
