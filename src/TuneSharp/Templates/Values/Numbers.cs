using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Numbers written and read as Python does.</summary>
internal static class Numbers
{
    /// <summary>Python's <c>repr</c> of a float: the fewest digits that read back as the same number.</summary>
    public static string Repr(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        (string digits, int point) = Shortest(Math.Abs(value));
        string sign = double.IsNegative(value) ? "-" : "";
        int exponent = point - 1;
        if (exponent is < -4 or >= 16)
        {
            return sign + Scientific(digits, exponent);
        }

        return sign + (point <= 0 ? "0." + new string('0', -point) + digits
            : point >= digits.Length ? digits + new string('0', point - digits.Length) + ".0"
            : digits[..point] + "." + digits[point..]);
    }

    /// <summary>Digits of the shortest form and where its decimal point stands.</summary>
    private static (string Digits, int Point) Shortest(double value)
    {
        if (value == 0)
        {
            return ("0", 1);
        }

        string text = value.ToString("E16", CultureInfo.InvariantCulture);
        string round = value.ToString("R", CultureInfo.InvariantCulture);
        int e = round.IndexOf('E', StringComparison.Ordinal);
        string mantissa = e < 0 ? round : round[..e];
        int exponent = e < 0 ? 0 : int.Parse(round.AsSpan(e + 1), CultureInfo.InvariantCulture);
        int dot = mantissa.IndexOf('.', StringComparison.Ordinal);
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int point = (dot < 0 ? mantissa.Length : dot) + exponent;
        string trimmed = digits.TrimStart('0');
        point -= digits.Length - trimmed.Length;
        trimmed = trimmed.TrimEnd('0');
        return (trimmed.Length == 0 ? text[..1] : trimmed, point);
    }

    private static string Scientific(string digits, int exponent) =>
        (digits.Length == 1 ? digits : digits[..1] + "." + digits[1..]) + Exponent(exponent, 'e');

    private static string Exponent(int exponent, char letter) =>
        string.Create(CultureInfo.InvariantCulture, $"{letter}{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");

    /// <summary>|value| · 10^places, rounded half to even, exactly.</summary>
    private static BigInteger Scaled(double value, int places)
    {
        long bits = BitConverter.DoubleToInt64Bits(Math.Abs(value));
        int exponent = (int)(bits >> 52);
        BigInteger numerator = exponent == 0 ? bits : (bits & ((1L << 52) - 1)) | (1L << 52);
        int shift = Math.Max(exponent, 1) - 1075;
        BigInteger denominator = BigInteger.One;
        if (shift > 0)
        {
            numerator <<= shift;
        }
        else
        {
            denominator <<= -shift;
        }

        if (places >= 0)
        {
            numerator *= BigInteger.Pow(10, places);
        }
        else
        {
            denominator *= BigInteger.Pow(10, -places);
        }

        BigInteger whole = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        int half = (rest * 2).CompareTo(denominator);
        return half > 0 || (half == 0 && !whole.IsEven) ? whole + 1 : whole;
    }

    /// <summary>|value| with a number of decimal places (format <c>f</c>).</summary>
    public static string Fixed(double value, int places)
    {
        string digits = Scaled(value, places).ToString(CultureInfo.InvariantCulture).PadLeft(places + 1, '0');
        return places == 0 ? digits : digits[..^places] + "." + digits[^places..];
    }

    /// <summary>|value| with one digit before the point and some after it (format <c>e</c>).</summary>
    public static string Exponential(double value, int places, bool keepZeros = true)
    {
        (string digits, int exponent) = Significant(value, places + 1);
        digits = keepZeros ? digits : digits.TrimEnd('0').PadRight(1, '0');
        return Scientific(digits, exponent);
    }

    /// <summary>|value| with a number of significant digits (format <c>g</c>).</summary>
    public static string General(double value, int precision, bool keepZeros, int switchAt)
    {
        precision = Math.Max(precision, 1);
        (string digits, int exponent) = Significant(value, precision);
        if (exponent < -4 || exponent >= switchAt)
        {
            return Scientific(keepZeros ? digits : digits.TrimEnd('0').PadRight(1, '0'), exponent);
        }

        string text = exponent < 0 ? "0." + new string('0', -exponent - 1) + digits
            : exponent + 1 >= digits.Length ? digits.PadRight(exponent + 1, '0') + "."
            : digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
        return keepZeros ? text.TrimEnd('.') : text.TrimEnd('0').TrimEnd('.');
    }

    private static (string Digits, int Exponent) Significant(double value, int count)
    {
        if (value == 0)
        {
            return (new string('0', count), 0);
        }

        int exponent = (int)Math.Floor(Math.Log10(Math.Abs(value)));
        string digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        while (digits.Length != count)
        {
            exponent += digits.Length - count; // the logarithm was off by one, or rounding made a digit more
            digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        }

        return (digits, exponent);
    }

