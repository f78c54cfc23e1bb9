using System.Globalization;

namespace TuneSharp.Config;

/// <summary>The arithmetic of <c>${eval:'…'}</c>: numbers, <c>+ - * / // % **</c> and brackets, with Python's meaning.</summary>
internal sealed class Arithmetic
{
    private const int MaxDepth = 64;
    private readonly string _text;
    private int _at;
    private int _depth;

    private Arithmetic(string text) => _text = text;

    /// <summary>The value: long while all parts are whole numbers and nothing is divided by <c>/</c>, else double.</summary>
    /// <exception cref="FormatException">It is not arithmetic; the message says where.</exception>
    public static object Evaluate(string text)
    {
        Arithmetic reader = new(text);
        try
        {
            object value = reader.Sum();
            reader.SkipSpace();
            return reader._at == text.Length ? value : throw reader.Wrong();
        }
        catch (OverflowException e)
        {
            throw new FormatException($"`{text}` is too large a number", e);
        }
    }

    private object Sum()
    {
        if (++_depth > MaxDepth)
        {
            throw new FormatException($"`{_text}` is nested too deeply");
        }

        object left = Product();
        while (Accept("+", "-") is { } op)
        {
            left = Apply(op, left, Product());
        }

        _depth--;
        return left;
    }

    private object Product()
    {
        object left = Signed();
        while (Accept("//", "*", "/", "%") is { } op)
        {
            left = Apply(op, left, Signed());
        }

        return left;
    }

    private object Signed() => Accept("+", "-") switch
    {
        "-" => Apply("-", 0L, Signed()),
        "+" => Signed(),
        _ => Power(),
    };

    private object Power()
    {
        object left = Atom();
        return Accept("**") is null ? left : Apply("**", left, Signed());
    }

    private object Atom()
    {
        if (Accept("(") is not null)
        {
            object inner = Sum();
            return Accept(")") is not null ? inner : throw Wrong();
        }

        SkipSpace();
        int from = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '.' or '_'
            || (_text[_at] is '+' or '-' && _at > from && _text[_at - 1] is 'e' or 'E')))
        {
            _at++;
        }

        return YamlScalars.Resolve(_text[from.._at]) switch
        {
            long whole => (object)whole,
            double real => real,
            _ => throw Wrong(),
        };
    }

    private object Apply(string op, object left, object right)
    {
        if (op is "/" or "//" or "%" && Convert.ToDouble(right, CultureInfo.InvariantCulture) == 0)
        {
            throw new FormatException($"`{_text}` divides by zero");
        }

        if (left is long a && right is long b)
        {
            switch (op)
            {
                case "+": return checked(a + b);
                case "-": return checked(a - b);
                case "*": return checked(a * b);
                case "//": return FloorDivide(a, b);
                case "%": return checked(a - FloorDivide(a, b) * b);
                case "**" when b >= 0: return WholePower(a, b);
            }
        }

        double x = Convert.ToDouble(left, CultureInfo.InvariantCulture);
        double y = Convert.ToDouble(right, CultureInfo.InvariantCulture);
        return op switch
        {
            "+" => x + y,
            "-" => x - y,
            "*" => x * y,
            "/" => x / y,
            "//" => Math.Floor(x / y),
            "%" => x - Math.Floor(x / y) * y,
            _ => Math.Pow(x, y),
        };
    }

    private static long FloorDivide(long a, long b) =>
        checked(a / b) - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);

    private static long WholePower(long a, long b)
    {
        long result = 1;
        for (long i = 0; i < b && result is not 0 && a is not 1; i++)
        {
            result = checked(result * a);
            if (a == -1 && i > 1)
            {
                return b % 2 == 0 ? 1 : -1;
            }
        }

        return result;
    }

    private string? Accept(params ReadOnlySpan<string> operators)
    {
        SkipSpace();
        foreach (string op in operators)
        {
            // `*` must not take half of `**`.
            if (string.CompareOrdinal(_text, _at, op, 0, op.Length) == 0
                && !(op == "*" && string.CompareOrdinal(_text, _at, "**", 0, 2) == 0))
            {
                _at += op.Length;
                return op;
            }
        }

        return null;
    }

    private void SkipSpace()
    {
        while (_at < _text.Length && char.IsWhiteSpace(_text[_at]))
        {
            _at++;
        }
    }

    private FormatException Wrong() => new(_at < _text.Length
        ? $"`{_text}` is not arithmetic from `{_text[_at..]}` on"
        : $"`{_text}` ends too early");
}
