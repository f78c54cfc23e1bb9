using System.Globalization;
using System.Runtime.CompilerServices;

namespace TuneSharp.Tokenizers;

/// <summary>The kinds of characters that word patterns tell apart, as bits.</summary>
[Flags]
internal enum CharKind : byte
{
    None = 0,
    Letter = 1,
    Number = 2,
    Space = 4,

    /// <summary>Carriage return and line feed, which are also <see cref="Space"/>.</summary>
    LineEnd = 8,

    /// <summary>Letters but upper and title case, and marks: what a word in lower case is made of.</summary>
    LowerPart = 16,

    /// <summary>Letters but lower case, and marks.</summary>
    UpperPart = 32,
    Mark = 64,

    /// <summary>Punctuation and symbols.</summary>
    Sign = 128,
}

/// <summary>The kind of each code point, from a table that fills itself a block at a time.</summary>
internal static class CharKinds
{
    private static readonly byte[]?[] Blocks = new byte[]?[0x110000 >> 8];

    /// <summary>The kinds of the 128 ASCII characters; beyond them, nothing.</summary>
    internal static readonly byte[] Ascii = Fill(0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static CharKind At(ReadOnlySpan<byte> text, int at, out int length)
    {
        byte b = text[at];
        if (b < 0x80)
        {
            length = 1;
            return (CharKind)Ascii[b];
        }

        return Of(Utf8.Decode(text, at, out length));
    }

    internal static CharKind Of(int codePoint) => (CharKind)(Blocks[codePoint >> 8] ?? Fill(codePoint >> 8))[codePoint & 255];

    private static byte[] Fill(int block)
    {
        byte[] row = new byte[256];
        for (int i = 0; i < 256; i++)
        {
            int c = (block << 8) + i;
            row[i] = (byte)(Unicode.IsWhiteSpace(c)
                ? CharKind.Space | (c is '\r' or '\n' ? CharKind.LineEnd : CharKind.None)
                : KindOf(Unicode.Category(c)));
        }

        Volatile.Write(ref Blocks[block], row);
        return row;
    }

    private static CharKind KindOf(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => CharKind.Letter | CharKind.UpperPart,
        UnicodeCategory.LowercaseLetter => CharKind.Letter | CharKind.LowerPart,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => CharKind.Letter | CharKind.UpperPart | CharKind.LowerPart,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark =>
            CharKind.Mark | CharKind.UpperPart | CharKind.LowerPart,
        >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber => CharKind.Number,
        >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherSymbol => CharKind.Sign,
        _ => CharKind.None,
    };
}
