using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Python's <c>str.format</c>, which reaches members only as the sandbox allows.</summary>
internal static class BraceFormat
{
    public static string Format(string format, IReadOnlyList<object?> positional, PyDict named, bool escape)
    {
        int automatic = 0;
        return Expand(format, positional, named, escape, ref automatic, 2);
    }

    private static string Expand(
        string format, IReadOnlyList<object?> positional, PyDict named, bool escape, ref int automatic, int depth)
    {
        if (depth < 0)
        {
            throw TemplateException.Value("Max string recursion exceeded");
        }

        StringBuilder result = new();
        for (int i = 0; i < format.Length; i++)
        {
            char c = format[i];
            if (c is '{' or '}' && i + 1 < format.Length && format[i + 1] == c)
            {
                result.Append(c);
                i++;
            }
            else if (c == '}')
            {
                throw TemplateException.Value("Single '}' encountered in format string");
            }
            else if (c == '{')
            {
                int end = End(format, i + 1);
                string piece = Field(format[(i + 1)..end], positional, named, escape, ref automatic, depth);
                Budget.Text(result.Length + (long)piece.Length);
                result.Append(piece);
                i = end;
            }
            else
            {
                result.Append(c);
            }
        }

        return result.ToString();
    }

    private static int End(string format, int start)
    {
        int depth = 1;
        bool bracket = false;
        for (int i = start; i < format.Length; i++)
        {
            bracket = format[i] == '[' || (bracket && format[i] != ']');
            depth += bracket ? 0 : format[i] == '{' ? 1 : format[i] == '}' ? -1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        throw TemplateException.Value(start == format.Length ? "Single '{' encountered in format string" : "expected '}' before end of string");
    }

    private static string Field(
        string field, IReadOnlyList<object?> positional, PyDict named, bool escape, ref int automatic, int depth)
    {
        int split = 0;
        bool bracket = false;
        while (split < field.Length && (bracket || field[split] is not ('!' or ':')))
        {
            bracket = field[split] == '[' || (bracket && field[split] != ']');
            split++;
        }

        string name = field[..split];
        char? conversion = null;
        if (split < field.Length && field[split] == '!')
        {
            conversion = split + 1 < field.Length ? field[split + 1] : throw TemplateException.Value("end of string while looking for conversion specifier");
            split += 2;
            if (split < field.Length && field[split] != ':')
            {
                throw TemplateException.Value("expected ':' after conversion specifier");
            }
        }

        string spec = split < field.Length ? field[(split + 1)..] : "";
        object? value = Lookup(name, positional, named, ref automatic);
        value = conversion switch
        {
            null => value,
            's' => Repr.Str(value),
            'r' => Repr.Of(value),
            'a' => FormatSpec.Ascii(Repr.Of(value)),
            { } other => throw TemplateException.Value($"Unknown conversion specifier {other}"),
        };
        spec = spec.Contains('{', StringComparison.Ordinal) ? Expand(spec, positional, named, escape, ref automatic, depth - 1) : spec;
        string text = FormatSpec.Format(value, spec);
        return escape && value is not Markup ? Markup.Escape(text).Text : text;
    }

    private static object? Lookup(string name, IReadOnlyList<object?> positional, PyDict named, ref int automatic)
    {
        int end = name.IndexOfAny(['.', '[']);
        string first = end < 0 ? name : name[..end];
        string rest = end < 0 ? "" : name[end..];
        if (first.Length == 0)
        {
            if (automatic < 0)
            {
                throw TemplateException.Value("cannot switch from manual field specification to automatic field numbering");
            }

            first = automatic.ToString(CultureInfo.InvariantCulture);
            automatic++;
        }
        else if (first.All(char.IsAsciiDigit))
        {
            automatic = automatic > 0 ? throw TemplateException.Value("cannot switch from manual field specification to automatic field numbering") : -1;
        }

        object? value;
        if (first.All(char.IsAsciiDigit))
        {
            int index = int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : int.MaxValue;
            value = index < positional.Count ? positional[index]
                : throw new TemplateException("IndexError", $"Replacement index {first} out of range for positional args tuple");
        }
        else if (!named.TryGet(first, out value))
        {
            throw new TemplateException("KeyError", Repr.Of(first));
        }

        while (rest.Length > 0)
        {
            if (rest[0] == '.')
            {
                int stop = rest.IndexOfAny(['.', '['], 1);
                stop = stop < 0 ? rest.Length : stop;
                value = Members.Attribute(value, rest[1..stop]);
                rest = rest[stop..];
            }
            else
            {
                int close = rest.IndexOf(']', StringComparison.Ordinal);
                if (close < 0)
                {
                    throw TemplateException.Value("Missing ']' in format string");
                }

                string key = rest[1..close];
                value = Members.Item(value, key.Length > 0 && key.All(char.IsAsciiDigit) ? BigInteger.Parse(key, CultureInfo.InvariantCulture) : key);
                rest = rest[(close + 1)..];
            }
        }

        return value;
    }
}
