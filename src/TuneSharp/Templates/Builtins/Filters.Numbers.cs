using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <content>Numbers and texts.</content>
internal static partial class Filters
{
    private static double? Float(object? value) => value switch
    {
        Undefined u => throw u.Failure(),
        string or Markup => Numbers.ParseFloat(Operators.AsText(value)!),
        _ => Operators.AsNumber(value) is { } number ? Operators.ToFloat(number) : null,
    };

    private static BigInteger? Int(object? value, int numberBase)
    {
        if (Operators.AsText(value) is { } text)
        {
            if (numberBase is not 0 and (< 2 or > 36))
            {
                return null;
            }

            return Numbers.ParseInt(text, numberBase) ?? Whole(Numbers.ParseFloat(text));
        }

        return value is Undefined u ? throw u.Failure() : Operators.AsNumber(value) switch
        {
            BigInteger i => i,
            double d when double.IsInfinity(d) => throw TemplateException.TooMuch("cannot convert float infinity to integer"),
            double d => Whole(d),
            _ => null,
        };
    }

    private static BigInteger? Whole(double? number) => number is { } d && double.IsFinite(d) ? new BigInteger(d) : null;

    private static object Round(object?[] a)
    {
        string method = Repr.Str(Or(a[2], "common"));
        if (method is not ("common" or "ceil" or "floor"))
        {
            throw TemplateException.Argument("method must be common, ceil or floor");
        }

        if (a[0] is Undefined u && method != "common")
        {
            throw u.Failure();
        }

        int places = Arguments.Int(a[1], 0);
        object number = Operators.AsNumber(a[0]) ?? throw TemplateException.Type(method == "common"
            ? $"type {PyType.Name(a[0])} doesn't define __round__ method"
            : IsSequence(a[0]) ? $"can't multiply sequence by non-int of type 'float'" : $"unsupported operand type(s) for *: '{PyType.Name(a[0])}' and 'int'");
        if (method == "common")
        {
            return number is BigInteger i ? Numbers.Round(i, places) : Numbers.Round((double)number, places);
        }

