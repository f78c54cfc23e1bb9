using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Python's <c>'%05.1f %s' % values</c>.</summary>
internal static class PercentFormat
{
    public static string Apply(string format, object? values)
    {
        StringBuilder text = new();
        IReadOnlyList<object?> items = values is PyTuple tuple ? tuple.Items : [values];
        int next = 0;
        bool named = false;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            object? Take() => named ? values : next < items.Count ? items[next++] : throw TemplateException.Type("not enough arguments for format string");
            object? value = null;
            bool has = false;
            i++;
            if (i < format.Length && format[i] == '(')
            {
                int close = format.IndexOf(')', i);
                if (close < 0)
                {
                    throw TemplateException.Value("incomplete format key");
                }

                string key = format[(i + 1)..close];
                value = values is not PyDict dict ? throw TemplateException.Type("format requires a mapping")
                    : dict.TryGet(key, out object? found) ? found : throw new TemplateException("KeyError", PyText.Repr(key));
                (has, named, i) = (true, true, close + 1);
            }

            FormatSpec spec = new();
            for (; i < format.Length && format[i] is '-' or '+' or ' ' or '0' or '#'; i++)
            {
                spec = format[i] switch
                {
                    '-' => spec with { Align = '<' },
                    '+' => spec with { Sign = '+' },
                    ' ' => spec.Sign == '+' ? spec : spec with { Sign = ' ' },
                    '0' => spec with { ZeroPad = true },
                    _ => spec with { Alternate = true },
                };
            }

            spec = spec with { Width = Number(format, ref i, Take) ?? 0 };
            if (i < format.Length && format[i] == '.')
            {
                i++;
                spec = spec with { Precision = Number(format, ref i, Take) ?? 0 };
            }

            while (i < format.Length && format[i] is 'l' or 'h' or 'L')
            {
                i++;
            }

            if (i >= format.Length)
            {
                throw TemplateException.Value("incomplete format");
            }

            char kind = format[i];
            if (kind == '%')
            {
                text.Append('%');
                continue;
            }

            text.Append(One(kind, has ? value : Take(), spec, i));
        }

        return next < items.Count && !named && values is not PyDict
            ? throw TemplateException.Type("not all arguments converted during string formatting")
            : PyOps.Sized(text.ToString());
    }

    private static int? Number(string format, ref int i, Func<object?> take)
    {
        if (i < format.Length && format[i] == '*')
        {
            i++;
            return (int)PyNumber.Long(take());
        }

        int start = i;
        while (i < format.Length && char.IsAsciiDigit(format[i]))
        {
            i++;
        }

        return i == start ? null : int.TryParse(format.AsSpan(start, i - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < 1_000_000
            ? number
            : throw TemplateException.Value("width too big");
    }

    private static string One(char kind, object? value, FormatSpec spec, int at)
    {
        switch (kind)
        {
            case 's' or 'r' or 'a':
                string text = kind == 's' ? PyText.Str(value) : kind == 'r' ? PyText.Repr(value) : StringFormat.Ascii(PyText.Repr(value));
                return (spec with { ZeroPad = false, Align = spec.Align ?? '>' }).Text(text);
            case 'c':
                string character = PyOps.Text(value) is { } s && PyOps.CodePoints(s) == 1 ? s
                    : PyNumber.IsInt(value) ? char.ConvertFromUtf32((int)PyNumber.Long(value))
                    : throw TemplateException.Type("%c requires an int or a unicode character, not " + PyType.Name(value));
                return (spec with { ZeroPad = false, Align = spec.Align ?? '>' }).Text(character);
            case 'd' or 'i' or 'u':
                return spec.Integer(
                    value is double d ? new BigInteger(Math.Truncate(d)) : PyNumber.IsInt(value) ? PyNumber.Big(value) : throw Real(kind, value), 'd');
            case 'x' or 'X' or 'o':
                return PyNumber.IsInt(value) ? spec.Integer(PyNumber.Big(value), kind)
                    : throw TemplateException.Type($"%{kind} format: an integer is required, not {PyType.Name(value)}");
            case 'f' or 'F' or 'e' or 'E' or 'g' or 'G':
                return PyNumber.IsNumber(value) ? spec.Float(PyNumber.Float(value), kind)
                    : throw TemplateException.Type($"must be real number, not {PyType.Name(value)}");
            default:
                throw TemplateException.Value(string.Create(
                    CultureInfo.InvariantCulture, $"unsupported format character '{kind}' (0x{(int)kind:x}) at index {at}"));
        }
    }

    private static TemplateException Real(char kind, object? value) =>
        value is PyUndefined undefined ? undefined.Error : TemplateException.Type($"%{kind} format: a real number is required, not {PyType.Name(value)}");
}
