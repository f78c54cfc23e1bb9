using System.Runtime.CompilerServices;

namespace TuneSharp.Templates;

/// <content>Expressions, loosest first. The order is Jinja2's, not Python's: <c>~</c> binds tighter than <c>+</c>, a sign tighter than <c>**</c>.</content>
internal sealed partial class Parser
{
    private Expr ParseExpression(bool withCondition = true) => withCondition ? ParseCondition() : ParseOr();

    private Expr ParseCondition()
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        Expr value = ParseOr();
        while (Current.IsName("if"))
        {
            int line = Next().Line;
            Expr test = Softly(ParseOr);
            Expr? otherwise = SkipName("else") ? Softly(ParseCondition) : null;
            value = new ConditionExpr(test, value, otherwise, line);
        }

        return value;
    }

    private Expr Softly(Func<Expr> parse)
    {
        bool soft = _soft;
        _soft = true;
        Expr value = parse();
        _soft = soft;
        return value;
    }

    private Expr ParseOr()
    {
        Expr left = ParseAnd();
        while (Current.IsName("or"))
        {
            int line = Next().Line;
            left = new LogicExpr(false, left, ParseAnd(), line);
        }

        return left;
    }

    private Expr ParseAnd()
    {
        Expr left = ParseNot();
        while (Current.IsName("and"))
        {
            int line = Next().Line;
            left = new LogicExpr(true, left, ParseNot(), line);
        }

        return left;
    }

    private Expr ParseNot()
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        int line = Current.Line;
        return SkipName("not") ? new NotExpr(ParseNot(), line) : ParseCompare();
    }

    private Expr ParseCompare()
    {
        int line = Current.Line;
        Expr first = ParseSum();
        List<(string, Expr)> rest = [];
        while (true)
        {
            if (Current.Kind == TokenKind.Operator && Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
            {
                rest.Add((Next().Text, ParseSum()));
            }
            else if (SkipName("in"))
            {
                rest.Add(("in", ParseSum()));
            }
            else if (Current.IsName("not") && Look().IsName("in"))
            {
                _at += 2;
                rest.Add(("not in", ParseSum()));
            }
            else
            {
                return rest.Count == 0 ? first : new CompareExpr(first, rest, line);
            }
        }
    }

    private Expr ParseSum()
    {
        Expr left = ParseConcat();
        while (Current.Is("+") || Current.Is("-"))
        {
            Token op = Next();
            left = new BinaryExpr(op.Text, left, ParseConcat(), op.Line);
        }

        return left;
    }

    private Expr ParseConcat()
    {
        int line = Current.Line;
        List<Expr> items = [ParseProduct()];
        while (Skip("~"))
        {
            items.Add(ParseProduct());
        }

        return items.Count == 1 ? items[0] : new ConcatExpr(items, line);
    }

    private Expr ParseProduct()
    {
        Expr left = ParsePower();
        while (Current.Kind == TokenKind.Operator && Current.Text is "*" or "/" or "//" or "%")
        {
            Token op = Next();
            left = new BinaryExpr(op.Text, left, ParsePower(), op.Line);
        }

        return left;
    }

    private Expr ParsePower()
    {
        Expr left = ParseUnary();
        while (Current.Is("**"))
        {
            Token op = Next();
            left = new BinaryExpr(op.Text, left, ParseUnary(), op.Line);
        }

        return left;
    }

    private Expr ParseUnary(bool withFilter = true)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        Token token = Current;
        Expr value = Skip("-") ? new UnaryExpr('-', ParseUnary(withFilter: false), token.Line)
            : Skip("+") ? new UnaryExpr('+', ParseUnary(withFilter: false), token.Line)
            : ParsePrimary(withNamespace: false);
        value = ParsePostfix(value);
        return withFilter ? ParseFilterExpression(value) : value;
    }

    private Expr ParsePrimary(bool withNamespace)
    {
        Token token = Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                return ParseName(Next(), withNamespace);
            case TokenKind.String:
                string text = "";
                while (Current.Kind == TokenKind.String)
                {
                    text += (string)Next().Value!;
                }

                return new ConstExpr(text, token.Line);
            case TokenKind.Integer or TokenKind.Float:
                return new ConstExpr(Next().Value, token.Line);
            case TokenKind.Operator when token.Text == "(":
                Next();
                Expr inside = ParseTuple(explicitParentheses: true);
                ExpectOp(")");
                return inside;
            case TokenKind.Operator when token.Text == "[":
                Next();
                return new ListExpr(ParseItems("]", ParseValue), token.Line);
            case TokenKind.Operator when token.Text == "{":
                Next();
                return new DictExpr(ParseItems("}", ParsePair), token.Line);
            default:
                throw Fail($"unexpected {PyText.Repr(token.Describe())}");
        }
    }

    private Expr ParseName(Token token, bool withNamespace)
    {
        switch (token.Text)
        {
            case "true" or "True": return new ConstExpr(true, token.Line);
            case "false" or "False": return new ConstExpr(false, token.Line);
            case "none" or "None": return new ConstExpr(null, token.Line);
            default:
                if (withNamespace && Skip("."))
                {
                    return new NamespaceExpr(token.Text, Expect(TokenKind.Name).Text, token.Line);
                }

                _names.Add(token.Text);
                return new NameExpr(token.Text, token.Line);
        }
    }

    private Expr ParseValue() => ParseExpression();

    private (Expr, Expr) ParsePair()
    {
        Expr key = ParseExpression();
        ExpectOp(":");
        return (key, ParseExpression());
    }

    private List<T> ParseItems<T>(string end, Func<T> parse)
    {
        List<T> items = [];
        while (!Current.Is(end))
        {
            if (items.Count > 0)
            {
                ExpectOp(",");
            }

            if (Current.Is(end))
            {
                break;
            }

            items.Add(parse());
        }

        ExpectOp(end);
        return items;
    }

    private Expr ParseTuple(
        bool simplified = false, bool withCondition = true, string? extraEnd = null, bool explicitParentheses = false, bool withNamespace = false)
    {
        int line = Current.Line;
        List<Expr> items = [];
        bool isTuple = false;
        while (true)
        {
            if (items.Count > 0)
            {
                ExpectOp(",");
            }

            if (Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || Current.Is(")") || (extraEnd is not null && Current.IsName(extraEnd)))
            {
                break;
            }

            items.Add(simplified ? ParsePrimary(withNamespace) : ParseExpression(withCondition));
            if (!Current.Is(","))
            {
                break;
            }

            isTuple = true;
        }

        if (!isTuple)
        {
            if (items.Count > 0)
            {
                return items[0];
            }

            if (!explicitParentheses)
            {
                throw Fail($"Expected an expression, got {PyText.Repr(Current.Describe())}");
            }
        }

        return new TupleExpr(items, line);
    }

    private Expr ParsePostfix(Expr value)
    {
        while (true)
        {
            if (Current.Is(".") || Current.Is("["))
            {
                value = ParseSubscript(value);
            }
            else if (Current.Is("("))
            {
                int line = Current.Line;
                value = new CallExpr(value, ParseArguments(), line);
            }
            else
            {
                return value;
            }
        }
    }

    private Expr ParseFilterExpression(Expr value)
    {
        while (true)
        {
            if (Current.Is("|"))
            {
                value = ParseFilters(value, startInline: false)!;
            }
            else if (Current.IsName("is"))
            {
                value = ParseTest(value);
            }
            else if (Current.Is("("))
            {
                int line = Current.Line;
                value = new CallExpr(value, ParseArguments(), line);
            }
            else
            {
                return value;
            }
        }
    }

    private Expr ParseSubscript(Expr value)
    {
        Token token = Next();
        if (token.Text == ".")
        {
            Token name = Next();
            return name.Kind switch
            {
                TokenKind.Name => new AttributeExpr(value, name.Text, token.Line),
                TokenKind.Integer => new ItemExpr(value, new ConstExpr(name.Value, name.Line), token.Line),
                _ => throw TemplateException.Syntax("expected name or number", name.Line),
            };
        }

        List<Expr> items = [];
        while (!Current.Is("]"))
        {
            if (items.Count > 0)
            {
                ExpectOp(",");
            }

            items.Add(ParseSubscribed());
        }

        Next();
        return new ItemExpr(value, items.Count == 1 ? items[0] : new TupleExpr(items, token.Line), token.Line);
    }

    private Expr ParseSubscribed()
    {
        int line = Current.Line;
        Expr?[] parts = new Expr?[3];
        int part = 0;
        if (!Current.Is(":"))
        {
            parts[0] = ParseExpression();
            if (!Current.Is(":"))
            {
                return parts[0]!;
            }
        }

        while (part < 2 && Skip(":"))
        {
            part++;
            if (!Current.Is(":") && !Current.Is("]") && !Current.Is(","))
            {
                parts[part] = ParseExpression();
            }
        }

        return new SliceExpr(parts[0], parts[1], parts[2], line);
    }

    private Arguments ParseArguments()
    {
        ExpectOp("(");
        List<Expr> positional = [];
        List<(string, Expr)> named = [];
        (Expr? rest, Expr? namedRest) = (null, null);
        bool needsComma = false;
        while (!Current.Is(")"))
        {
            if (needsComma)
            {
                ExpectOp(",");
                if (Current.Is(")"))
                {
                    break;
                }
            }

            bool inOrder;
            if (Skip("*"))
            {
                inOrder = rest is null && namedRest is null;
                rest = ParseExpression();
            }
            else if (Skip("**"))
            {
                inOrder = namedRest is null;
                namedRest = ParseExpression();
            }
            else if (Current.Kind == TokenKind.Name && Look().Is("="))
            {
                inOrder = namedRest is null;
                string name = Next().Text;
                Next();
                named.Add((name, ParseExpression()));
            }
            else
            {
                inOrder = rest is null && namedRest is null && named.Count == 0;
                positional.Add(ParseExpression());
            }

            if (!inOrder)
            {
                throw Fail("invalid syntax for function call expression");
            }

            needsComma = true;
        }

        Next();
        return new Arguments(positional, named, rest, namedRest);
    }

    private Expr? ParseFilters(Expr? value, bool startInline)
    {
        while (Current.Is("|") || startInline)
        {
            if (!startInline)
            {
                Next();
            }

            int line = Current.Line;
            string name = DottedName();
            Arguments arguments = Current.Is("(") ? ParseArguments() : Arguments.None;
            if (!_soft && !Filters.Contains(name) && !ConditionFollows())
            {
                throw new TemplateException("TemplateAssertionError", $"No filter named {PyText.Repr(name)}.", line);
            }

            value = new FilterExpr(value, name, arguments, line);
            startInline = false;
        }

        return value;
    }

    private Expr ParseTest(Expr value)
    {
        int line = Next().Line;
        bool negated = SkipName("not");
        string name = DottedName();
        Arguments arguments = Arguments.None;
        if (Current.Is("("))
        {
            arguments = ParseArguments();
        }
        else if ((Current.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float || Current.Is("(") || Current.Is("[") || Current.Is("{"))
            && !(Current.Kind == TokenKind.Name && Current.Text is "else" or "or" or "and" or "if"))
        {
            if (Current.IsName("is"))
            {
                throw Fail("You cannot chain multiple tests with is");
            }

            arguments = new Arguments([ParsePostfix(ParsePrimary(withNamespace: false))], []);
        }

        if (!_soft && !Tests.Contains(name) && !ConditionFollows())
        {
            throw new TemplateException("TemplateAssertionError", $"No test named {PyText.Repr(name)}.", line);
        }

        TestExpr test = new(value, name, arguments, line);
        return negated ? new NotExpr(test, line) : test;
    }

    private string DottedName()
    {
        string name = Expect(TokenKind.Name).Text;
        while (Skip("."))
        {
            name += "." + Expect(TokenKind.Name).Text;
        }

        return name;
    }

    /// <summary>Whether this stands in the first part of <c>a if b</c>, where an unknown name may stay unreached.</summary>
    private bool ConditionFollows()
    {
        int depth = 0;
        for (int at = _at; at < _tokens.Count && _tokens[at].Kind is not (TokenKind.VariableEnd or TokenKind.BlockEnd or TokenKind.End); at++)
        {
            Token token = _tokens[at];
            depth += token.Is("(") || token.Is("[") || token.Is("{") ? 1 : token.Is(")") || token.Is("]") || token.Is("}") ? -1 : 0;
            if (depth < 0 || (depth == 0 && token.Is(",")))
            {
                return false;
            }

            if (depth == 0 && token.IsName("if"))
            {
                return true;
            }
        }

        return false;
    }
}
