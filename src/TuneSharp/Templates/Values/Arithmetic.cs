using System.Numerics;

namespace TuneSharp.Templates;

/// <content>Arithmetic, concatenation, repetition.</content>
internal static partial class Operators
{
    public static object? Binary(string symbol, object? a, object? b)
    {
        if (a is Undefined u)
        {
            throw u.Failure();
        }

        if (symbol == "%" && IsText(a))
        {
            string text = Percent.Format(AsText(a)!, b, a is Markup);
            return a is Markup ? new Markup(text) : text;
        }

        if (b is Undefined v)
        {
            throw v.Failure();
        }

        if (AsNumber(a) is { } x && AsNumber(b) is { } y)
        {
            return x is BigInteger i && y is BigInteger j ? Integers(symbol, i, j) : Floats(symbol, ToFloat(x), ToFloat(y));
        }

        return symbol switch
        {
            "+" => Add(a, b),
            "*" => Multiply(a, b),
            _ => throw Unsupported(symbol, a, b),
        };
    }

    public static double ToFloat(object number) => number is BigInteger i ? Numbers.ToDouble(i) : (double)number;

    private static TemplateException Unsupported(string symbol, object? a, object? b) => TemplateException.Type(
        $"unsupported operand type(s) for {(symbol == "**" ? "** or pow()" : symbol)}: '{PyType.Name(a)}' and '{PyType.Name(b)}'");

    private static object Integers(string symbol, BigInteger a, BigInteger b)
    {
        switch (symbol)
        {
            case "+":
                return a + b;
            case "-":
                return a - b;
            case "*":
                CheckBits(a.GetBitLength() + b.GetBitLength());
                return a * b;
            case "/":
                return Divide(a, b);
            case "//":
                return FloorDivide(NonZero(b, a), b);
            case "%":
                return NonZero(b, a) - (FloorDivide(a, b) * b);
            default:
                if (b.Sign < 0)
                {
                    return a.IsZero ? throw new TemplateException("ZeroDivisionError", "zero to a negative power")
                        : Math.Pow(Numbers.ToDouble(a), Numbers.ToDouble(b));
                }

                if (BigInteger.Abs(a) > 1)
                {
                    CheckBits(b > int.MaxValue ? long.MaxValue : a.GetBitLength() * (long)b);
                }

                return BigInteger.Abs(a) <= 1 ? BigInteger.Pow(a, b.IsZero ? 0 : b.IsEven ? 2 : 1) : BigInteger.Pow(a, (int)b);
        }
    }

    private static void CheckBits(long bits)
    {
        if (bits > 1 << 20)
        {
            throw TemplateException.TooMuch("The template makes a number of more than a million bits. It is stopped, since it may fill the memory.");
        }

        Budget.Step(bits >> 10);
    }

    private static BigInteger NonZero(BigInteger divisor, BigInteger value) =>
        divisor.IsZero ? throw new TemplateException("ZeroDivisionError", "division by zero") : value;

    private static BigInteger FloorDivide(BigInteger a, BigInteger b)
    {
        BigInteger quotient = BigInteger.DivRem(a, b, out BigInteger rest);
        return !rest.IsZero && rest.Sign != b.Sign ? quotient - 1 : quotient;
    }

    private static double Divide(BigInteger a, BigInteger b)
    {
        NonZero(b, a);
        if (BigInteger.Abs(a) <= 1L << 53 && BigInteger.Abs(b) <= 1L << 53)
        {
            return (double)a / (double)b;
        }

        // Enough bits of the quotient for one correct rounding.
        int shift = (int)Math.Clamp(66 - (a.GetBitLength() - b.GetBitLength()), 0, 4096);
        BigInteger quotient = BigInteger.DivRem(BigInteger.Abs(a) << shift, BigInteger.Abs(b), out BigInteger rest);
        double result = Math.ScaleB(Numbers.ToDouble(rest.IsZero ? quotient : quotient | 1), -shift);
        return a.Sign * b.Sign < 0 ? -result : result;
    }

