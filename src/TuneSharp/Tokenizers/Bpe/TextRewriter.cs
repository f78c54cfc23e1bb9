using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>The few normalizers that the fast way knows: none, Unicode's normal forms, and blanks to U+2581 with or without one in front.</summary>
internal sealed class TextRewriter
{
    private readonly UnicodeNormalizer? _form;
    private readonly bool _prepends;

    private TextRewriter(UnicodeNormalizer? form, bool marksBlanks, bool prepends)
    {
        _form = form;
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
            [] => new(null, false, false),
            [UnicodeNormalizer form] => new(form, false, false),
            [ReplaceNormalizer { MarksBlanks: true }] => new(null, true, false),
            [PrependNormalizer { Prefix: "▁" }, ReplaceNormalizer { MarksBlanks: true }] => new(null, true, true),
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

        return MarksBlanks ? Marked(text, state) : _form is not null && MayChange(text, _form.IsNfc) ? _form.Formed(text) : text;
    }

    private static bool MayChange(ReadOnlySpan<byte> text, bool isNfc)
    {
        if (!isNfc)
        {
            return !Ascii.IsValid(text);
        }

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
