using System.Globalization;
using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>Python's numbers: ints of any size, floats, bools that count as 0 and 1.</summary>
internal static class PyNumber
{
    /// <summary>Most bits of an int: a template may not fill the memory with one.</summary>
    private const long MostBits = 1 << 20;

    public static bool IsInt(object? value) => value is long or BigInteger or bool;

    public static bool IsNumber(object? value) => value is long or BigInteger or bool or double;

    public static BigInteger Big(object? value) => value switch
    {
        bool b => b ? 1 : 0,
        long n => n,
        BigInteger n => n,
        _ => throw TemplateException.Type($"'{PyType.Name(value)}' object cannot be interpreted as an integer"),
    };

    /// <summary>An int that fits, as arguments want it.</summary>
    public static long Long(object? value) => Big(value) is var n && n >= long.MinValue && n <= long.MaxValue
        ? (long)n
        : throw TemplateException.Overflow("Python int too large to convert to C ssize_t");

    public static double Float(object? value) => value switch
    {
        double d => d,
        BigInteger n when double.IsInfinity((double)n) => throw TemplateException.Overflow("int too large to convert to float"),
        _ => (double)Big(value),
    };

    /// <summary>The smaller form of an int.</summary>
    public static object Normal(BigInteger value) => value >= long.MinValue && value <= long.MaxValue ? (long)value : value;

    public static int Digit(char c) => c switch
    {
        >= '0' and <= '9' => c - '0',
        >= 'a' and <= 'z' => c - 'a' + 10,
        >= 'A' and <= 'Z' => c - 'A' + 10,
        _ => 99,
    };

    public static object Arithmetic(string op, object? left, object? right)
    {
        if (left is double || right is double)
        {
            return Floats(op, Float(left), Float(right));
        }

        (BigInteger a, BigInteger b) = (Big(left), Big(right));
        switch (op)
        {
            case "+": return Normal(a + b);
            case "-": return Normal(a - b);
            case "*": return Bounded(a.GetBitLength() + b.GetBitLength()) ? Normal(a * b) : 0L;
            case "/": return b.IsZero ? throw Zero("division by zero") : Divide(a, b);
            case "//": return b.IsZero ? throw Zero("integer division or modulo by zero") : Normal(FloorDivide(a, b));
            case "%": return b.IsZero ? throw Zero("integer modulo by zero") : Normal(a - (FloorDivide(a, b) * b));
            default:
                if (b.Sign < 0)
                {
                    return a.IsZero ? throw Zero("zero to a negative power") : Math.Pow((double)a, (double)b);
                }

                if (BigInteger.Abs(a) <= 1)
                {
                    return b.IsZero || a.IsOne ? 1L : a.IsZero ? 0L : b.IsEven ? 1L : -1L;
                }

                return Bounded((long)BigInteger.Min(b, MostBits * 2) * a.GetBitLength()) ? Normal(BigInteger.Pow(a, (int)b)) : 0L;
        }
    }

    private static double Floats(string op, double a, double b) => op switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => b == 0 ? throw Zero("division by zero") : a / b,
        "//" => b == 0 ? throw Zero("division by zero") : Math.Floor(a / b),
        "%" => b == 0 ? throw Zero("division by zero") : Modulo(a, b),
        _ => a == 0 && b < 0 ? throw Zero("zero to a negative power")
            : a < 0 && b != Math.Floor(b) ? throw TemplateException.Value("a template has no complex numbers") : Math.Pow(a, b),
    };

    private static double Modulo(double a, double b)
    {
        double rest = a % b;
        return rest == 0 ? Math.CopySign(0, b) : (rest < 0) != (b < 0) ? rest + b : rest;
    }

    private static double Divide(BigInteger a, BigInteger b)
    {
        double quotient = (double)a / (double)b;
        return double.IsFinite(quotient) ? quotient : throw TemplateException.Overflow("integer division result too large for a float");
    }

    private static BigInteger FloorDivide(BigInteger a, BigInteger b)
    {
        BigInteger quotient = BigInteger.DivRem(a, b, out BigInteger rest);
        return !rest.IsZero && rest.Sign != b.Sign ? quotient - 1 : quotient;
    }

    private static bool Bounded(long bits) => bits <= MostBits ? true : throw TemplateException.Overflow("the result of this computation is too large for a template");

    private static TemplateException Zero(string message) => new("ZeroDivisionError", message);

    /// <summary>round(value, digits), half to even, by the number's decimal digits as they are.</summary>
    public static double Round(double value, int digits)
    {
        if (!double.IsFinite(value) || digits > 300)
        {
            return value;
        }

        if (digits is >= 0 and <= 15 && Math.Abs(value) < 1e15)
        {
            // The exact decimal expansion decides, as in Python: 2.675 lies below the middle.
            return double.Parse(Exact(value, digits), CultureInfo.InvariantCulture);
        }

        double scale = Math.Pow(10, -digits);
        return digits < 0 ? Math.Round(value / scale, MidpointRounding.ToEven) * scale : value;
    }

    /// <summary>A float with so many decimals, rounded half to even on its exact value.</summary>
    public static string Exact(double value, int decimals)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger mantissa = (bits & ((1L << 52) - 1)) | (exponent == 0 ? 0 : 1L << 52);
        int shift = Math.Max(exponent, 1) - 1075;
        BigInteger numerator = mantissa * BigInteger.Pow(10, decimals);
        BigInteger scaled;
        if (shift >= 0)
        {
            scaled = numerator << shift;
        }
        else
        {
            BigInteger unit = BigInteger.One << -shift;
            scaled = BigInteger.DivRem(numerator, unit, out BigInteger rest);
            int half = (rest * 2).CompareTo(unit);
            scaled += half > 0 || (half == 0 && !scaled.IsEven) ? 1 : 0;
        }

        string digits = scaled.ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        string text = decimals == 0 ? digits : $"{digits[..^decimals]}.{digits[^decimals..]}";
        return double.IsNegative(value) ? "-" + text : text;
    }
}
