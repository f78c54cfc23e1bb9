using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>How one value is formatted: Python's format specification.</summary>
internal sealed class FormatSpec
{
    public string Fill { get; set; } = " ";

    public char? Align { get; set; }

    public char Sign { get; set; } = '-';

    public bool Zero { get; set; }

    public bool Alternate { get; set; }

    public int Width { get; set; }

    public char? Grouping { get; set; }

    public int? Precision { get; set; }

    public char? Kind { get; set; }

    public void CheckSize() => Budget.Text(Math.Max(Width, (long)(Precision ?? 0)));

    /// <summary>Python's <c>format(value, spec)</c>.</summary>
    public static string Format(object? value, string text)
    {
        if (text.Length == 0)
        {
            return Repr.Str(value);
        }

        FormatSpec spec = Parse(text, value);
        spec.CheckSize();
        if (Operators.AsText(value) is { } s)
        {
            return spec.Text(s);
        }

        return Operators.AsNumber(value) switch
        {
            null => throw TemplateException.Type($"unsupported format string passed to {PyType.Name(value)}.__format__"),
            _ when value is bool && spec.Kind is null => spec.Text(Repr.Of(value)),
            BigInteger i when spec.Kind is null or 'd' or 'b' or 'o' or 'x' or 'X' or 'n' or 'c' => spec.Integer(i),
            { } number when spec.Kind is null or 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or 'n' or '%' => spec.Real(Operators.ToFloat(number)),
            _ => throw spec.Unknown(value),
        };
    }

    private static FormatSpec Parse(string text, object? value)
    {
        FormatSpec spec = new();
        int i = 0;
        int fill = CodePoints.Width(text, 0);
        if (text.Length > fill && "<>=^".Contains(text[fill], StringComparison.Ordinal))
        {
            spec.Fill = text[..fill];
            spec.Align = text[fill];
            i = fill + 1;
        }
        else if ("<>=^".Contains(text[0], StringComparison.Ordinal))
        {
            spec.Align = text[0];
            i = 1;
        }

        if (i < text.Length && text[i] is '+' or '-' or ' ')
        {
            spec.Sign = text[i++];
        }

        if (i < text.Length && text[i] == 'z')
        {
            i++;
        }

        if (i < text.Length && text[i] == '#')
        {
            spec.Alternate = true;
            i++;
        }

        if (i < text.Length && text[i] == '0')
        {
            spec.Zero = spec.Align is null;
            i++;
        }

        spec.Width = Number(text, ref i) ?? 0;
        if (i < text.Length && text[i] is ',' or '_')
        {
            spec.Grouping = text[i++];
        }

        if (i < text.Length && text[i] == '.')
        {
            i++;
            spec.Precision = Number(text, ref i) ?? throw TemplateException.Value("Format specifier missing precision");
        }

        if (i < text.Length)
        {
            spec.Kind = text[i++];
        }

        return i == text.Length ? spec : throw TemplateException.Value($"Invalid format specifier '{text}' for object of type '{PyType.Name(value)}'");
    }

    private static int? Number(string text, ref int i)
    {
        int start = i;
        while (i < text.Length && char.IsAsciiDigit(text[i]))
        {
            i++;
        }

        return i == start ? null : int.TryParse(text[start..i], NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n
            : throw TemplateException.Value("Too many decimal digits in format string");
    }

    private TemplateException Unknown(object? value) =>
        TemplateException.Value($"Unknown format code '{Kind}' for object of type '{PyType.Name(value)}'");

    private string Text(string text)
    {
        if (Kind is not (null or 's'))
        {
            throw Unknown("");
        }

        if (Align == '=')
        {
            throw TemplateException.Value("'=' alignment not allowed in string format specifier");
        }

        if (Precision is { } longest && CodePoints.Count(text) > longest)
        {
            text = CodePoints.Slice(text, 0, 1, longest);
        }

        return Aligned(text, Align ?? '<', Zero ? "0" : Fill);
    }

    private string Integer(BigInteger value)
    {
        if (Precision is not null)
        {
            throw TemplateException.Value("Precision not allowed in integer format specifier");
        }

        if (Kind == 'c')
        {
            return Aligned(CodePoints.FromValue((int)value), Align ?? '<', Fill);
        }

        string digits = Kind is 'b' or 'o' or 'x' or 'X' ? InBase(BigInteger.Abs(value), Kind.Value) : Numbers.Text(BigInteger.Abs(value));
        string prefix = Alternate && Kind is 'b' or 'o' or 'x' or 'X' ? "0" + Kind : "";
        prefix = Alternate ? prefix : "";
        return Number(value.Sign < 0, prefix, Grouped(digits, Kind is 'b' or 'o' or 'x' or 'X' ? 4 : 3));
    }

    private string Real(double value)
    {
        string body = Kind == '%' ? Unsigned(value * 100, 'f') + "%"
            : Kind is null ? (Precision is null ? Numbers.Repr(Math.Abs(value)) : Plain(value))
            : Unsigned(value, Kind.Value);
        int whole = body.TakeWhile(char.IsAsciiDigit).Count();
        return Number(double.IsNegative(value) && !double.IsNaN(value), "", Grouped(body[..whole], 3) + body[whole..]);
    }

    /// <summary>No code but a precision: like <c>g</c>, with at least one digit after the point.</summary>
    private string Plain(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : "inf";
        }

        string text = Numbers.General(value, Precision!.Value, keepZeros: false, switchAt: Math.Max(Precision.Value, 1));
        return text.All(char.IsAsciiDigit) ? text + ".0" : text;
    }

