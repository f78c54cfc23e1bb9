using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Cuts a template into tokens, with <c>trim_blocks</c> and <c>lstrip_blocks</c> on, as chat templates are read.</summary>
/// <remarks>Reference: jinja2/lexer.py. A dash beside a tag takes all white space on its side, a plus keeps it.</remarks>
internal sealed class Lexer
{
    private static readonly string[] Operators =
        ["//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;
    private bool _lineStarts = true;

    private Lexer(string source) => _source = source;

    public static List<Token> Read(string template)
    {
        string source = template.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        Lexer lexer = new(source.EndsWith('\n') ? source[..^1] : source);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_at < _source.Length)
        {
            int tag = NextTag(_at);
            if (tag < 0)
            {
                Data(_source[_at..]);
                _at = _source.Length;
                break;
            }

            char kind = _source[tag + 1];
            int after = tag + 2;
            char sign = after < _source.Length && _source[after] is '-' or '+' ? _source[after] : '\0';
            string text = Before(_source[_at..tag], sign, isVariable: kind == '{');
            Data(text);
            _line += Lines(_at, tag);
            _at = after + (sign == '\0' ? 0 : 1);
            switch (kind)
            {
                case '#':
                    SkipComment();
                    break;
                case '%' when RawBegin() is { } body:
                    ReadRaw(body);
                    break;
                case '%':
                    Add(TokenKind.BlockBegin, "{%");
                    ReadTag("%}", TokenKind.BlockEnd);
                    break;
                default:
                    Add(TokenKind.VariableBegin, "{{");
                    ReadTag("}}", TokenKind.VariableEnd);
                    break;
            }
        }

        Add(TokenKind.End, "");
    }

    private int NextTag(int from)
    {
        for (int at = _source.IndexOf('{', from); at >= 0 && at + 1 < _source.Length; at = _source.IndexOf('{', at + 1))
        {
            if (_source[at + 1] is '{' or '%' or '#')
            {
                return at;
            }
        }

        return -1;
    }

    /// <summary>What is left of the text before a tag.</summary>
    private string Before(string text, char sign, bool isVariable)
    {
        if (sign == '-')
        {
            return PyText.TrimEnd(text);
        }

        if (sign == '+' || isVariable)
        {
            return text;
        }

        int line = text.LastIndexOf('\n') + 1;
        return (line > 0 || _lineStarts) && line < text.Length && text.AsSpan(line).IndexOfAnyExcept(PyText.WhiteSpace) < 0 ? text[..line] : text;
    }

    private void Data(string text)
    {
        if (text.Length > 0)
        {
            Add(TokenKind.Data, text);
        }
    }

    private void Add(TokenKind kind, string text, object? value = null) => _tokens.Add(new Token(kind, text, _line, value));

    private int Lines(int from, int to) => _source.AsSpan(from, to - from).Count('\n');

    /// <summary>Moves past the end of a tag: a plus keeps the newline behind it, a dash takes all white space, else one newline goes.</summary>
    private void Close(int end, char sign, bool trimsNewline)
    {
        int at = end;
        if (sign == '-')
        {
            while (at < _source.Length && PyText.IsSpace(_source[at]))
            {
                at++;
            }
        }
        else if (sign != '+' && trimsNewline && at < _source.Length && _source[at] == '\n')
        {
            at++;
        }

        _line += Lines(_at, at);
        _at = at;
        _lineStarts = at > 0 && _source[at - 1] == '\n';
    }

