using System.Globalization;
using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>
/// Cuts a template into tokens as Jinja2 does with <c>trim_blocks</c> and <c>lstrip_blocks</c> on: a line break after a tag goes, and so
/// do blanks before a tag that begins its line.
/// </summary>
internal sealed class Lexer
{
    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private readonly Stack<char> _open = new();
    private int _at;
    private int _line = 1;
    private bool _lineStarts = true;

    private Lexer(string source) => _source = source;

    public static List<Token> Tokenize(string source)
    {
        string lines = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        Lexer lexer = new(lines.EndsWith('\n') ? lines[..^1] : lines);
        lexer.Root();
        lexer._tokens.Add(new Token("eof", "", lexer._line));
        return lexer._tokens;
    }

    private TemplateException Error(string message) => new("TemplateSyntaxError", message, _line);

    private void Add(string type, object? value) => _tokens.Add(new Token(type, value, _line));

    private void MoveTo(int end)
    {
        _line += _source.AsSpan(_at, end - _at).Count('\n');
        if (end > _at)
        {
            _lineStarts = _source[end - 1] == '\n';
        }

        _at = end;
    }

    private char Peek(int ahead = 0) => _at + ahead < _source.Length ? _source[_at + ahead] : '\0';

    private void Root()
    {
        while (_at < _source.Length)
        {
            int tag = NextTag(_at);
            if (tag < 0)
            {
                Data(_source[_at..]);
                MoveTo(_source.Length);
                return;
            }

            char kind = _source[tag + 1];
            int end = tag + 2;
            char sign = end < _source.Length && _source[end] is '-' or '+' ? _source[end++] : '\0';
            int raw = kind == '%' ? RawBegin(end) : -1;
            Data(Trimmed(_source[_at..tag], sign, kind));
            MoveTo(raw >= 0 ? raw : end);
            if (raw >= 0)
            {
                Raw();
            }
            else if (kind == '#')
            {
                Comment();
            }
            else
            {
                Add(kind == '%' ? "block_begin" : "variable_begin", "");
                Inside(kind == '%');
            }
        }
    }

    private int NextTag(int from)
    {
        for (int i = _source.IndexOf('{', from); i >= 0 && i + 1 < _source.Length; i = _source.IndexOf('{', i + 1))
        {
            if (_source[i + 1] is '{' or '%' or '#')
            {
                return i;
            }
        }

        return -1;
    }

    private void Data(string text)
    {
        if (text.Length > 0)
        {
            Add("data", text);
        }
    }

    private string Trimmed(string text, char sign, char kind)
    {
        if (sign == '-')
        {
            return StringMethods.Strip(text, null, left: false, right: true);
        }

        if (sign == '+' || kind == '{')
        {
            return text;
        }

        int line = text.LastIndexOf('\n') + 1;
        return (line > 0 || _lineStarts) && text.AsSpan(line).ToArray().All(c => CodePoints.IsSpace(c)) ? text[..line] : text;
    }

    private int Blanks(int at)
    {
        while (at < _source.Length && CodePoints.IsSpace(_source[at]))
        {
            at++;
        }

        return at;
    }

    /// <summary>Where a <c>raw</c> tag ends whose sign ends here; -1 if it is another tag.</summary>
    private int RawBegin(int at)
    {
        at = Blanks(at);
        if (string.CompareOrdinal(_source, at, "raw", 0, 3) != 0)
        {
            return -1;
        }

        at = Blanks(at + 3);
        return string.CompareOrdinal(_source, at, "-%}", 0, 3) == 0 ? Blanks(at + 3) : string.CompareOrdinal(_source, at, "%}", 0, 2) == 0 ? at + 2 : -1;
    }

    private void Raw()
    {
        for (int tag = _source.IndexOf("{%", _at, StringComparison.Ordinal); tag >= 0; tag = _source.IndexOf("{%", tag + 1, StringComparison.Ordinal))
        {
            int at = tag + 2;
            char sign = at < _source.Length && _source[at] is '-' or '+' ? _source[at++] : '\0';
            at = Blanks(at);
            if (string.CompareOrdinal(_source, at, "endraw", 0, 6) != 0)
            {
                continue;
            }

            int end = BlockEnd(Blanks(at + 6));
            if (end >= 0)
            {
                Data(Trimmed(_source[_at..tag], sign, '%'));
                MoveTo(end);
                return;
            }
        }

        throw Error("Missing end of raw directive");
    }

    /// <summary>Where a statement's end tag ends, what it swallows included; -1 if none begins here.</summary>
    private int BlockEnd(int at)
    {
        if (string.CompareOrdinal(_source, at, "-%}", 0, 3) == 0)
        {
            return Blanks(at + 3);
        }

        if (string.CompareOrdinal(_source, at, "+%}", 0, 3) == 0)
        {
            return at + 3;
        }

        if (string.CompareOrdinal(_source, at, "%}", 0, 2) != 0)
        {
            return -1;
        }

        return at + 2 < _source.Length && _source[at + 2] == '\n' ? at + 3 : at + 2;
    }

    private void Comment()
    {
        int close = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (close < 0)
        {
            throw Error(_at < _source.Length ? "Missing end of comment tag" : "unexpected end of template");
        }

        char sign = close > _at ? _source[close - 1] : '\0';
        int end = close + 2;
        MoveTo(sign == '-' ? Blanks(end) : sign != '+' && end < _source.Length && _source[end] == '\n' ? end + 1 : end);
    }

