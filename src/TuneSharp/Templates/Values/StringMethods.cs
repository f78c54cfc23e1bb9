using System.Globalization;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>The methods of Python's <c>str</c>. On text marked safe they give text marked safe, and escape what is put into it.</summary>
internal static partial class StringMethods
{
    private delegate object? Body(string self, Arguments arguments);

    private static readonly Dictionary<string, Body> Methods = new(StringComparer.Ordinal)
    {
        ["capitalize"] = (s, a) => Capitalize(None(s, a, "capitalize")),
        ["casefold"] = (s, a) => CodePoints.Lower(None(s, a, "casefold")).Replace("ß", "ss", StringComparison.Ordinal).Replace('ς', 'σ'),
        ["center"] = (s, a) => Padded(s, a, "center"),
        ["count"] = (s, a) => Count(s, a),
        ["encode"] = (s, a) => new PyBytes(Encoding.UTF8.GetBytes(s)),
        ["endswith"] = (s, a) => Affix(s, a, "endswith"),
        ["expandtabs"] = (s, a) => ExpandTabs(s, Arguments.Int(a.Bind("expandtabs", "tabsize?")[0], 8)),
        ["find"] = (s, a) => Find(s, a, "find"),
        ["format"] = (s, a) => BraceFormat.Format(s, a.Positional, a.Named, escape: false),
        ["format_map"] = (s, a) => BraceFormat.Format(s, [], FormatMapArgument(a), escape: false),
        ["index"] = (s, a) => Find(s, a, "index"),
        ["isalnum"] = (s, a) => All(None(s, a, "isalnum"), CodePoints.IsAlphanumeric),
        ["isalpha"] = (s, a) => All(None(s, a, "isalpha"), CodePoints.IsAlpha),
        ["isascii"] = (s, a) => Ascii.IsValid(None(s, a, "isascii")),
        ["isdecimal"] = (s, a) => All(None(s, a, "isdecimal"), c => Category(c) == UnicodeCategory.DecimalDigitNumber),
        ["isdigit"] = (s, a) => All(None(s, a, "isdigit"), c => c is < 0xD800 or > 0xDFFF && CharUnicodeInfo.GetDigitValue(char.ConvertFromUtf32(c), 0) >= 0),
        ["isidentifier"] = (s, a) => IsIdentifier(None(s, a, "isidentifier")),
        ["islower"] = (s, a) => Cased(None(s, a, "islower"), lower: true),
        ["isnumeric"] = (s, a) => All(None(s, a, "isnumeric"), c => c is < 0xD800 or > 0xDFFF && CharUnicodeInfo.GetNumericValue(char.ConvertFromUtf32(c), 0) >= 0),
        ["isprintable"] = (s, a) => s.Length == 0 || All(None(s, a, "isprintable"), CodePoints.IsPrintable),
        ["isspace"] = (s, a) => All(None(s, a, "isspace"), CodePoints.IsSpace),
        ["istitle"] = (s, a) => IsTitle(None(s, a, "istitle")),
        ["isupper"] = (s, a) => Cased(None(s, a, "isupper"), lower: false),
        ["join"] = (s, a) => Join(s, a.Bind("str.join", "iterable")[0]),
        ["ljust"] = (s, a) => Padded(s, a, "ljust"),
        ["lower"] = (s, a) => CodePoints.Lower(None(s, a, "lower")),
        ["lstrip"] = (s, a) => Stripped(s, a, "lstrip"),
        ["maketrans"] = (s, a) => MakeTrans(a),
        ["partition"] = (s, a) => Partition(s, a, last: false),
        ["removeprefix"] = (s, a) => Needed(a, "removeprefix") is { } p && s.StartsWith(p, StringComparison.Ordinal) ? s[p.Length..] : s,
        ["removesuffix"] = (s, a) => Needed(a, "removesuffix") is { Length: > 0 } p && s.EndsWith(p, StringComparison.Ordinal) ? s[..^p.Length] : s,
        ["replace"] = (s, a) => Replace(s, a),
        ["rfind"] = (s, a) => Find(s, a, "rfind"),
        ["rindex"] = (s, a) => Find(s, a, "rindex"),
        ["rjust"] = (s, a) => Padded(s, a, "rjust"),
        ["rpartition"] = (s, a) => Partition(s, a, last: true),
        ["rsplit"] = (s, a) => Split(s, a, fromRight: true),
        ["rstrip"] = (s, a) => Stripped(s, a, "rstrip"),
        ["split"] = (s, a) => Split(s, a, fromRight: false),
        ["splitlines"] = (s, a) => new PyList([.. Lines(s, Arguments.Flag(a.Bind("splitlines", "keepends?")[0]))]),
        ["startswith"] = (s, a) => Affix(s, a, "startswith"),
        ["strip"] = (s, a) => Stripped(s, a, "strip"),
        ["swapcase"] = (s, a) => string.Concat(CodePoints.Each(None(s, a, "swapcase")).Select(c => c == CodePoints.Upper(c) ? CodePoints.Lower(c) : CodePoints.Upper(c))),
        ["title"] = (s, a) => Title(None(s, a, "title")),
        ["translate"] = (s, a) => Translate(s, a.Bind("str.translate", "table")[0]),
        ["upper"] = (s, a) => CodePoints.Upper(None(s, a, "upper")),
        ["zfill"] = (s, a) => ZFill(s, Arguments.Int(a.Bind("str.zfill", "width")[0])),
    };

