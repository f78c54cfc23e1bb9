using System.Runtime.CompilerServices;

namespace TuneSharp.Tokenizers;

/// <summary>Steps through UTF-8 that is known to be well formed.</summary>
internal static class Utf8
{
    /// <summary>The code point at a position, and its length in bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Decode(ReadOnlySpan<byte> text, int at, out int length)
    {
        int b = text[at];
        if (b < 0x80)
        {
            length = 1;
            return b;
        }

        if (b < 0xE0)
        {
            length = 2;
            return ((b & 0x1F) << 6) | (text[at + 1] & 0x3F);
        }

        if (b < 0xF0)
        {
            length = 3;
            return ((b & 0x0F) << 12) | ((text[at + 1] & 0x3F) << 6) | (text[at + 2] & 0x3F);
        }

        length = 4;
        return ((b & 0x07) << 18) | ((text[at + 1] & 0x3F) << 12) | ((text[at + 2] & 0x3F) << 6) | (text[at + 3] & 0x3F);
    }

    /// <summary>The start of the character that ends just before a position.</summary>
    internal static int Before(ReadOnlySpan<byte> text, int at)
    {
        do
        {
            at--;
        }
        while ((text[at] & 0xC0) == 0x80);
        return at;
    }

    /// <summary>Bytes of the character whose first byte is given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int LengthOf(byte first) => first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

    /// <summary>Writes one code point.</summary>
    internal static int Encode(int codePoint, Span<byte> target) =>
        codePoint is >= 0xD800 and < 0xE000
            ? new System.Text.Rune(0xFFFD).EncodeToUtf8(target)
            : new System.Text.Rune(codePoint).EncodeToUtf8(target);
}