    /// <summary>Tokens up to the end of a statement or of a print statement.</summary>
    private void Inside(bool statement)
    {
        while (_at < _source.Length)
        {
            int end = _open.Count > 0 ? -1 : statement ? BlockEnd(_at) : PrintEnd();
            if (end >= 0)
            {
                Add(statement ? "block_end" : "variable_end", "");
                MoveTo(end);
                return;
            }

            char c = Peek();
            if (CodePoints.IsSpace(c))
            {
                MoveTo(Blanks(_at));
            }
            else if (char.IsAsciiDigit(c))
            {
                Number();
            }
            else if (CodePoints.IsWord(CodePoints.ValueAt(_source, _at)))
            {
                Name();
            }
            else if (c is '\'' or '"')
            {
                Text(c);
            }
            else
            {
                Operator();
            }
        }
    }

    private int PrintEnd() => string.CompareOrdinal(_source, _at, "-}}", 0, 3) == 0 ? Blanks(_at + 3)
        : string.CompareOrdinal(_source, _at, "}}", 0, 2) == 0 ? _at + 2
        : -1;

    private void Name()
    {
        int end = _at;
        while (end < _source.Length && IsNamePart(CodePoints.ValueAt(_source, end)))
        {
            end += CodePoints.Width(_source, end);
        }

        string name = _source[_at..end];
        if (!StringMethods.IsIdentifier(name))
        {
            throw Error("Invalid character in identifier");
        }

        Add("name", name);
        MoveTo(end);
    }

    private static bool IsNamePart(int c) => CodePoints.IsWord(c)
        || CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    private int Digits(int at, Func<char, bool> isDigit, bool leadingUnderscore)
    {
        int start = at;
        while (at < _source.Length && (isDigit(_source[at])
            || (_source[at] == '_' && (at > start || leadingUnderscore) && at + 1 < _source.Length && isDigit(_source[at + 1]) && (at == start || _source[at - 1] != '_'))))
        {
            at++;
        }

        return at;
    }

    private void Number()
    {
        int whole = Digits(_at, char.IsAsciiDigit, false);
        int end = whole;
        bool isFloat = false;
        if (_at == 0 || _source[_at - 1] != '.')
        {
            if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]))
            {
                end = Digits(end + 1, char.IsAsciiDigit, false);
                isFloat = true;
            }

            if (end < _source.Length && _source[end] is 'e' or 'E')
            {
                int exponent = end + 1 < _source.Length && _source[end + 1] is '+' or '-' ? end + 2 : end + 1;
                if (exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
                {
                    end = Digits(exponent, char.IsAsciiDigit, false);
                    isFloat = true;
                }
            }
        }

        if (isFloat)
        {
            Add("float", double.Parse(_source[_at..end].Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture));
            MoveTo(end);
            return;
        }

        int numberBase = Peek() == '0' ? char.ToLowerInvariant(Peek(1)) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 } : 10;
        end = numberBase != 10 ? Digits(_at + 2, c => IsDigit(c, numberBase), true)
            : Peek() == '0' ? Digits(_at, c => c == '0', false)
            : whole;
        if (numberBase != 10 && end == _at + 2)
        {
            end = _at + 1;
        }

        Add("integer", Numbers.ParseInt(_source[_at..end].Replace("_", "", StringComparison.Ordinal), 0) ?? BigInteger.Zero);
        MoveTo(end);
    }

    private static bool IsDigit(char c, int numberBase) =>
        char.IsAsciiHexDigit(c) && (char.IsAsciiDigit(c) ? c - '0' : 15) < numberBase;

    private void Text(char quote)
    {
        int end = _at + 1;
        while (end < _source.Length && _source[end] != quote)
        {
            end += _source[end] == '\\' ? 2 : 1;
        }

        if (end >= _source.Length)
        {
            throw Error($"unexpected char {Repr.Of(quote.ToString())} at {CodePoints.Count(_source.AsSpan(0, _at))}");
        }

        try
        {
            Add("string", Escapes.Decode(_source[(_at + 1)..end]));
        }
        catch (FormatException e)
        {
            throw Error(e.Message);
        }

        MoveTo(end + 1);
    }

    private void Operator()
    {
        foreach ((string symbol, string type) in Token.Operators)
        {
            if (string.CompareOrdinal(_source, _at, symbol, 0, symbol.Length) != 0)
            {
                continue;
            }

            char c = symbol[0];
            if (c is '{' or '(' or '[')
            {
                _open.Push(c == '{' ? '}' : c == '(' ? ')' : ']');
            }
            else if (c is '}' or ')' or ']')
            {
                if (_open.Count == 0)
                {
                    throw Error($"unexpected '{c}'");
                }

                char expected = _open.Pop();
                if (expected != c)
                {
                    throw Error($"unexpected '{c}', expected '{expected}'");
                }
            }

            Add(type, symbol);
            MoveTo(_at + symbol.Length);
            return;
        }

        string bad = _source.Substring(_at, CodePoints.Width(_source, _at));
        throw Error($"unexpected char {Repr.Of(bad)} at {CodePoints.Count(_source.AsSpan(0, _at))}");
    }
}