    /// <summary>Python's <c>round(float, places)</c>.</summary>
    public static double Round(double value, int places)
    {
        if (!double.IsFinite(value) || places > 323)
        {
            return value;
        }

        if (places < -308)
        {
            return value * 0.0;
        }

        string text = Scaled(value, places).ToString(CultureInfo.InvariantCulture) + "E" + (-places).ToString(CultureInfo.InvariantCulture);
        double rounded = double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        return double.IsNegative(value) ? -rounded : rounded;
    }

    /// <summary>Python's <c>round(int, places)</c>.</summary>
    public static BigInteger Round(BigInteger value, int places)
    {
        if (places >= 0)
        {
            return value;
        }

        BigInteger unit = BigInteger.Pow(10, Math.Min(-places, 10_000));
        BigInteger whole = BigInteger.DivRem(BigInteger.Abs(value), unit, out BigInteger rest);
        int half = (rest * 2).CompareTo(unit);
        whole = half > 0 || (half == 0 && !whole.IsEven) ? whole + 1 : whole;
        return whole * unit * value.Sign;
    }

    /// <summary>Python's <c>int(text, base)</c>, or null.</summary>
    public static BigInteger? ParseInt(string text, int numberBase)
    {
        string digits = Ascii(text);
        bool negative = digits.StartsWith('-');
        digits = negative || digits.StartsWith('+') ? digits[1..] : digits;
        int prefixed = digits.Length > 1 && digits[0] == '0'
            ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 }
            : 0;
        if (prefixed != 0 && (numberBase == prefixed || numberBase == 0))
        {
            digits = digits[2..];
            digits = digits.StartsWith('_') ? digits[1..] : digits;
            numberBase = prefixed;
        }
        else if (numberBase == 0)
        {
            if (digits.Length > 1 && digits[0] == '0' && digits.Any(c => c is not ('0' or '_')))
            {
                return null;
            }

            numberBase = 10;
        }

        if (digits.Length == 0 || digits[0] == '_' || digits[^1] == '_' || digits.Contains("__", StringComparison.Ordinal))
        {
            return null;
        }

        Budget.Step((long)digits.Length * digits.Length / 1000);
        BigInteger result = BigInteger.Zero;
        foreach (char c in digits)
        {
            if (c == '_')
            {
                continue;
            }

            int digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : 99;
            if (digit >= numberBase)
            {
                return null;
            }

            result = (result * numberBase) + digit;
        }

        return negative ? -result : result;
    }

    /// <summary>Python's <c>float(text)</c>, or null.</summary>
    public static double? ParseFloat(string text)
    {
        string t = Ascii(text);
        string unsigned = t.StartsWith('-') || t.StartsWith('+') ? t[1..] : t;
        switch (unsigned.ToLowerInvariant())
        {
            case "inf" or "infinity":
                return t.StartsWith('-') ? double.NegativeInfinity : double.PositiveInfinity;
            case "nan":
                return double.NaN;
        }

        for (int i = 0; i < unsigned.Length; i++)
        {
            if (unsigned[i] == '_' && (i == 0 || i == unsigned.Length - 1 || !char.IsAsciiDigit(unsigned[i - 1]) || !char.IsAsciiDigit(unsigned[i + 1])))
            {
                return null;
            }
        }

        return unsigned.Length > 0 && (char.IsAsciiDigit(unsigned[0]) || unsigned[0] == '.')
            && double.TryParse(
                t.Replace("_", "", StringComparison.Ordinal),
                NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture,
                out double value)
            ? value
            : null;
    }

    /// <summary>Without blanks around it, and with the digits of all scripts as 0 to 9.</summary>
    private static string Ascii(string text)
    {
        int start = 0;
        int end = text.Length;
        while (start < end && CodePoints.IsSpace(text[start]))
        {
            start++;
        }

        while (end > start && CodePoints.IsSpace(text[end - 1]))
        {
            end--;
        }

        string trimmed = text[start..end];
        if (System.Text.Ascii.IsValid(trimmed))
        {
            return trimmed;
        }

        StringBuilder result = new();
        foreach (string point in CodePoints.Each(trimmed))
        {
            int digit = CharUnicodeInfo.GetDecimalDigitValue(point, 0);
            result.Append(digit >= 0 ? ((char)('0' + digit)).ToString() : point);
        }

        return result.ToString();
    }

    /// <summary>A big integer as a float; too big is Python's error.</summary>
    public static double ToDouble(BigInteger value)
    {
        double result = (double)value;
        return double.IsFinite(result) ? result : throw TemplateException.TooMuch("int too large to convert to float");
    }

    public static string Text(BigInteger value)
    {
        // Python refuses the same, for the same reason: the time grows with the square of the length.
        if (value.GetBitLength() > 14_300)
        {
            throw TemplateException.Value("Exceeds the limit (4300 digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit");
        }

        return value.ToString(CultureInfo.InvariantCulture);
    }
}
