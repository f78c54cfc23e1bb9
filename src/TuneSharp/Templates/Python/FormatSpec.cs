using System.Globalization;
using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>Width, sign and precision of a formatted value, as <c>str.format</c> and <c>%</c> share them.</summary>
internal sealed record FormatSpec
{
    public string Fill { get; init; } = " ";

    /// <summary>&lt;, &gt;, ^ or =; null for the type's own.</summary>
    public char? Align { get; init; }

    /// <summary>+, space, or zero for none.</summary>
    public char Sign { get; init; }

    public bool Alternate { get; init; }

    public bool ZeroPad { get; init; }

    public int Width { get; init; }

    /// <summary>The comma or underline between thousands; zero for none.</summary>
    public char Grouping { get; init; }

    public int? Precision { get; init; }

    /// <summary>Text, cut to the precision.</summary>
    public string Text(string text)
    {
        if (Precision is { } most && PyOps.CodePoints(text) > most)
        {
            text = string.Concat(text.EnumerateRunes().Take(most));
        }

        return Pad("", text, Align ?? '<');
    }

    /// <summary>An int: d, x, X, o, b.</summary>
    public string Integer(BigInteger value, char kind)
    {
        BigInteger size = BigInteger.Abs(value);
        string digits = kind switch
        {
            'd' => size.ToString(CultureInfo.InvariantCulture),
            'x' or 'X' => Radix(size, 16, kind == 'X'),
            'o' => Radix(size, 8, false),
            _ => Radix(size, 2, false),
        };
        if (Precision is { } least)
        {
            digits = digits.PadLeft(least, '0');
        }

        string prefix = Alternate && kind != 'd' ? "0" + kind : "";
        return Pad(SignOf(value.Sign < 0) + prefix, Grouped(digits, kind == 'd' ? 3 : 4), Align ?? '>');
    }

    /// <summary>A float: f, e, g, %, and n as g.</summary>
    public string Float(double value, char kind)
    {
        string body = double.IsFinite(value) ? Body(Math.Abs(value), kind) : double.IsNaN(value) ? "nan" : "inf";
        if (char.IsUpper(kind))
        {
            body = body.ToUpperInvariant();
        }

        int point = body.AsSpan().IndexOfAny('.', 'e', 'E');
        string whole = Grouped(point < 0 ? body : body[..point], 3);
        FormatSpec padded = double.IsFinite(value) ? this : this with { ZeroPad = false };
        return padded.Pad(SignOf(double.IsNegative(value) && !double.IsNaN(value)), whole + (point < 0 ? "" : body[point..]), Align ?? '>');
    }

    private string Body(double value, char kind)
    {
        int digits = Precision ?? 6;
        switch (char.ToLowerInvariant(kind))
        {
            case 'f': return PyNumber.Exact(value, digits) + (Alternate && digits == 0 ? "." : "");
            case '%': return PyNumber.Exact(value * 100, digits) + "%";
            case 'e': return Exponent(value, digits);
            default:
                int significant = Math.Max(1, digits);
                string scientific = Exponent(value, significant - 1);
                int power = int.Parse(scientific[(scientific.IndexOf('e', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
                if (power < -4 || power >= significant)
                {
                    int e = scientific.IndexOf('e', StringComparison.Ordinal);
                    return (Alternate ? scientific[..e] : Shorter(scientific[..e])) + scientific[e..];
                }

                string plain = PyNumber.Exact(value, significant - 1 - power);
                return Alternate ? plain : Shorter(plain);
        }
    }

    private static string Shorter(string text) => text.Contains('.', StringComparison.Ordinal) ? text.TrimEnd('0').TrimEnd('.') : text;

    private static string Exponent(double value, int digits)
    {
        string text = value.ToString("e" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        int e = text.IndexOf('e', StringComparison.Ordinal);
        int power = int.Parse(text[(e + 1)..], CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"{text[..e]}e{(power < 0 ? '-' : '+')}{Math.Abs(power):00}");
    }

    private static string Radix(BigInteger value, int radix, bool upper)
    {
        if (value.IsZero)
        {
            return "0";
        }

        List<char> digits = [];
        for (; !value.IsZero; value /= radix)
        {
            digits.Add((upper ? "0123456789ABCDEF" : "0123456789abcdef")[(int)(value % radix)]);
        }

        digits.Reverse();
        return string.Concat(digits);
    }

    private string SignOf(bool negative) => negative ? "-" : Sign == '\0' ? "" : Sign.ToString();

    private string Grouped(string digits, int size)
    {
        if (Grouping == '\0')
        {
            return digits;
        }

        for (int at = digits.Length - size; at > 0; at -= size)
        {
            digits = digits.Insert(at, Grouping.ToString());
        }

        return digits;
    }

    private string Pad(string sign, string body, char align)
    {
        int missing = Width - (int)PyOps.CodePoints(sign) - (int)PyOps.CodePoints(body);
        if (missing <= 0)
        {
            return sign + body;
        }

        if (align == '=' || (ZeroPad && Align is null))
        {
            string fill = ZeroPad && Align is null ? "0" : Fill;
            return sign + Filled(fill, missing) + body;
        }

        return align switch
        {
            '<' => sign + body + Filled(Fill, missing),
            '^' => Filled(Fill, missing / 2) + sign + body + Filled(Fill, missing - (missing / 2)),
            _ => Filled(Fill, missing) + sign + body,
        };
    }

    private static string Filled(string fill, int count) => string.Concat(Enumerable.Repeat(fill, count));
}
