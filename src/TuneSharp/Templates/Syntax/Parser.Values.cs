namespace TuneSharp.Templates;

/// <content>Names, literals, tuples.</content>
internal sealed partial class Parser
{
    private Expression ParsePrimary(bool withNamespace = false)
    {
        Token token = Current;
        switch (token.Type)
        {
            case "name":
                Next();
                switch (token.Text)
                {
                    case "true" or "True" or "false" or "False":
                        return new ConstantNode(token.Text is "true" or "True");
                    case "none" or "None":
                        return new ConstantNode(null);
                }

                if (withNamespace && Current.Type == "dot")
                {
                    Next();
                    return new NamespaceTarget(token.Text, Expect("name").Text);
                }

                return new NameNode(token.Text);
            case "string":
                string text = Next().Text;
                while (Current.Type == "string")
                {
                    text += Next().Text;
                }

                return new ConstantNode(text);
            case "integer" or "float":
                return new ConstantNode(Next().Value);
            case "lparen":
                Next();
                Expression inner = ParseTuple(explicitParentheses: true);
                Expect("rparen");
                return inner;
            case "lbracket":
                return ParseList();
            case "lbrace":
                return ParseDict();
            default:
                throw Fail($"unexpected {Repr.Of(token.Describe())}", token.Line);
        }
    }

    private Expression ParseTuple(
        bool simplified = false, bool withCondition = true, bool explicitParentheses = false, bool withNamespace = false)
    {
        Budget.CheckStack();
        List<Expression> items = [];
        bool isTuple = false;
        while (true)
        {
            if (items.Count > 0)
            {
                Expect("comma");
            }

            if (Current.Type is "variable_end" or "block_end" or "rparen")
            {
                break;
            }

            items.Add(simplified ? ParsePrimary(withNamespace) : ParseExpression(withCondition));
            if (Current.Type != "comma")
            {
                break;
            }

            isTuple = true;
        }

        if (!isTuple && items.Count == 1)
        {
            return items[0];
        }

        return isTuple || explicitParentheses
            ? new TupleNode([.. items])
            : throw Fail($"Expected an expression, got {Repr.Of(Current.Describe())}", Current.Line);
    }

    private ListNode ParseList()
    {
        Expect("lbracket");
        List<Expression> items = [];
        while (Current.Type != "rbracket")
        {
            if (items.Count > 0)
            {
                Expect("comma");
            }

            if (Current.Type == "rbracket")
            {
                break;
            }

            items.Add(ParseExpression());
        }

        Expect("rbracket");
        return new ListNode([.. items]);
    }

    private DictNode ParseDict()
    {
        Expect("lbrace");
        List<(Expression, Expression)> items = [];
        while (Current.Type != "rbrace")
        {
            if (items.Count > 0)
            {
                Expect("comma");
            }

            if (Current.Type == "rbrace")
            {
                break;
            }

            Expression key = ParseExpression();
            Expect("colon");
            items.Add((key, ParseExpression()));
        }

        Expect("rbrace");
        return new DictNode([.. items]);
    }
}
