namespace TuneSharp.Tokenizers;

/// <summary>The printable character by which byte-level vocabularies spell each byte: 'Ġ' for a blank, say.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] Chars = MakeChars();
    private static readonly short[] Bytes = MakeBytes();

    internal static char CharOf(byte value) => Chars[value];

    /// <summary>The byte that a character spells, or -1.</summary>
    internal static int ByteOf(int codePoint) => (uint)codePoint < (uint)Bytes.Length ? Bytes[codePoint] : -1;

    /// <summary>The bytes a token's text spells; false when some character spells none.</summary>
    internal static bool TryGetBytes(ReadOnlySpan<byte> token, Span<byte> bytes, out int count)
    {
        count = 0;
        for (int i = 0; i < token.Length;)
        {
            int value = ByteOf(Utf8.Decode(token, i, out int length));
            if (value < 0)
            {
                return false;
            }

            bytes[count++] = (byte)value;
            i += length;
        }

        return true;
    }

    /// <summary>Spells bytes.</summary>
    internal static string Spell(ReadOnlySpan<byte> bytes)
    {
        char[] text = new char[bytes.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            text[i] = Chars[bytes[i]];
        }

        return new string(text);
    }

    private static char[] MakeChars()
    {
        char[] chars = new char[256];
        int extra = 0;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            chars[b] = printable ? (char)b : (char)(256 + extra++);
        }

        return chars;
    }

    private static short[] MakeBytes()
    {
        short[] bytes = new short[Chars.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
        {
            bytes[Chars[b]] = (short)b;
        }

        return bytes;
    }
}
