using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>How Python writes values: <c>str()</c>, <c>repr()</c>, and its idea of white space.</summary>
internal static class PyText
{
    /// <summary>What Python's <c>str.isspace</c> accepts.</summary>
    private const string Spaces =
        "\t\n\v\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

    public static SearchValues<char> WhiteSpace { get; } = SearchValues.Create(Spaces);

    public static bool IsSpace(char c) => WhiteSpace.Contains(c);

    public static string TrimEnd(string text)
    {
        int end = text.AsSpan().LastIndexOfAnyExcept(WhiteSpace);
        return text[..(end + 1)];
    }

    public static string TrimStart(string text)
    {
        int start = text.AsSpan().IndexOfAnyExcept(WhiteSpace);
        return start < 0 ? "" : text[start..];
    }

    public static string Trim(string text) => TrimStart(TrimEnd(text));

    /// <summary>str(value).</summary>
    public static string Str(object? value) => value switch
    {
        string s => s,
        PyMarkup m => m.Text,
        PyUndefined => "",
        _ => Repr(value),
    };

    /// <summary>repr(value).</summary>
    public static string Repr(object? value)
    {
        StringBuilder text = new();
        Repr(value, text, 0);
        return text.ToString();
    }

    /// <summary>A float as Python writes it: the fewest digits that give it back, an exponent from 1e16 on and under 1e-4.</summary>
    public static string Float(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        (string digits, int exponent) = Digits(value.ToString("R", CultureInfo.InvariantCulture));
        string sign = double.IsNegative(value) ? "-" : "";
        if (value == 0)
        {
            return sign + "0.0";
        }

        if (exponent is < -4 or >= 16)
        {
            string mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
            return string.Create(CultureInfo.InvariantCulture, $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        }

        return sign + (exponent < 0 ? "0." + new string('0', -exponent - 1) + digits
            : digits.Length <= exponent + 1 ? digits.PadRight(exponent + 1, '0') + ".0"
            : $"{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}");
    }

    /// <summary>Significant digits and the power of ten of the first.</summary>
    private static (string Digits, int Exponent) Digits(string shortest)
    {
        string text = shortest.TrimStart('-');
        int e = text.IndexOf('E', StringComparison.Ordinal);
        int exponent = e < 0 ? 0 : int.Parse(text[(e + 1)..], CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? text : text[..e];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        int whole = point < 0 ? mantissa.Length : point;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int zeros = digits.Length - digits.TrimStart('0').Length;
        digits = digits.Trim('0');
        return (digits.Length == 0 ? "0" : digits, exponent + whole - 1 - zeros);
    }

    private static void Repr(object? value, StringBuilder to, int depth)
    {
        if (depth > 200)
        {
            throw new TemplateException("RecursionError", "maximum recursion depth exceeded");
        }

        switch (value)
        {
            case null: to.Append("None"); break;
            case bool b: to.Append(b ? "True" : "False"); break;
            case long n: to.Append(n.ToString(CultureInfo.InvariantCulture)); break;
            case BigInteger n: to.Append(n.ToString(CultureInfo.InvariantCulture)); break;
            case double d: to.Append(Float(d)); break;
            case string s: Quote(s, to); break;
            case PyMarkup m: Quote(m.Text, to.Append("Markup(")); to.Append(')'); break;
            case PyUndefined: to.Append("Undefined"); break;
            case PyList list: Items(list.Items, "[", "]", to, depth); break;
            case PyTuple tuple: Items(tuple.Items, "(", tuple.Items.Count == 1 ? ",)" : ")", to, depth); break;
            case PyView view: Items(view.Items, $"dict_{view.Kind}([", "])", to, depth); break;
            case PyDict dict: Dict(dict, to, depth); break;
            case PyRange range:
                to.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}");
                to.Append(range.Step == 1 ? ")" : string.Create(CultureInfo.InvariantCulture, $", {range.Step})"));
                break;
            case PyNamespace space:
                PyDict values = new();
                foreach ((string name, object? held) in space.Values)
                {
                    values.Set(name, held);
                }

                Dict(values, to.Append("<Namespace "), depth);
                to.Append('>');
                break;
            default: to.Append(CultureInfo.InvariantCulture, $"<{PyType.Name(value)} object>"); break;
        }
    }

    private static void Items(IReadOnlyList<object?> items, string open, string close, StringBuilder to, int depth)
    {
        to.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            Repr(items[i], i == 0 ? to : to.Append(", "), depth + 1);
        }

        to.Append(close);
    }

    private static void Dict(PyDict dict, StringBuilder to, int depth)
    {
        to.Append('{');
        for (int i = 0; i < dict.Items.Count; i++)
        {
            Repr(dict.Items[i].Key, i == 0 ? to : to.Append(", "), depth + 1);
            Repr(dict.Items[i].Value, to.Append(": "), depth + 1);
        }

        to.Append('}');
    }

    /// <summary>Single quotes, unless only those occur; what cannot be printed as an escape.</summary>
    private static void Quote(string text, StringBuilder to)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        to.Append(quote);
        foreach (Rune rune in text.EnumerateRunes())
        {
            int c = rune.Value;
            switch (c)
            {
                case '\\': to.Append("\\\\"); break;
                case '\n': to.Append("\\n"); break;
                case '\r': to.Append("\\r"); break;
                case '\t': to.Append("\\t"); break;
                default:
                    if (c == quote)
                    {
                        to.Append('\\').Append(quote);
                    }
                    else if (IsPrintable(rune))
                    {
                        to.Append(rune.ToString());
                    }
                    else
                    {
                        to.Append(string.Create(CultureInfo.InvariantCulture, $"\\{(c < 0x100 ? 'x' : c < 0x10000 ? 'u' : 'U')}"))
                            .Append(c.ToString(c < 0x100 ? "x2" : c < 0x10000 ? "x4" : "x8", CultureInfo.InvariantCulture));
                    }

                    break;
            }
        }

        to.Append(quote);
    }

    /// <summary>Python's <c>str.isprintable</c> of one character.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
