using System.Globalization;
using System.Runtime.CompilerServices;

namespace TuneSharp.Tokenizers;

/// <summary>Questions about code points, answered from a table that fills itself a block at a time.</summary>
internal static class Unicode
{
    private const int BlockSize = 256;
    private static readonly byte[]?[] Blocks = new byte[]?[0x110000 / BlockSize];

    /// <summary>The general category; an unassigned code point is OtherNotAssigned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static UnicodeCategory Category(int codePoint) =>
        (UnicodeCategory)(Blocks[codePoint >> 8] ?? Fill(codePoint >> 8))[codePoint & 255];

    /// <summary>\p{L}: a letter of any kind.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsLetter(int codePoint) => Category(codePoint) <= UnicodeCategory.OtherLetter;

    /// <summary>\p{N}: decimal digits, letter numbers and other numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsNumber(int codePoint) =>
        Category(codePoint) is >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber;

    /// <summary>\p{M}: combining marks.</summary>
    internal static bool IsMark(int codePoint) =>
        Category(codePoint) is >= UnicodeCategory.NonSpacingMark and <= UnicodeCategory.EnclosingMark;

    /// <summary>\p{P}: punctuation of any kind.</summary>
    internal static bool IsPunctuation(int codePoint) =>
        Category(codePoint) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    /// <summary>\p{S}: symbols of any kind.</summary>
    internal static bool IsSymbol(int codePoint) =>
        Category(codePoint) is >= UnicodeCategory.MathSymbol and <= UnicodeCategory.OtherSymbol;

    /// <summary>The property White_Space, which is \s: U+0085 is in it, U+001C to U+001F are not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsWhiteSpace(int codePoint) => codePoint < 128
        ? codePoint == ' ' || (uint)(codePoint - 9) <= 4
        : codePoint is 0x85 or 0xA0 or 0x1680 or (>= 0x2000 and <= 0x200A) or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000;

    /// <summary>\w: letters, marks, decimal digits and connecting punctuation.</summary>
    internal static bool IsWord(int codePoint) => Category(codePoint) is <= UnicodeCategory.OtherLetter
        or (>= UnicodeCategory.NonSpacingMark and <= UnicodeCategory.EnclosingMark)
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation;

    /// <summary>\w as Rust's regex crate has it: also other alphabetic characters and the two joiners.</summary>
    internal static bool IsRustWord(int codePoint) => IsWord(codePoint)
        || Category(codePoint) == UnicodeCategory.LetterNumber
        || codePoint is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    /// <summary>Punctuation as BERT has it: also the ASCII characters that Unicode counts as symbols.</summary>
    internal static bool IsBertPunctuation(int codePoint) => codePoint < 128
        ? codePoint is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~')
        : IsPunctuation(codePoint);

    /// <summary>A code point as case-blind comparison sees it.</summary>
    internal static int Fold(int codePoint) => codePoint switch
    {
        < 128 => codePoint is >= 'A' and <= 'Z' ? codePoint + 32 : codePoint,
        0x17F => 's',
        0x1E9E => 0xDF,
        >= 0xD800 and < 0xE000 => codePoint,
        _ => System.Text.Rune.ToLowerInvariant(new System.Text.Rune(codePoint)).Value,
    };

    private static byte[] Fill(int block)
    {
        byte[] row = new byte[BlockSize];
        for (int i = 0; i < BlockSize; i++)
        {
            row[i] = (byte)CharUnicodeInfo.GetUnicodeCategory((block * BlockSize) + i);
        }

        Volatile.Write(ref Blocks[block], row);
        return row;
    }
}
