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
        Expression target = ParseTarget(end: "name:in");
        Expect("name:in");
        Expression items = ParseTuple(withCondition: false, end: "name:recursive");
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

    private BlockNode ParseBlock()
    {
        Next();
        string name = Expect("name").Text;
        SkipName("scoped");
        SkipName("required");
        if (Current.Type == "sub")
        {
            throw Fail(
                "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.", Current.Line);
        }

        Statement[] body = ParseInner("name:endblock");
        SkipName(name);
        return new BlockNode(body);
    }

    private List<Statement> ParsePrint()
    {
        Next();
        List<Statement> outputs = [];
        while (Current.Type != "block_end")
        {
            if (outputs.Count > 0)
            {
                Expect("comma");
            }

            outputs.Add(new OutputNode(ParseExpression()));
        }

        return outputs;
    }

    private MacroNode ParseMacro()
    {
        Next();
        string name = Expect("name").Text;
        CheckAssignable(name);
        (string[] parameters, Expression[] defaults) = ParseSignature();
        return new MacroNode(name, parameters, defaults, ParseOwnLoops("name:endmacro"));
    }

    /// <summary>A body that is a function of its own: a loop around it cannot be left from inside.</summary>
    private Statement[] ParseOwnLoops(string end)
    {
        int loops = _loops;
        _loops = 0;
        Statement[] body = ParseInner(end);
        _loops = loops;
        return body;
    }

    /// <summary>A body with a scope of its own: for Jinja2 a condition around it says nothing about what is inside.</summary>
    private Statement[] ParseInner(string end)
    {
        bool soft = _soft;
        _soft = false;
        Statement[] body = ParseStatements(true, end);
        _soft = soft;
        return body;
    }

    private (string[] Parameters, Expression[] Defaults) ParseSignature()
    {
        List<string> parameters = [];
        List<Expression> defaults = [];
        Expect("lparen");
        while (Current.Type != "rparen")
        {
            if (parameters.Count > 0)
            {
                Expect("comma");
            }

            string name = Expect("name").Text;
            CheckAssignable(name);
            if (Current.Type == "assign")
            {
                Next();
                defaults.Add(ParseExpression());
            }
            else if (defaults.Count > 0)
            {
                throw Fail("non-default argument follows default argument", Current.Line);
            }

            parameters.Add(name);
        }

        Expect("rparen");
        return ([.. parameters], [.. defaults]);
    }

    private void CheckAssignable(string name)
    {
        if (name is "true" or "false" or "none" or "True" or "False" or "None")
        {
            throw Fail("can't assign to 'name'", Current.Line);
        }
    }

    private Statement ParseSet()
    {
        Next();
        Expression target = ParseTarget(withNamespace: true);
        if (Current.Type == "assign")
        {
            Next();
            return new SetNode(target, ParseTuple());
        }

        Expression? filter = ParseFilter(null);
        return new SetBlockNode(target, filter, ParseInner("name:endset"));
    }

    private WithNode ParseWith()
    {
        Next();
        List<(Expression, Expression)> values = [];
        while (Current.Type != "block_end")
        {
            if (values.Count > 0)
            {
                Expect("comma");
            }

            Expression target = ParseTarget();
            Expect("assign");
            values.Add((target, ParseExpression()));
        }

        return new WithNode([.. values], ParseInner("name:endwith"));
    }

    private AutoescapeNode ParseAutoescape()
    {
        Next();
        Expression on = ParseExpression();
        return new AutoescapeNode(on, ParseInner("name:endautoescape"));
    }

    private CallBlockNode ParseCallBlock()
    {
        int line = Next().Line;
        (string[] parameters, Expression[] defaults) = Current.Type == "lparen" ? ParseSignature() : ([], []);
        CallNode call = ParseExpression() as CallNode ?? throw Fail("expected call", line);
        return new CallBlockNode(parameters, defaults, call, ParseOwnLoops("name:endcall"));
    }

    private FilterBlockNode ParseFilterBlock()
    {
        Next();
        Expression filter = ParseFilter(null, startsInline: true)!;
        return new FilterBlockNode(filter, ParseInner("name:endfilter"));
    }

    private GenerationNode ParseGeneration()
    {
        Next();
        return new GenerationNode(ParseOwnLoops("name:endgeneration"));
    }

    private LoopControlNode ParseLoopControl()
    {
        Token token = Next();
        return _loops > 0 ? new LoopControlNode(token.Text == "break")
            : throw Fail(token.Text == "break" ? "'break' outside loop" : "'continue' not properly in loop", token.Line);
    }

    /// <summary>Templates here stand alone: what another one is named by is read, and using it is the error that Jinja2 gives without a loader.</summary>
    private OtherTemplateNode ParseOtherTemplate()
    {
        Next();
        ParseExpression();
        while (Current.Type is "name" or "comma")
        {
            Next();
        }

        return new OtherTemplateNode();
    }

    private Expression ParseTarget(string? end = null, bool withNamespace = false)
    {
        int line = Current.Line;
        Expression target = ParseTuple(simplified: true, end: end, withNamespace: withNamespace);
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
