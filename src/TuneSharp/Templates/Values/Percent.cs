using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Python's <c>text % values</c>.</summary>
internal static class Percent
{
    public static string Format(string format, object? values, bool escape)
    {
        object?[] list = values is PyTuple t ? t.Items : [values];
        int next = 0;
        bool keyed = false;
        StringBuilder result = new();
        for (int i = 0; i < format.Length;)
        {
            int mark = format.IndexOf('%', i);
            if (mark < 0)
            {
                result.Append(format, i, format.Length - i);
                break;
            }

            result.Append(format, i, mark - i);
            i = mark + 1;
            object? Next() => next < list.Length ? list[next++] : throw TemplateException.Type("not enough arguments for format string");
            object? keyedValue = null;
            bool hasKey = false;
            if (i < format.Length && format[i] == '(')
            {
                string key = Key(format, ref i);
                if (values is not PyDict dict)
                {
                    throw TemplateException.Type("format requires a mapping");
                }

                keyedValue = dict.TryGet(key, out object? found) ? found : throw new TemplateException("KeyError", Repr.Of(key));
                hasKey = keyed = true;
            }

            string flags = Take(format, ref i, "#0- +");
            FormatSpec spec = new() { Zero = flags.Contains('0', StringComparison.Ordinal), Alternate = flags.Contains('#', StringComparison.Ordinal) };
            spec.Sign = flags.Contains('+', StringComparison.Ordinal) ? '+' : flags.Contains(' ', StringComparison.Ordinal) ? ' ' : '-';
            bool left = flags.Contains('-', StringComparison.Ordinal);
            spec.Width = Number(format, ref i, Next) ?? 0;
            if (spec.Width < 0)
            {
                left = true;
                spec.Width = -spec.Width;
            }

            if (i < format.Length && format[i] == '.')
            {
                i++;
                spec.Precision = Math.Max(0, Number(format, ref i, Next) ?? 0);
            }

            Take(format, ref i, "hlL");
            if (i >= format.Length)
            {
                throw TemplateException.Value("incomplete format");
            }

            char kind = format[i++];
            if (kind == '%')
            {
                result.Append('%');
                continue;
            }

            spec.CheckSize();
            object? value = hasKey ? keyedValue : Next();
            string body = One(kind, value, spec, i - 1);
            if (escape && kind is 's' or 'r' or 'a' && value is not Markup)
            {
                body = escape ? Markup.Escape(body).Text : body;
            }

            int missing = spec.Width - CodePoints.Count(body);
            Budget.Text(result.Length + (long)body.Length + Math.Max(0, missing));
            result.Append(missing <= 0 ? body : left ? body + new string(' ', missing)
                : spec.Zero && kind is not ('s' or 'r' or 'a' or 'c') ? FormatSpec.ZeroFilled(body, spec.Width) : new string(' ', missing) + body);
        }

        return keyed || next >= list.Length || values is PyDict
            ? result.ToString()
            : throw TemplateException.Type("not all arguments converted during string formatting");
    }

    private static string Key(string format, ref int i)
    {
        int depth = 1;
        int start = ++i;
        for (; i < format.Length && depth > 0; i++)
        {
            depth += format[i] == '(' ? 1 : format[i] == ')' ? -1 : 0;
        }

        return depth == 0 ? format[start..(i - 1)] : throw TemplateException.Value("incomplete format key");
    }

    private static string Take(string format, ref int i, string among)
    {
        int start = i;
        while (i < format.Length && among.Contains(format[i], StringComparison.Ordinal))
        {
            i++;
        }

        return format[start..i];
    }

    private static int? Number(string format, ref int i, Func<object?> next)
    {
        if (i < format.Length && format[i] == '*')
        {
            i++;
            return Operators.AsNumber(next()) is BigInteger star && BigInteger.Abs(star) <= int.MaxValue
                ? (int)star
                : throw TemplateException.Type("* wants int");
        }

        string digits = Take(format, ref i, "0123456789");
        return digits.Length == 0 ? null
            : int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : throw TemplateException.Value("width too big");
    }

    private static string One(char kind, object? value, FormatSpec spec, int at)
    {
        switch (kind)
        {
            case 's' or 'r' or 'a':
                string text = kind == 's' ? Repr.Str(value) : kind == 'r' ? Repr.Of(value) : FormatSpec.Ascii(Repr.Of(value));
                return spec.Precision is { } longest && CodePoints.Count(text) > longest ? CodePoints.Slice(text, 0, 1, longest) : text;
            case 'c':
                return Operators.AsText(value) is { } s && CodePoints.Count(s) == 1 ? s
                    : Operators.AsNumber(value) is BigInteger point && point >= 0 && point <= 0x10FFFF ? CodePoints.FromValue((int)point)
                    : throw TemplateException.Type("%c requires int or char");
            case 'd' or 'i' or 'u':
                BigInteger whole = Operators.AsNumber(value) switch
                {
                    BigInteger n => n,
                    double d when double.IsFinite(d) => new BigInteger(d),
                    double => throw TemplateException.TooMuch("cannot convert float infinity to integer"),
                    _ => throw TemplateException.Type($"%{kind} format: a real number is required, not {PyType.Name(value)}"),
                };
                return spec.Signed(whole.Sign < 0, Digits(Numbers.Text(BigInteger.Abs(whole)), spec.Precision));
            case 'x' or 'X' or 'o':
                BigInteger bits = Operators.AsNumber(value) is BigInteger b ? b
                    : throw TemplateException.Type($"%{kind} format: an integer is required, not {PyType.Name(value)}");
                string digits = Digits(FormatSpec.InBase(BigInteger.Abs(bits), kind), spec.Precision);
                return spec.Signed(bits.Sign < 0, spec.Alternate ? "0" + kind + digits : digits);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                object number = Operators.AsNumber(value) ?? throw TemplateException.Type($"must be real number, not {PyType.Name(value)}");
                return spec.Float(Operators.ToFloat(number), kind);
            default:
                throw TemplateException.Value(string.Create(
                    CultureInfo.InvariantCulture, $"unsupported format character '{kind}' (0x{(int)kind:x}) at index {at}"));
        }
    }

    private static string Digits(string digits, int? atLeast) => digits.PadLeft(atLeast ?? 0, '0');
}