    private void SkipComment()
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw TemplateException.Syntax("Missing end of comment tag", _line);
        }

        // A sign stands before the end; in `{#-#}` it is the beginning's own.
        char sign = end > _at && _source[end - 1] is '-' or '+' ? _source[end - 1] : '\0';
        Close(end + 2, sign, trimsNewline: true);
    }

    /// <summary>The start of the text of a raw block, if the tag that was just opened begins one.</summary>
    private int? RawBegin()
    {
        int at = SkipSpace(_at);
        if (!StartsWith(at, "raw"))
        {
            return null;
        }

        at = SkipSpace(at + 3);
        bool dash = StartsWith(at, "-%}");
        if (!dash && !StartsWith(at, "%}"))
        {
            return null;
        }

        at += dash ? 3 : 2;
        return dash ? SkipSpace(at) : at;
    }

    private void ReadRaw(int body)
    {
        _line += Lines(_at, body);
        _at = body;
        _lineStarts = body > 0 && _source[body - 1] == '\n';
        for (int tag = _source.IndexOf("{%", body, StringComparison.Ordinal); tag >= 0; tag = _source.IndexOf("{%", tag + 2, StringComparison.Ordinal))
        {
            int at = tag + 2;
            char sign = at < _source.Length && _source[at] is '-' or '+' ? _source[at++] : '\0';
            at = SkipSpace(at);
            if (!StartsWith(at, "endraw"))
            {
                continue;
            }

            at = SkipSpace(at + 6);
            char endSign = at < _source.Length && _source[at] is '-' or '+' ? _source[at++] : '\0';
            if (StartsWith(at, "%}"))
            {
                Data(Before(_source[body..tag], sign, isVariable: false));
                _line += Lines(body, tag);
                _at = tag;
                Close(at + 2, endSign, trimsNewline: true);
                return;
            }
        }

        throw TemplateException.Syntax("Missing end of raw directive", _line);
    }

    private int SkipSpace(int at)
    {
        while (at < _source.Length && PyText.IsSpace(_source[at]))
        {
            at++;
        }

        return at;
    }

    private bool StartsWith(int at, string text) => at <= _source.Length && _source.AsSpan(at).StartsWith(text, StringComparison.Ordinal);

    private void ReadTag(string end, TokenKind endKind)
    {
        Stack<char> open = [];
        while (true)
        {
            int at = SkipSpace(_at);
            _line += Lines(_at, at);
            _at = at;
            if (_at >= _source.Length)
            {
                return; // the parser finds the end of the template where it wants something else
            }

            if (open.Count == 0)
            {
                bool block = endKind == TokenKind.BlockEnd;
                char sign = _source[_at] is '-' || (block && _source[_at] is '+') ? _source[_at] : '\0';
                if (StartsWith(_at + (sign == '\0' ? 0 : 1), end))
                {
                    Add(endKind, end);
                    Close(_at + end.Length + (sign == '\0' ? 0 : 1), sign, trimsNewline: block);
                    return;
                }
            }

            ReadToken(open);
        }
    }

    private void ReadToken(Stack<char> open)
    {
        char c = _source[_at];
        if (char.IsAsciiDigit(c))
        {
            ReadNumber();
        }
        else if (c is '\'' or '"')
        {
            ReadString(c);
        }
        else if (c == '_' || char.IsLetter(c) || (char.IsHighSurrogate(c) && Rune.TryGetRuneAt(_source, _at, out Rune rune) && Rune.IsLetter(rune)))
        {
            int end = _at;
            while (end < _source.Length && (_source[end] == '_' || char.IsLetterOrDigit(_source, end) || char.IsLowSurrogate(_source[end])
                || CharUnicodeInfo.GetUnicodeCategory(_source, end) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark))
            {
                end++;
            }

            Add(TokenKind.Name, _source[_at..end]);
            _at = end;
        }
        else
        {
            ReadOperator(open);
        }
    }

    private void ReadOperator(Stack<char> open)
    {
        string op = Array.Find(Operators, o => StartsWith(_at, o))
            ?? throw TemplateException.Syntax(
                string.Create(CultureInfo.InvariantCulture, $"unexpected char {PyText.Repr(Rune.GetRuneAt(_source, _at).ToString())} at {_at}"), _line);
        if (op is "(" or "[" or "{")
        {
            open.Push(op == "(" ? ')' : op == "[" ? ']' : '}');
        }
        else if (op is ")" or "]" or "}")
        {
            if (!open.TryPop(out char wanted))
            {
                throw TemplateException.Syntax($"unexpected '{op}'", _line);
            }

            if (wanted != op[0])
            {
                throw TemplateException.Syntax($"unexpected '{op}', expected '{wanted}'", _line);
            }
        }

        Add(TokenKind.Operator, op);
        _at += op.Length;
    }

    private void ReadNumber()
    {
        int end = Digits(_at);
        bool isFloat = false;
        if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]))
        {
            (isFloat, end) = (true, Digits(end + 1));
        }

        if (end < _source.Length && _source[end] is 'e' or 'E')
        {
            int exponent = end + 1 < _source.Length && _source[end + 1] is '+' or '-' ? end + 2 : end + 1;
            if (exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
            {
                (isFloat, end) = (true, Digits(exponent));
            }
        }

        if (!isFloat && _source[_at] == '0' && _at + 1 < _source.Length && char.ToLowerInvariant(_source[_at + 1]) is ('x' or 'b' or 'o') and var prefix)
        {
            ReadPrefixed(prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8);
            return;
        }

        string text = _source[_at..end];
        string digits = text.Replace("_", "", StringComparison.Ordinal);
        Add(isFloat ? TokenKind.Float : TokenKind.Integer, text, isFloat
            ? double.Parse(digits, CultureInfo.InvariantCulture)
            : PyNumber.Normal(BigInteger.Parse(digits, CultureInfo.InvariantCulture)));
        _at = end;
    }

    private void ReadPrefixed(int radix)
    {
        int end = _at + 2;
        BigInteger value = 0;
        while (end < _source.Length && (_source[end] == '_' || PyNumber.Digit(_source[end]) < radix))
        {
            value = _source[end] == '_' ? value : (value * radix) + PyNumber.Digit(_source[end]);
            end++;
        }

        Add(TokenKind.Integer, _source[_at..end], PyNumber.Normal(value));
        _at = end;
    }

    private int Digits(int at)
    {
        while (at < _source.Length && (char.IsAsciiDigit(_source[at]) || (_source[at] == '_' && at + 1 < _source.Length && char.IsAsciiDigit(_source[at + 1]))))
        {
            at++;
        }

        return at;
    }

    private void ReadString(char quote)
    {
        int end = _at + 1;
        while (end < _source.Length && _source[end] != quote)
        {
            end += _source[end] == '\\' ? 2 : 1;
        }

        if (end >= _source.Length)
        {
            throw TemplateException.Syntax(string.Create(CultureInfo.InvariantCulture, $"unexpected char {PyText.Repr(quote.ToString())} at {_at}"), _line);
        }

        Add(TokenKind.String, _source[_at..(end + 1)], Unescape(_source[(_at + 1)..end]));
        _line += Lines(_at, end);
        _at = end + 1;
    }

    /// <summary>Python's escapes; one that it does not know stays as it is.</summary>
    private string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        StringBuilder result = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                result.Append(text[i]);
                continue;
            }

            char c = text[++i];
            switch (c)
            {
                case '\n': break;
                case '\\' or '\'' or '"': result.Append(c); break;
                case 'n': result.Append('\n'); break;
                case 't': result.Append('\t'); break;
                case 'r': result.Append('\r'); break;
                case 'a': result.Append('\a'); break;
                case 'b': result.Append('\b'); break;
                case 'f': result.Append('\f'); break;
                case 'v': result.Append('\v'); break;
                case 'x': i = Hex(text, i, 2, result); break;
                case 'u': i = Hex(text, i, 4, result); break;
                case 'U': i = Hex(text, i, 8, result); break;
                case >= '0' and <= '7':
                    int value = 0, end = i;
                    while (end < text.Length && end < i + 3 && text[end] is >= '0' and <= '7')
                    {
                        value = (value * 8) + text[end++] - '0';
                    }

                    result.Append((char)value);
                    i = end - 1;
                    break;
                default: result.Append('\\').Append(c); break;
            }
        }

        return result.ToString();
    }

    private int Hex(string text, int at, int digits, StringBuilder result)
    {
        if (at + digits >= text.Length
            || !uint.TryParse(text.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint code) || code > 0x10FFFF)
        {
            throw TemplateException.Syntax("(unicode error) 'unicodeescape' codec can't decode an escape in a string", _line);
        }

        result.Append(code < 0x10000 ? ((char)code).ToString() : char.ConvertFromUtf32((int)code));
        return at + digits;
    }
}