        object power = Operators.Binary("**", (BigInteger)10, (BigInteger)places)!;
        double scaled = Operators.ToFloat(Operators.Binary("*", number, power)!);
        double whole = method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled);
        return Operators.Binary("/", new BigInteger(whole), power)!;
    }

    private static bool IsSequence(object? value) => value is string or Markup or PyList or PyTuple;

    private static string FileSize(object? value, bool binary)
    {
        double bytes = Float(value) ?? throw (Operators.IsText(value)
            ? TemplateException.Value($"could not convert string to float: {Repr.Of(value)}")
            : TemplateException.Type($"float() argument must be a string or a real number, not '{PyType.Name(value)}'"));
        int unit = binary ? 1024 : 1000;
        if (bytes == 1)
        {
            return "1 Byte";
        }

        if (bytes < unit)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{new BigInteger(bytes)} Bytes");
        }

        string prefixes = binary ? "KMGTPEZY" : "kMGTPEZY";
        double size = unit;
        for (int i = 0; ; i++)
        {
            size *= unit;
            if (bytes < size || i == prefixes.Length - 1)
            {
                return Numbers.Fixed(unit * bytes / size, 1) + " " + prefixes[i] + (binary ? "iB" : "B");
            }
        }
    }

    private static object? Format(Arguments a)
    {
        if (a.Positional.Count == 0)
        {
            throw TemplateException.Type("do_format() missing 1 required positional argument: 'value'");
        }

        if (a.Positional.Count > 1 && a.HasNamed)
        {
            throw TemplateException.Argument("can't handle positional and keyword arguments at the same time");
        }

        object? format = a.Positional[0] is Markup ? a.Positional[0] : Soft(a.Positional[0]);
        return Operators.Binary("%", format, a.HasNamed ? a.Named : new PyTuple([.. a.Positional.Skip(1)]));
    }

    private static object Indent(object?[] a)
    {
        string s = a[0] is Undefined u ? throw u.Failure()
            : Operators.AsText(a[0]) ?? throw (a[0] is PyList
                ? new TemplateException("AttributeError", "'list' object has no attribute 'splitlines'")
                : TemplateException.Type($"unsupported operand type(s) for +=: '{PyType.Name(a[0])}' and 'str'"));
        object? width = Or(a[1], (BigInteger)4);
        string by = Operators.AsText(width) ?? (string)Operators.Binary("*", " ", width)!;
        bool blank = Arguments.Flag(a[3]);
        StringBuilder result = new();
        bool first = true;
        foreach (string line in StringMethods.Lines(s + "\n"))
        {
            string indented = first ? (Arguments.Flag(a[2]) ? by + line : line) : blank || line.Length > 0 ? by + line : line;
            Budget.Text(result.Length + (long)indented.Length > Budget.MaxChars ? long.MaxValue : indented.Length);
            result.Append(first ? "" : "\n").Append(indented);
            first = false;
        }

        return a[0] is Markup ? new Markup(result.ToString()) : result.ToString();
    }

    private static object? Truncate(object?[] a)
    {
        int length = Arguments.Int(a[1], 255);
        string end = Repr.Str(Or(a[3], "..."));
        int leeway = Or(a[4], null) is null ? 5 : Arguments.Int(a[4]);
        int endLength = CodePoints.Count(end);
        if (length < endLength || leeway < 0)
        {
            throw new TemplateException("AssertionError", string.Create(
                CultureInfo.InvariantCulture,
                $"{(length < endLength ? $"expected length >= {endLength}, got {length}" : $"expected leeway >= 0, got {leeway}")}"));
        }

        if (Operators.Length(a[0]) <= (long)length + leeway)
        {
            return a[0];
        }

        string s = Text(a[0], "rsplit");
        string cut = CodePoints.Slice(s, 0, 1, length - endLength);
        int blank = cut.LastIndexOf(' ');
        string kept = Arguments.Flag(a[2]) || blank < 0 ? cut : cut[..blank];
        return a[0] is Markup ? new Markup(kept + Markup.Escape(Or(a[3], "...")).Text) : kept + end;
    }

    /// <summary>Upper-case letters where words begin: also after hyphens and opening brackets.</summary>
    private static string Title(string s)
    {
        StringBuilder result = new();
        bool begins = true;
        foreach (string c in CodePoints.Each(s))
        {
            bool between = c is "-" or "(" or "{" or "[" or "<" || CodePoints.IsSpace(CodePoints.ValueAt(c, 0));
            result.Append(between ? c : begins ? CodePoints.Upper(c) : c);
            begins = between;
        }

        // Lower case is decided word by word, as the final sigma asks.
        string upper = result.ToString();
        result.Clear();
        int start = -1;
        for (int i = 0; i <= upper.Length; i++)
        {
            bool between = i == upper.Length || upper[i] is '-' or '(' or '{' or '[' or '<' || CodePoints.IsSpace(upper[i]);
            if (!between && start < 0)
            {
                start = i;
            }
            else if (between)
            {
                if (start >= 0)
                {
                    int head = CodePoints.Width(upper, start);
                    result.Append(upper, start, head).Append(CodePoints.Lower(upper[(start + head)..i]));
                    start = -1;
                }

                result.Append(i < upper.Length ? upper[i].ToString() : "");
            }
        }

        return result.ToString();
    }

    private static int Words(string s)
    {
        int count = 0;
        bool inside = false;
        for (int i = 0; i < s.Length; i += CodePoints.Width(s, i))
        {
            bool word = CodePoints.IsWord(CodePoints.ValueAt(s, i));
            count += word && !inside ? 1 : 0;
            inside = word;
        }

        return count;
    }

    private static string UrlEncode(object? value)
    {
        if (Operators.IsText(value) || Operators.TryIterate(value) is null)
        {
            return Quote(value, query: false);
        }

        IEnumerable<object?> pairs = value is PyDict d ? new DictView(d, "dict_items").Items() : Operators.Iterate(value);
        return string.Join('&', pairs.Select(p =>
        {
            object?[] pair = Statements.Unpack(p, 2);
            return Quote(pair[0], query: true) + "=" + Quote(pair[1], query: true);
        }));
    }

    private static string Quote(object? value, bool query)
    {
        StringBuilder result = new();
        foreach (byte b in value is PyBytes bytes ? bytes.Bytes : Encoding.UTF8.GetBytes(Repr.Str(value)))
        {
            char c = (char)b;
            result.Append(char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' or '~' || (c == '/' && !query) ? c.ToString()
                : c == ' ' && query ? "+"
                : string.Create(CultureInfo.InvariantCulture, $"%{b:X2}"));
        }

        return result.ToString();
    }

    private static string XmlAttributes(object? value, bool space)
    {
        PyDict dict = value as PyDict ?? throw (value is Undefined u ? u.Failure()
            : new TemplateException("AttributeError", $"'{PyType.Name(value)}' object has no attribute 'items'"));
        List<string> parts = [];
        foreach ((object? key, object? item) in dict.Pairs())
        {
            if (item is null or Undefined)
            {
                continue;
            }

            string name = Operators.AsText(key) ?? throw TemplateException.Type($"expected string or bytes-like object, got '{PyType.Name(key)}'");
            if (name.Any(c => c is ' ' or (>= '\t' and <= '\r') or '/' or '>' or '='))
            {
                throw TemplateException.Value($"Invalid character in attribute name: {Repr.Of(key)}");
            }

            parts.Add($"{Markup.Escape(key).Text}=\"{Markup.Escape(item).Text}\"");
        }

        string joined = string.Join(' ', parts);
        return space && joined.Length > 0 ? " " + joined : joined;
    }
}
