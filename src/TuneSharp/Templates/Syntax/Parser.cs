namespace TuneSharp.Templates;

/// <summary>Reads tokens into statements, with Jinja2's grammar and its messages.</summary>
internal sealed partial class Parser
{
    private readonly List<Token> _tokens;
    private readonly List<string> _tags = [];
    private readonly List<string[]> _ends = [];
    private readonly List<(TemplateException Error, bool Soft)> _unknown = [];
    private bool _soft;
    private int _loops;
    private int _at;

    private Parser(List<Token> tokens) => _tokens = tokens;

    public static Statement[] Parse(string source)
    {
        Parser parser = new(Lexer.Tokenize(source));
        Statement[] body = [.. parser.ParseBody(null)];

        // A filter that does not exist is an error now, except where a condition may keep it from being used.
        return parser._unknown.Find(u => !u.Soft).Error is { } error ? throw error : body;
    }

    private Token Current => _tokens[_at];

    private Token Ahead => _tokens[Math.Min(_at + 1, _tokens.Count - 1)];

    private Token Next()
    {
        Token token = Current;
        _at = Math.Min(_at + 1, _tokens.Count - 1);
        return token;
    }

    private bool SkipName(string name)
    {
        bool there = Current.Is(name);
        if (there)
        {
            Next();
        }

        return there;
    }

    private Token Expect(string expression)
    {
        if (Current.Test(expression))
        {
            return Next();
        }

        string expected = Repr.Of(Token.Describe(expression));
        throw Fail(
            Current.Type == "eof" ? $"unexpected end of template, expected {expected}." : $"expected token {expected}, got {Repr.Of(Current.Describe())}",
            Current.Line);
    }

    private static TemplateException Fail(string message, int line) => new("TemplateSyntaxError", message, line);

    private TemplateException UnknownTag(string? name, int line)
    {
        List<string> message = [name is null ? "Unexpected end of template." : $"Encountered unknown tag {Repr.Of(name)}."];
        if (_ends.Count > 0)
        {
            string looking = string.Join(" or ", _ends[^1].Select(e => Repr.Of(Token.Describe(e))));
            message.Add(name is not null && _ends.Any(e => e.Any(x => Token.Describe(x) == name))
                ? $"You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}."
                : $"Jinja was looking for the following tags: {looking}.");
        }

        if (_tags.Count > 0)
        {
            message.Add($"The innermost block that needs to be closed is {Repr.Of(_tags[^1])}.");
        }

        return Fail(string.Join(' ', message), line);
    }

    /// <summary>Statements up to one of the end tags, which is left as the current token; to the end of the template with none.</summary>
    private List<Statement> ParseBody(string[]? ends)
    {
        Budget.CheckStack();
        List<Statement> body = [];
        if (ends is not null)
        {
            _ends.Add(ends);
        }

        while (Current.Type != "eof")
        {
            switch (Current.Type)
            {
                case "data":
                    body.Add(new TextNode(Next().Text));
                    break;
                case "variable_begin":
                    Next();
                    body.Add(new OutputNode(ParseTuple()));
                    Expect("variable_end");
                    break;
                default:
                    Next();
                    if (ends is not null && ends.Any(e => Current.Test(e)))
                    {
                        _ends.RemoveAt(_ends.Count - 1);
                        return body;
                    }

                    body.AddRange(ParseStatement());
                    Expect("block_end");
                    break;
            }
        }

        if (ends is not null)
        {
            throw UnknownTag(null, Current.Line);
        }

        return body;
    }

    private Statement[] ParseStatements(bool dropEnd, params string[] ends)
    {
        if (Current.Type == "colon")
        {
            Next();
        }

        Expect("block_end");
        List<Statement> body = ParseBody(ends);
        if (dropEnd)
        {
            Next();
        }

        return [.. body];
    }

    private IEnumerable<Statement> ParseStatement()
    {
        Token token = Current;
        if (token.Type != "name")
        {
            throw Fail("tag name expected", token.Line);
        }

        _tags.Add(token.Text);
        IEnumerable<Statement> statements = token.Text switch
        {
            "for" => [ParseFor()],
            "if" => [ParseIf()],
            "block" => [ParseBlock()],
            "print" => ParsePrint(),
            "macro" => [ParseMacro()],
            "set" => [ParseSet()],
            "with" => [ParseWith()],
            "autoescape" => [ParseAutoescape()],
            "call" => [ParseCallBlock()],
            "filter" => [ParseFilterBlock()],
            "generation" => [ParseGeneration()],
            "break" or "continue" => [ParseLoopControl()],
            "extends" or "include" or "import" or "from" => [ParseOtherTemplate()],
            _ => throw Unknown(),
        };
        _tags.RemoveAt(_tags.Count - 1);
        return statements;

        TemplateException Unknown()
        {
            _tags.RemoveAt(_tags.Count - 1);
            return UnknownTag(token.Text, token.Line);
        }
    }

    private ForNode ParseFor()
    {
        int line = Next().Line;
        Expression target = ParseTarget();
        Expect("name:in");
        Expression items = ParseTuple(withCondition: false);
        Expression? filter = SkipName("if") ? ParseExpression() : null;
        bool recursive = SkipName("recursive");
        bool soft = _soft;
        _soft = false;
        _loops++;
        Statement[] body = ParseStatements(false, "name:endfor", "name:else");
        _loops--;
        Statement[] otherwise = Next().Text == "endfor" ? [] : ParseStatements(true, "name:endfor");
        _soft = soft;
        return new ForNode(target, items, filter, recursive, body, otherwise, line);
    }

    private IfNode ParseIf()
    {
        List<(Expression, Statement[])> branches = [];
        Statement[] otherwise = [];
        bool soft = _soft;
        _soft = true;
        while (true)
        {
            Next();
            Expression test = ParseTuple(withCondition: false);
            branches.Add((test, ParseStatements(false, "name:elif", "name:else", "name:endif")));
            if (Current.Is("elif"))
            {
                continue;
            }

            if (Next().Text == "else")
            {
                otherwise = ParseStatements(true, "name:endif");
            }

            _soft = soft;
            return new IfNode([.. branches], otherwise);
        }
    }

    private Expression ParseTarget(bool withNamespace = false)
    {
        int line = Current.Line;
        Expression target = ParseTuple(simplified: true, withNamespace: withNamespace);
        Check(target);
        return target;

        void Check(Expression node)
        {
            if (node is TupleNode tuple)
            {
                Array.ForEach(tuple.Items, Check);
            }
            else if (node is not (NameNode or NamespaceTarget))
            {
                string kind = node switch
                {
                    ConstantNode => "const",
                    ListNode => "list",
                    DictNode => "dict",
                    _ => node.GetType().Name.Replace("Node", "", StringComparison.Ordinal).ToLowerInvariant(),
                };
                throw Fail($"can't assign to '{(target is TupleNode ? "tuple" : kind)}'", line);
            }
        }
    }
}
