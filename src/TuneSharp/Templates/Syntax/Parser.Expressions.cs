namespace TuneSharp.Templates;

/// <content>Expressions.</content>
internal sealed partial class Parser
{
    private Expression ParseExpression(bool withCondition = true)
    {
        Budget.CheckStack();
        return withCondition ? ParseCondition() : ParseOr();
    }

    private Expression ParseCondition()
    {
        int line = Current.Line;
        int unknown = _unknown.Count;
        Expression value = ParseOr();
        while (SkipName("if"))
        {
            Expression test = ParseOr();
            Expression? otherwise = SkipName("else") ? ParseCondition() : null;
            value = new ConditionNode(test, value, otherwise, line);
            for (int i = unknown; i < _unknown.Count; i++)
            {
                _unknown[i] = (_unknown[i].Error, Soft: true);
            }

            line = Current.Line;
        }

        return value;
    }

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        while (SkipName("or"))
        {
            left = new OrNode(left, ParseAnd());
        }

        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        while (SkipName("and"))
        {
            left = new AndNode(left, ParseNot());
        }

        return left;
    }

    private Expression ParseNot()
    {
        Budget.CheckStack();
        return SkipName("not") ? new NotNode(ParseNot()) : ParseComparison();
    }

    private Expression ParseComparison()
    {
        Expression first = ParseSum();
        List<(string, Expression)> rest = [];
        while (true)
        {
            if (Current.Type is "eq" or "ne" or "lt" or "lteq" or "gt" or "gteq")
            {
                string symbol = Next().Text;
                rest.Add((symbol, ParseSum()));
            }
            else if (SkipName("in"))
            {
                rest.Add(("in", ParseSum()));
            }
            else if (Current.Is("not") && Ahead.Is("in"))
            {
                Next();
                Next();
                rest.Add(("not in", ParseSum()));
            }
            else
            {
                return rest.Count == 0 ? first : new CompareNode(first, [.. rest]);
            }
        }
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcat();
        while (Current.Type is "add" or "sub")
        {
            string symbol = Next().Text;
            left = new BinaryNode(symbol, left, ParseConcat());
        }

        return left;
    }

    private Expression ParseConcat()
    {
        Expression first = ParseProduct();
        if (Current.Type != "tilde")
        {
            return first;
        }

        List<Expression> parts = [first];
        while (Current.Type == "tilde")
        {
            Next();
            parts.Add(ParseProduct());
        }

        return new ConcatNode([.. parts]);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (Current.Type is "mul" or "div" or "floordiv" or "mod")
        {
            string symbol = Next().Text;
            left = new BinaryNode(symbol, left, ParsePower());
        }

        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseUnary();
        while (Current.Type == "pow")
        {
            Next();
            left = new BinaryNode("**", left, ParseUnary());
        }

        return left;
    }

    private Expression ParseUnary(bool withFilter = true)
    {
        Budget.CheckStack();
        Expression node = Current.Type is "sub" or "add" ? new UnaryNode(Next().Text, ParseUnary(withFilter: false)) : ParsePrimary();
        node = ParsePostfix(node);
        return withFilter ? ParseFilters(node) : node;
    }

    private Expression ParsePostfix(Expression node)
    {
        while (true)
        {
            switch (Current.Type)
            {
                case "dot" or "lbracket":
                    node = ParseSubscript(node);
                    break;
                case "lparen":
                    node = ParseCall(node);
                    break;
                default:
                    return node;
            }
        }
    }

    private Expression ParseFilters(Expression node)
    {
        while (true)
        {
            if (Current.Type == "pipe")
            {
                node = ParseFilter(node)!;
            }
            else if (Current.Is("is"))
            {
                node = ParseTest(node);
            }
            else if (Current.Type == "lparen")
            {
                node = ParseCall(node);
            }
            else
            {
                return node;
            }
        }
    }

    private Expression ParseSubscript(Expression node)
    {
        if (Next().Type == "dot")
        {
            Token name = Next();
            return name.Type switch
            {
                "name" => new AttributeNode(node, name.Text),
                "integer" => new ItemNode(node, new ConstantNode(name.Value)),
                _ => throw Fail("expected name or number", name.Line),
            };
        }

        List<Expression> items = [];
        while (Current.Type != "rbracket")
        {
            if (items.Count > 0)
            {
                Expect("comma");
            }

            items.Add(ParseSubscribed());
        }

        Expect("rbracket");
        return new ItemNode(node, items.Count == 1 ? items[0] : new TupleNode([.. items]));
    }

    private Expression ParseSubscribed()
    {
        Expression? start = null;
        if (Current.Type != "colon")
        {
            start = ParseExpression();
            if (Current.Type != "colon")
            {
                return start;
            }
        }

        Next();
        Expression? stop = Current.Type is "colon" or "rbracket" or "comma" ? null : ParseExpression();
        Expression? step = null;
        if (Current.Type == "colon")
        {
            Next();
            step = Current.Type is "rbracket" or "comma" ? null : ParseExpression();
        }

        return new SliceNode(start, stop, step);
    }

    private CallNode ParseCall(Expression node) => new(node, ParseArguments());

    private ArgumentNodes ParseArguments()
    {
        Token open = Expect("lparen");
        List<Expression> positional = [];
        List<(string, Expression)> named = [];
        Expression? rest = null;
        Expression? namedRest = null;
        void Ensure(bool holds)
        {
            if (!holds)
            {
                throw Fail("invalid syntax for function call expression", open.Line);
            }
        }

        bool comma = false;
        while (Current.Type != "rparen")
        {
            if (comma)
            {
                Expect("comma");
                if (Current.Type == "rparen")
                {
                    break;
                }
            }

            if (Current.Type == "mul")
            {
                Ensure(rest is null && namedRest is null);
                Next();
                rest = ParseExpression();
            }
            else if (Current.Type == "pow")
            {
                Ensure(namedRest is null);
                Next();
                namedRest = ParseExpression();
            }
            else if (Current.Type == "name" && Ahead.Type == "assign")
            {
                Ensure(namedRest is null);
                string key = Next().Text;
                Next();
                named.Add((key, ParseExpression()));
            }
            else
            {
                Ensure(rest is null && namedRest is null && named.Count == 0);
                positional.Add(ParseExpression());
            }

            comma = true;
        }

        Expect("rparen");
        return new ArgumentNodes([.. positional], [.. named], rest, namedRest);
    }

    private string DottedName()
    {
        string name = Expect("name").Text;
        while (Current.Type == "dot")
        {
            Next();
            name += "." + Expect("name").Text;
        }

        return name;
    }

    private Expression? ParseFilter(Expression? node, bool startsInline = false)
    {
        while (Current.Type == "pipe" || startsInline)
        {
            if (!startsInline)
            {
                Next();
            }

            int line = Current.Line;
            string name = DottedName();
            ArgumentNodes arguments = Current.Type == "lparen" ? ParseArguments() : ArgumentNodes.None;
            FilterNode filter = new(node, name, arguments, line);
            if (!filter.IsKnown)
            {
                _unknown.Add((filter.Unknown(), _soft));
            }

            node = filter;
            startsInline = false;
        }

        return node;
    }

    private Expression ParseTest(Expression node)
    {
        int line = Next().Line;
        bool negated = SkipName("not");
        string name = DottedName();
        ArgumentNodes arguments = ArgumentNodes.None;
        if (Current.Type == "lparen")
        {
            arguments = ParseArguments();
        }
        else if (Current.Type is "name" or "string" or "integer" or "float" or "lbracket" or "lbrace"
            && !Current.Is("else") && !Current.Is("or") && !Current.Is("and"))
        {
            if (Current.Is("is"))
            {
                throw Fail("You cannot chain multiple tests with is", Current.Line);
            }

            arguments = new ArgumentNodes([ParsePostfix(ParsePrimary())], [], null, null);
        }

        TestNode test = new(node, name, arguments, line);
        if (!test.IsKnown)
        {
            _unknown.Add((test.Unknown(), _soft));
        }

        return negated ? new NotNode(test) : test;
    }
}
