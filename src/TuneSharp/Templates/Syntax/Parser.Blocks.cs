namespace TuneSharp.Templates;

/// <content>Blocks, macros, assignments.</content>
internal sealed partial class Parser
{
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
        int caller = parameters.IndexOf("caller");
        return caller < 0 || caller >= parameters.Count - defaults.Count
            ? ((string[])[.. parameters], (Expression[])[.. defaults])
            : throw new TemplateException(
                "TemplateAssertionError",
                "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.",
                Current.Line);
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
}