    public static bool TryGet(object value, string name, out object? method)
    {
        string self = Operators.AsText(value)!;
        if (Methods.TryGetValue(name, out Body? body))
        {
            method = value is string ? new Function(name, a => body(self, a)) : new Function(name, a => Safe(name, self, a, body));
            return true;
        }

        method = value is Markup ? name switch
        {
            "striptags" => new Function(name, a => StripTags(self)),
            "unescape" => new Function(name, a => System.Net.WebUtility.HtmlDecode(self)),
            _ => null,
        }
        : null;
        return method is not null;
    }

    /// <summary>Calls a method as Python code would.</summary>
    public static object? Call(string self, string name, params object?[] arguments) =>
        Methods[name](self, new Arguments([.. arguments], null));

    private static object? Safe(string name, string self, Arguments a, Body body)
    {
        if (name is "format" or "format_map")
        {
            return new Markup(name == "format"
                ? BraceFormat.Format(self, a.Positional, a.Named, escape: true)
                : BraceFormat.Format(self, [], FormatMapArgument(a), escape: true));
        }

        if (name == "join")
        {
            return new Markup(string.Join(self, Operators.ToList(a.Bind("str.join", "iterable")[0]).Select(i => Markup.Escape(i).Text)));
        }

        Arguments escaped = name is "replace" or "center" or "ljust" or "rjust"
            ? new Arguments([.. a.Positional.Select(x => x is string s ? Markup.Escape(s) : x)], a.HasNamed ? a.Named : null)
            : a;
        return body(self, escaped) switch
        {
            string s when name is not ("encode" or "maketrans") => new Markup(s),
            PyList l => new PyList([.. l.Items.Select(i => i is string s ? new Markup(s) : i)]),
            PyTuple t => new PyTuple([.. t.Items.Select(i => i is string s ? new Markup(s) : i)]),
            { } other => other,
            null => null,
        };
    }

    private static string None(string self, Arguments a, string name) => a.Positional.Count == 0 && !a.HasNamed ? self
        : throw TemplateException.Type($"str.{name}() takes no {(a.HasNamed ? "keyword arguments" : $"arguments ({a.Positional.Count} given)")}");

    private static string Needed(Arguments a, string name) =>
        Operators.AsText(a.Bind("str." + name, "prefix")[0])
        ?? throw TemplateException.Type($"{name}() argument must be str, not {PyType.Name(a.Positional.Count > 0 ? a.Positional[0] : null)}");

    private static UnicodeCategory Category(int c) => CharUnicodeInfo.GetUnicodeCategory(c);

    private static bool All(string s, Func<int, bool> holds)
    {
        for (int i = 0; i < s.Length; i += CodePoints.Width(s, i))
        {
            if (!holds(CodePoints.ValueAt(s, i)))
            {
                return false;
            }
        }

        return s.Length > 0;
    }

    public static string Capitalize(string s)
    {
        if (s.Length == 0)
        {
            return s;
        }

        int first = CodePoints.Width(s, 0);
        int digraph = "ǆǉǌǳǄǇǊǱǅǈǋǲ".IndexOf(s[0], StringComparison.Ordinal);
        string upper = digraph >= 0 ? "ǅǈǋǲ"[digraph % 4].ToString() : CodePoints.Upper(s[..first]);
        return (upper.Length > first ? upper[..1] + CodePoints.Lower(upper[1..]) : upper) + CodePoints.Lower(s[first..]);
    }

    private static string Title(string s)
    {
        StringBuilder result = new();
        bool inside = false;
        foreach (string c in CodePoints.Each(s))
        {
            result.Append(inside ? CodePoints.Lower(c) : Capitalize(c));
            inside = IsCased(c);
        }

        return result.ToString();
    }

    private static bool IsCased(string c) => CodePoints.Lower(c) != c || CodePoints.Upper(c) != c
        || Category(CodePoints.ValueAt(c, 0)) is UnicodeCategory.LowercaseLetter or UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter;

    private static bool Cased(string s, bool lower)
    {
        bool any = false;
        foreach (string c in CodePoints.Each(s))
        {
            bool isLower = CodePoints.Upper(c) != c || Category(CodePoints.ValueAt(c, 0)) == UnicodeCategory.LowercaseLetter;
            bool isUpper = CodePoints.Lower(c) != c || Category(CodePoints.ValueAt(c, 0)) == UnicodeCategory.UppercaseLetter;
            if (lower ? isUpper : isLower)
            {
                return false;
            }

            any |= isLower || isUpper;
        }

        return any;
    }

    private static bool IsTitle(string s)
    {
        bool any = false;
        bool inside = false;
        foreach (string c in CodePoints.Each(s))
        {
            bool upper = CodePoints.Lower(c) != c;
            bool lower = !upper && IsCased(c);
            if ((upper && inside) || (lower && !inside))
            {
                return false;
            }

            inside = upper || lower;
            any |= inside;
        }

        return any;
    }

    public static bool IsIdentifier(string s) => s.Length > 0 && !char.IsAsciiDigit(s[0])
        && (CodePoints.IsAlpha(CodePoints.ValueAt(s, 0)) || s[0] == '_' || Category(CodePoints.ValueAt(s, 0)) == UnicodeCategory.LetterNumber)
        && All(s, c => c == '_' || CodePoints.IsAlpha(c) || Category(c) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.NonSpacingMark
            or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.ConnectorPunctuation or UnicodeCategory.LetterNumber);

    private static PyDict FormatMapArgument(Arguments a) => a.HasNamed
        ? throw TemplateException.Type("format_map() takes no keyword arguments")
        : a.Positional is [PyDict map] ? map
        : throw TemplateException.Type($"format_map() takes exactly one argument ({a.Positional.Count} given)");
}
