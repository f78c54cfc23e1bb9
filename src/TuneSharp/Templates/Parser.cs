using System.Runtime.CompilerServices;

namespace TuneSharp.Templates;

/// <summary>Reads the statements of a template. Reference: jinja2/parser.py, whose messages these are.</summary>
internal sealed partial class Parser
{
    private static readonly string[] Refused = ["extends", "include", "import", "from"];

    private readonly List<Token> _tokens;
    private readonly Stack<string> _open = [];
    private readonly Stack<string[]> _wanted = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal); // every name read so far, to see what a macro's body uses
    private int _at;
    private int _loops;
    private bool _marksGeneration;

    /// <summary>Where an unknown filter or test is an error only when it is reached: directly inside a condition.</summary>
    private bool _soft;

    private Parser(List<Token> tokens) => _tokens = tokens;

    private Token Current => _tokens[_at];

    /// <summary>The statements of a template, and whether generation blocks are among them.</summary>
    public static (IReadOnlyList<Node> Body, bool MarksGeneration) Parse(string template)
    {
        Parser parser = new(Lexer.Read(template));
        return (parser.ParseBody([]), parser._marksGeneration);
    }

    private Token Next() => Current.Kind == TokenKind.End ? Current : _tokens[_at++];

    private Token Look(int ahead = 1) => _tokens[Math.Min(_at + ahead, _tokens.Count - 1)];

    private bool Skip(string op)
    {
        bool found = Current.Is(op);
        _at += found ? 1 : 0;
        return found;
    }

    private bool SkipName(string name)
    {
        bool found = Current.IsName(name);
        _at += found ? 1 : 0;
        return found;
    }

    private Token Expect(TokenKind kind) => Current.Kind == kind ? Next() : throw Unexpected(Token.DescribeKind(kind));

    private Token ExpectOp(string op) => Current.Is(op) ? Next() : throw Unexpected(op);

    private Token ExpectName(string name) => Current.IsName(name) ? Next() : throw Unexpected(name);

    private TemplateException Unexpected(string wanted) => Fail(Current.Kind == TokenKind.End
        ? $"unexpected end of template, expected {PyText.Repr(wanted)}."
        : $"expected token {PyText.Repr(wanted)}, got {PyText.Repr(Current.Describe())}");

    private TemplateException Fail(string message) => TemplateException.Syntax(message, Current.Line);

    /// <summary>Statements up to one of the given tags, or to the end of the template.</summary>
    private List<Node> ParseBody(string[] until)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        List<Node> body = [];
        if (until.Length > 0)
        {
            _wanted.Push(until);
        }

        while (true)
        {
            Token token = Current;
            switch (token.Kind)
            {
                case TokenKind.End:
                    return body;
                case TokenKind.Data:
                    Next();
                    body.Add(new TextNode(token.Text, token.Line));
                    break;
                case TokenKind.VariableBegin:
                    Next();
                    body.Add(new PrintNode(ParseTuple(), token.Line));
                    Expect(TokenKind.VariableEnd);
                    break;
                default:
                    Next();
                    if (Current.Kind == TokenKind.Name && until.Contains(Current.Text, StringComparer.Ordinal))
                    {
                        _wanted.Pop();
                        return body;
                    }

                    body.AddRange(ParseStatement());
                    Expect(TokenKind.BlockEnd);
                    break;
            }
        }
    }

    /// <summary>The body behind a tag, up to one of the given ones, which is the current token afterwards.</summary>
    private List<Node> ParseStatements(params string[] until)
    {
        Skip(":");
        Expect(TokenKind.BlockEnd);
        List<Node> body = ParseBody(until);
        return Current.Kind == TokenKind.End ? throw EndOfTemplate(null, until) : body;
    }

    private List<Node> ParseToEnd(string end)
    {
        List<Node> body = ParseStatements(end);
        Next();
        return body;
    }

    private TemplateException EndOfTemplate(string? tag, string[]? until)
    {
        List<string> message = [tag is null ? "Unexpected end of template." : $"Encountered unknown tag {PyText.Repr(tag)}."];
        string[][] wanted = [.. _wanted];
        string[]? now = until ?? (wanted.Length > 0 ? wanted[0] : null);
        if (now is not null)
        {
            string looking = string.Join(" or ", now.Select(n => PyText.Repr(n)));
            message.Add(tag is not null && wanted.Any(w => w.Contains(tag, StringComparer.Ordinal))
                ? $"You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}."
                : $"Jinja was looking for the following tags: {looking}.");
        }

        if (_open.Count > 0)
        {
            message.Add($"The innermost block that needs to be closed is {PyText.Repr(_open.Peek())}.");
        }

        return Fail(string.Join(' ', message));
    }

    private Node[] ParseStatement()
    {
        Token token = Current;
        if (token.Kind != TokenKind.Name)
        {
            throw Fail("tag name expected");
        }

        if (Refused.Contains(token.Text, StringComparer.Ordinal))
        {
            throw new TemplateException("TemplateNotFound", $"A chat template stands alone: {{% {token.Text} %}} has nothing to load from.", token.Line);
        }

        _open.Push(token.Text);
        bool soft = _soft;
        _soft = false;
        Node[] parsed = ParseTag(token) ?? throw EndOfUnknown(token);
        _soft = soft;
        _open.Pop();
        return parsed;
    }

    private TemplateException EndOfUnknown(Token token)
    {
        _open.Pop();
        return EndOfTemplate(token.Text, null);
    }

    private Node[]? ParseTag(Token token)
    {
        switch (token.Text)
        {
            case "if": return [ParseIf()];
            case "for": return [ParseFor()];
            case "set": return [ParseSet()];
            case "with": return [ParseWith()];
            case "macro": return [ParseMacro()];
            case "call": return [ParseCallBlock()];
            case "filter": return [ParseFilterBlock()];
            case "generation":
                Next();
                _marksGeneration = true;
                return [new GenerationNode(ParseToEnd("endgeneration"), token.Line)];
            case "print": return [.. ParsePrint()];
            case "block":
                Next();
                string name = Expect(TokenKind.Name).Text;
                List<Node> body = ParseStatements("endblock");
                Next();
                SkipName(name);
                return [new BlockNode(name, body, token.Line)];
            case "autoescape":
                Next();
                Expr value = ParseExpression();
                return value is ConstExpr { Value: false or null } ? [new WithNode([], ParseToEnd("endautoescape"), token.Line)]
                    : throw Fail("autoescape: chat templates are rendered without escaping. Use the filter e where it is wanted.");
            case "break" or "continue":
                Next();
                return _loops > 0 ? [new LoopControlNode(token.Text == "break", token.Line)] : throw Fail($"'{token.Text}' outside loop");
            default: return null;
        }
    }

    private List<Node> ParsePrint()
    {
        int line = Next().Line;
        List<Node> nodes = [];
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (nodes.Count > 0)
            {
                ExpectOp(",");
            }

            nodes.Add(new PrintNode(ParseExpression(), line));
        }

        return nodes;
    }

    private IfNode ParseIf()
    {
        int line = ExpectName("if").Line;
        List<(Expr, IReadOnlyList<Node>)> branches = [];
        List<Node> otherwise = [];
        while (true)
        {
            Expr test = ParseTuple(withCondition: false);
            _soft = true;
            branches.Add((test, ParseStatements("elif", "else", "endif")));
            _soft = false;
            Token end = Next();
            if (end.Text == "elif")
            {
                continue;
            }

            if (end.Text == "else")
            {
                _soft = true;
                otherwise = ParseToEnd("endif");
                _soft = false;
            }

            return new IfNode(branches, otherwise, line);
        }
    }

    private ForNode ParseFor()
    {
        int line = ExpectName("for").Line;
        Expr target = ParseTarget("in");
        ExpectName("in");
        Expr items = ParseTuple(withCondition: false, extraEnd: "recursive");
        Expr? test = SkipName("if") ? ParseExpression() : null;
        bool recursive = SkipName("recursive");
        _loops++;
        List<Node> body = ParseStatements("endfor", "else");
        _loops--;
        List<Node> otherwise = Next().Text == "endfor" ? [] : ParseToEnd("endfor");
        return new ForNode(target, items, test, recursive, body, otherwise, line);
    }

    private Node ParseSet()
    {
        int line = Next().Line;
        Expr target = ParseTarget(withNamespace: true);
        if (Skip("="))
        {
            return new SetNode(target, ParseTuple(), line);
        }

        FilterExpr? filter = Current.Is("|") ? (FilterExpr)ParseFilters(null, startInline: false)! : null;
        return new SetBlockNode(target, filter, ParseToEnd("endset"), line);
    }

    private WithNode ParseWith()
    {
        int line = Next().Line;
        List<(Expr, Expr)> values = [];
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (values.Count > 0)
            {
                ExpectOp(",");
            }

            Expr target = ParseTarget();
            ExpectOp("=");
            values.Add((target, ParseExpression()));
        }

        return new WithNode(values, ParseToEnd("endwith"), line);
    }

    private MacroNode ParseMacro()
    {
        int line = Next().Line;
        string name = Assignable(Expect(TokenKind.Name));
        return new MacroNode(ParseShape(name, "endmacro", ParseSignature), line);
    }

    private CallNode ParseCallBlock()
    {
        int line = Next().Line;
        CallExpr? call = null;
        MacroShape caller = ParseShape(null, "endcall", () =>
        {
            List<(string, Expr?)> parameters = Current.Is("(") ? ParseSignature() : [];
            call = ParseExpression() as CallExpr ?? throw Fail("expected call");
            return parameters;
        });
        return new CallNode(call!, caller, line);
    }

    private MacroShape ParseShape(string? name, string end, Func<List<(string, Expr?)>> head)
    {
        int loops = _loops;
        _loops = 0;
        List<(string Name, Expr?)> parameters = head();
        string[] outside = [.. _names];
        _names.Clear();
        List<Node> body = ParseToEnd(end);
        bool Uses(string special) => _names.Contains(special) && !parameters.Exists(p => p.Name == special);
        MacroShape shape = new(name, parameters, body, Uses("caller"), Uses("kwargs"), Uses("varargs"));
        _names.UnionWith(outside);
        _loops = loops;
        return shape;
    }

    private List<(string Name, Expr? Default)> ParseSignature()
    {
        ExpectOp("(");
        List<(string, Expr? Default)> parameters = [];
        while (!Current.Is(")"))
        {
            if (parameters.Count > 0)
            {
                ExpectOp(",");
            }

            string name = Assignable(Expect(TokenKind.Name));
            if (Skip("="))
            {
                parameters.Add((name, ParseExpression()));
            }
            else
            {
                parameters.Add(parameters.Count > 0 && parameters[^1].Default is not null ? throw Fail("non-default argument follows default argument") : (name, null));
            }
        }

        Next();
        return parameters;
    }

    private FilterNode ParseFilterBlock()
    {
        int line = Next().Line;
        FilterExpr filter = (FilterExpr)ParseFilters(null, startInline: true)!;
        return new FilterNode(filter, ParseToEnd("endfilter"), line);
    }

    private static string Assignable(Token name) => name.Text is "true" or "false" or "none" or "True" or "False" or "None"
        ? throw TemplateException.Syntax("can't assign to 'const'", name.Line)
        : name.Text;

    private Expr ParseTarget(string? end = null, bool withNamespace = false)
    {
        Expr target = ParseTuple(simplified: true, extraEnd: end, withNamespace: withNamespace);
        CheckTarget(target);
        return target;
    }

    private static void CheckTarget(Expr target)
    {
        switch (target)
        {
            case NameExpr or NamespaceExpr:
                break;
            case TupleExpr tuple:
                foreach (Expr item in tuple.Items)
                {
                    CheckTarget(item);
                }

                break;
            default:
                string kind = target.GetType().Name[..^4].ToLowerInvariant();
                throw TemplateException.Syntax($"can't assign to '{kind}'", target.Line);
        }
    }
}
