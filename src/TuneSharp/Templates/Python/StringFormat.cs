using System.Globalization;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Python's <c>str.format</c>, with the sandbox's view of attributes.</summary>
internal static class StringFormat
{
    public static string Apply(string format, CallArguments arguments)
    {
        StringBuilder text = new();
        int next = 0;
        Format(format, arguments, text, ref next, depth: 2);
        return PyOps.Sized(text.ToString());
    }

    /// <summary>format(value, spec).</summary>
    public static string Value(object? value, string spec)
    {
        if (spec.Length == 0)
        {
            return PyText.Str(value);
        }

        (FormatSpec parsed, char kind) = Parse(spec, value);
        if (PyOps.Text(value) is { } text)
        {
            return kind is '\0' or 's' && parsed.Align != '=' ? (parsed.ZeroPad && parsed.Align is null ? parsed with { Fill = "0", ZeroPad = false } : parsed).Text(text)
                : throw Unknown(kind, value);
        }

        if (value is double d || (PyNumber.IsInt(value) && kind is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%'))
        {
            double number = PyNumber.Float(value);
            return kind switch
            {
                '\0' when parsed.Precision is null => Shortest(number, parsed),
                '\0' or 'n' => parsed.Float(number, 'g'),
                'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%' => parsed.Float(number, kind),
                _ => throw Unknown(kind, value),
            };
        }

        if (PyNumber.IsInt(value))
        {
            return kind switch
            {
                '\0' when value is bool => (parsed with { Align = parsed.Align ?? '<' }).Text(PyText.Str(value)),
                '\0' or 'd' or 'n' => parsed.Integer(PyNumber.Big(value), 'd'),
                'x' or 'X' or 'o' or 'b' => parsed.Integer(PyNumber.Big(value), kind),
                'c' => (parsed with { Align = parsed.Align ?? '<' }).Text(char.ConvertFromUtf32((int)PyNumber.Long(value))),
                _ => throw Unknown(kind, value),
            };
        }

        throw value is PyUndefined undefined ? undefined.Error : TemplateException.Type($"unsupported format string passed to {PyType.Name(value)}.__format__");
    }

    /// <summary>ascii(): characters beyond ASCII as escapes.</summary>
    public static string Ascii(string text) => string.Concat(text.EnumerateRunes().Select(r => r.IsAscii ? r.ToString()
        : r.Value < 0x100 ? r.Value.ToString("x2", CultureInfo.InvariantCulture).Insert(0, "\\x")
        : r.Value < 0x10000 ? r.Value.ToString("x4", CultureInfo.InvariantCulture).Insert(0, "\\u")
        : r.Value.ToString("x8", CultureInfo.InvariantCulture).Insert(0, "\\U")));

    private static string Shortest(double number, FormatSpec spec)
    {
        string text = PyText.Float(Math.Abs(number));
        string sign = double.IsNegative(number) ? "-" : spec.Sign == '\0' ? "" : spec.Sign.ToString();
        FormatSpec plain = spec with { Align = spec.Align ?? '>', Precision = null };
        if (spec.ZeroPad && spec.Align is null && spec.Width > sign.Length + text.Length)
        {
            return sign + text.PadLeft(spec.Width - sign.Length, '0');
        }

        return plain.Text(sign + text);
    }

    private static TemplateException Unknown(char kind, object? value) =>
        TemplateException.Value($"Unknown format code '{kind}' for object of type '{PyType.Name(value)}'");

    private static (FormatSpec Spec, char Kind) Parse(string spec, object? value)
    {
        FormatSpec result = new();
        Rune[] runes = [.. spec.EnumerateRunes()];
        int i = 0;
        bool IsAlign(int at) => at < runes.Length && runes[at].Value is '<' or '>' or '^' or '=';
        if (IsAlign(1))
        {
            result = result with { Fill = runes[0].ToString(), Align = (char)runes[1].Value };
            i = 2;
        }
        else if (IsAlign(0))
        {
            result = result with { Align = (char)runes[0].Value };
            i = 1;
        }

        char At() => i < runes.Length && runes[i].IsBmp ? (char)runes[i].Value : '\0';
        if (At() is '+' or '-' or ' ')
        {
            result = result with { Sign = At() == '-' ? '\0' : At() };
            i++;
        }

        if (At() == '#')
        {
            result = result with { Alternate = true };
            i++;
        }

        if (At() == '0')
        {
            result = result with { ZeroPad = true };
            i++;
        }

        int Number()
        {
            int number = 0;
            for (; char.IsAsciiDigit(At()); i++)
            {
                number = (number * 10) + At() - '0';
                if (number > 1_000_000)
                {
                    throw TemplateException.Value("Too many decimal digits in format string");
                }
            }

            return number;
        }

        result = result with { Width = Number() };
        if (At() is ',' or '_')
        {
            result = result with { Grouping = At() };
            i++;
        }

        if (At() == '.')
        {
            i++;
            result = char.IsAsciiDigit(At()) ? result with { Precision = Number() } : throw TemplateException.Value("Format specifier missing precision");
        }

        char kind = At();
        return i + (kind == '\0' ? 0 : 1) == runes.Length ? (result, kind)
            : throw TemplateException.Value($"Invalid format specifier '{spec}' for object of type '{PyType.Name(value)}'");
    }

    private static void Format(string format, CallArguments arguments, StringBuilder text, ref int next, int depth)
    {
        if (depth < 0)
        {
            throw TemplateException.Value("Max string recursion exceeded");
        }

        for (int i = 0; i < format.Length; i++)
        {
            char c = format[i];
            if (c is '{' or '}' && i + 1 < format.Length && format[i + 1] == c)
            {
                text.Append(c);
                i++;
            }
            else if (c == '}')
            {
                throw TemplateException.Value("Single '}' encountered in format string");
            }
            else if (c == '{')
            {
                int end = Close(format, i);
                Field(format[(i + 1)..end], arguments, text, ref next, depth);
                i = end;
            }
            else
            {
                text.Append(c);
            }
        }
    }

    private static int Close(string format, int open)
    {
        int depth = 0;
        for (int i = open; i < format.Length; i++)
        {
            depth += format[i] == '{' ? 1 : format[i] == '}' ? -1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        throw TemplateException.Value(open == format.Length - 1 ? "Single '{' encountered in format string" : "expected '}' before end of string");
    }

    private static void Field(string field, CallArguments arguments, StringBuilder text, ref int next, int depth)
    {
        int at = field.AsSpan().IndexOfAny('!', ':');
        string name = at < 0 ? field : field[..at];
        char conversion = '\0';
        string spec = "";
        if (at >= 0 && field[at] == '!')
        {
            conversion = at + 1 < field.Length ? field[at + 1] : throw TemplateException.Value("unmatched '{' in format spec");
            at += 2;
        }

        if (at >= 0 && at < field.Length && field[at] == ':')
        {
            StringBuilder inner = new();
            object? value = Resolve(name, arguments, ref next);
            Format(field[(at + 1)..], arguments, inner, ref next, depth - 1);
            spec = inner.ToString();
            text.Append(Value(Converted(value, conversion), spec));
            return;
        }

        text.Append(Value(Converted(Resolve(name, arguments, ref next), conversion), spec));
    }

    private static object? Converted(object? value, char conversion) => conversion switch
    {
        '\0' => value,
        's' => PyText.Str(value),
        'r' => PyText.Repr(value),
        'a' => Ascii(PyText.Repr(value)),
        _ => throw TemplateException.Value($"Unknown conversion specifier {conversion}"),
    };

    private static object? Resolve(string name, CallArguments arguments, ref int next)
    {
        int end = name.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? name : name[..end];
        object? value;
        if (first.Length == 0)
        {
            value = Positional(arguments, next++);
        }
        else if (int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
        {
            value = Positional(arguments, index);
        }
        else
        {
            value = arguments.Named.Any(n => n.Key == first) ? arguments.NamedOr(first, null) : throw new TemplateException("KeyError", PyText.Repr(first));
        }

        for (int i = first.Length; i < name.Length;)
        {
            bool attribute = name[i] == '.';
            int stop = attribute ? name.AsSpan(i + 1).IndexOfAny('.', '[') : name.AsSpan(i + 1).IndexOf(']');
            string part = stop < 0 ? name[(i + 1)..] : name[(i + 1)..(i + 1 + stop)];
            object key = !attribute && long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : part;
            value = attribute ? PyAttributes.Attribute(value, part) : PyAttributes.Item(value, key);
            i = stop < 0 ? name.Length : i + 1 + stop + (attribute ? 0 : 1);
        }

        return value;
    }

    private static object? Positional(CallArguments arguments, int index) => index < arguments.Positional.Count
        ? arguments.Positional[index]
        : throw new TemplateException("IndexError", string.Create(
            CultureInfo.InvariantCulture, $"Replacement index {index} out of range for positional args tuple"));
}
