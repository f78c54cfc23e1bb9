using System.Globalization;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Escapes in a text literal.</summary>
internal static class Escapes
{
    /// <summary>Decodes the inside of a literal.</summary>
    /// <exception cref="FormatException">An escape is cut short or means no character.</exception>
    public static string Decode(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        StringBuilder result = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\' || i + 1 == text.Length)
            {
                result.Append(text[i]);
                continue;
            }

            char c = text[++i];
            switch (c)
            {
                case '\n':
                    break; // an escaped line break is none
                case '\\' or '\'' or '"':
                    result.Append(c);
                    break;
                case 'a' or 'b' or 'f' or 'n' or 'r' or 't' or 'v':
                    result.Append("\a\b\f\n\r\t\v"["abfnrtv".IndexOf(c, StringComparison.Ordinal)]);
                    break;
                case >= '0' and <= '7':
                    int octal = 0;
                    int end = Math.Min(i + 3, text.Length);
                    for (; i < end && text[i] is >= '0' and <= '7'; i++)
                    {
                        octal = (octal * 8) + text[i] - '0';
                    }

                    i--;
                    result.Append((char)octal);
                    break;
                case 'x' or 'u' or 'U':
                    int digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
                    string mark = c == 'x' ? "\\xXX" : c == 'u' ? "\\uXXXX" : "\\UXXXXXXXX";
                    if (i + digits >= text.Length
                        || !int.TryParse(text.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int point))
                    {
                        throw new FormatException($"truncated {mark} escape");
                    }

                    if (point is < 0 or > 0x10FFFF)
                    {
                        throw new FormatException("illegal Unicode character");
                    }

                    result.Append(CodePoints.FromValue(point));
                    i += digits;
                    break;
                case 'N':
                    throw new FormatException(i + 1 < text.Length && text[i + 1] == '{' ? "unknown Unicode character name" : "malformed \\N character escape");
                case > '\x7f':
                    // Jinja2 writes other letters as escapes first, so the backslash before one escapes that escape.
                    int value = CodePoints.ValueAt(text, i);
                    result.Append('\\').Append(FormatSpec.Ascii(CodePoints.FromValue(value)).AsSpan(1));
                    i += CodePoints.Width(text, i) - 1;
                    break;
                default:
                    result.Append('\\').Append(c);
                    break;
            }
        }

        return result.ToString();
    }
}