    private static double Floats(string symbol, double a, double b)
    {
        switch (symbol)
        {
            case "+":
                return a + b;
            case "-":
                return a - b;
            case "*":
                return a * b;
            case "**":
                if (a == 0 && b < 0)
                {
                    throw new TemplateException("ZeroDivisionError", "zero to a negative power");
                }

                double power = Math.Pow(a, b);
                return double.IsInfinity(power) && double.IsFinite(a) && double.IsFinite(b)
                    ? throw TemplateException.TooMuch("(34, 'Numerical result out of range')")
                    : power;
        }

        if (b == 0)
        {
            throw new TemplateException("ZeroDivisionError", "division by zero");
        }

        if (symbol == "/")
        {
            return a / b;
        }

        double rest = a % b;
        double quotient = (a - rest) / b;
        if (rest != 0 && rest < 0 != b < 0)
        {
            rest += b;
            quotient -= 1;
        }

        if (symbol == "%")
        {
            return rest == 0 ? Math.CopySign(0.0, b) : rest;
        }

        if (quotient == 0)
        {
            return Math.CopySign(0.0, a / b);
        }

        double floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    private static object Add(object? a, object? b)
    {
        if (IsText(a) && IsText(b))
        {
            string s = AsText(a)!;
            string t = AsText(b)!;
            if (a is Markup || b is Markup)
            {
                return new Markup((a as Markup ?? Markup.Escape(s)).Text + (b as Markup ?? Markup.Escape(t)).Text);
            }

            Budget.Text(s.Length + (long)t.Length);
            return s + t;
        }

        switch (a, b)
        {
            case (PyList l, PyList m):
                Budget.Items(l.Items.Count + (long)m.Items.Count);
                return new PyList([.. l.Items, .. m.Items]);
            case (PyTuple l, PyTuple m):
                Budget.Items(l.Items.Length + (long)m.Items.Length);
                return new PyTuple([.. l.Items, .. m.Items]);
            case (PyBytes l, PyBytes m):
                Budget.Text(l.Bytes.Length + (long)m.Bytes.Length);
                return new PyBytes([.. l.Bytes, .. m.Bytes]);
            case (string or PyList or PyTuple, _):
                string type = PyType.Name(a);
                throw TemplateException.Type($"can only concatenate {type} (not \"{PyType.Name(b)}\") to {type}");
            default:
                throw Unsupported("+", a, b);
        }
    }

    private static object Multiply(object? a, object? b)
    {
        if (AsNumber(a) is not null && b is string or Markup or PyList or PyTuple or PyBytes)
        {
            (a, b) = (b, a);
        }

        if (a is not (string or Markup or PyList or PyTuple or PyBytes))
        {
            throw Unsupported("*", a, b);
        }

        if (AsNumber(b) is not BigInteger times)
        {
            throw TemplateException.Type($"can't multiply sequence by non-int of type '{PyType.Name(b)}'");
        }

        int length = a is string s ? s.Length : Length(a);
        BigInteger total = BigInteger.Max(times, 0) * length;
        long size = total > long.MaxValue ? long.MaxValue : (long)total;
        int count = length == 0 ? 0 : (int)BigInteger.Max(0, BigInteger.Min(times, int.MaxValue));
        if (a is string or Markup or PyBytes)
        {
            Budget.Text(size);
        }
        else
        {
            Budget.Items(size);
        }

        return a switch
        {
            string text => string.Concat(Enumerable.Repeat(text, count)),
            Markup m => new Markup(string.Concat(Enumerable.Repeat(m.Text, count))),
            PyList l => new PyList([.. Enumerable.Repeat(l.Items, count).SelectMany(i => i)]),
            PyTuple t => new PyTuple([.. Enumerable.Repeat(t.Items, count).SelectMany(i => i)]),
            _ => new PyBytes([.. Enumerable.Repeat(((PyBytes)a).Bytes, count).SelectMany(i => i)]),
        };
    }

    public static object Unary(string symbol, object? value)
    {
        if (value is Undefined u)
        {
            throw u.Failure();
        }

        return (AsNumber(value), symbol) switch
        {
            (BigInteger i, "-") => -i,
            (double d, "-") => -d,
            ({ } number, "+") => number,
            _ => throw TemplateException.Type($"bad operand type for unary {symbol}: '{PyType.Name(value)}'"),
        };
    }
}