    /// <summary>As <c>%</c> formats a float, sign included.</summary>
    public string Float(double value, char kind) => Signed(double.IsNegative(value) && !double.IsNaN(value), Unsigned(value, kind));

    private string Unsigned(double value, char kind)
    {
        if (!double.IsFinite(value))
        {
            string special = double.IsNaN(value) ? "nan" : "inf";
            return char.IsUpper(kind) ? special.ToUpperInvariant() : special;
        }

        int places = Precision ?? 6;
        string text = char.ToLowerInvariant(kind) switch
        {
            'f' => Numbers.Fixed(value, places),
            'e' => Numbers.Exponential(value, places),
            _ => Numbers.General(value, places, keepZeros: Alternate, switchAt: Math.Max(places, 1)),
        };
        return char.IsUpper(kind) ? text.ToUpperInvariant() : text;
    }

    public string Signed(bool negative, string digits) => (negative ? "-" : Sign == '-' ? "" : Sign.ToString()) + digits;

    private string Number(bool negative, string prefix, string digits)
    {
        string sign = Signed(negative, prefix);
        int missing = Width - sign.Length - digits.Length;
        if (missing > 0 && (Zero || Align == '='))
        {
            string fill = Zero ? "0" : Fill;
            return sign + (Zero && Grouping is { } mark ? GroupedZeros(digits, Width - sign.Length, mark) : string.Concat(Enumerable.Repeat(fill, missing)) + digits);
        }

        return Aligned(sign + digits, Align ?? '>', Fill);
    }

    private static string GroupedZeros(string digits, int width, char mark)
    {
        string whole = new([.. digits.TakeWhile(c => char.IsAsciiDigit(c) || c == mark)]);
        string rest = digits[whole.Length..];
        string plain = whole.Replace(mark.ToString(), "", StringComparison.Ordinal);
        string grouped = whole;
        while (grouped.Length + rest.Length < width)
        {
            plain = "0" + plain;
            grouped = Grouped(plain, 3, mark);
        }

        return grouped + rest;
    }

    private string Grouped(string digits, int size) => Grouping is { } mark ? Grouped(digits, size, mark) : digits;

    private static string Grouped(string digits, int size, char mark)
    {
        StringBuilder result = new();
        for (int i = 0; i < digits.Length; i++)
        {
            if (i > 0 && (digits.Length - i) % size == 0)
            {
                result.Append(mark);
            }

            result.Append(digits[i]);
        }

        return result.ToString();
    }

    private string Aligned(string text, char align, string fill)
    {
        int missing = Width - CodePoints.Count(text);
        if (missing <= 0)
        {
            return text;
        }

        int left = align switch { '<' => 0, '^' => missing / 2, _ => missing };
        return string.Concat(Enumerable.Repeat(fill, left)) + text + string.Concat(Enumerable.Repeat(fill, missing - left));
    }

    public static string InBase(BigInteger value, char kind)
    {
        if (value.IsZero)
        {
            return "0";
        }

        int shift = kind switch { 'b' => 1, 'o' => 3, _ => 4 };
        StringBuilder result = new();
        for (; !value.IsZero; value >>= shift)
        {
            result.Insert(0, "0123456789abcdef"[(int)(value & ((1 << shift) - 1))]);
        }

        return kind == 'X' ? result.ToString().ToUpperInvariant() : result.ToString();
    }

    /// <summary>Zeros between a number's sign or prefix and its digits.</summary>
    public static string ZeroFilled(string number, int width)
    {
        int sign = number.Length > 0 && number[0] is '-' or '+' or ' ' ? 1 : 0;
        if (number.Length > sign + 1 && number[sign] == '0' && number[sign + 1] is 'x' or 'X' or 'o')
        {
            sign += 2;
        }

        return number[..sign] + new string('0', Math.Max(0, width - number.Length)) + number[sign..];
    }

    public static string Ascii(string text)
    {
        StringBuilder result = new();
        for (int i = 0; i < text.Length; i += CodePoints.Width(text, i))
        {
            int c = CodePoints.ValueAt(text, i);
            result.Append(c < 128 ? ((char)c).ToString()
                : string.Create(CultureInfo.InvariantCulture, $"{(c <= 0xFF ? $"\\x{c:x2}" : c <= 0xFFFF ? $"\\u{c:x4}" : $"\\U{c:x8}")}"));
        }

        return result.ToString();
    }
}
