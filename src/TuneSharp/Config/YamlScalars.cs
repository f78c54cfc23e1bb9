using System.Globalization;
using System.Text.RegularExpressions;

namespace TuneSharp.Config;

/// <summary>What a plain YAML scalar means: YAML 1.1 with OmegaConf's floats, so <c>2e-5</c> is a number.</summary>
/// <remarks>Timestamps stay text; <c>0030</c> is octal; <c>1:30</c> is sexagesimal, as YAML 1.1 says.</remarks>
internal static partial class YamlScalars
{
    /// <summary>The value of an unquoted scalar: null, bool, long, double, or the text itself.</summary>
    public static object? Resolve(string text)
    {
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "true" or "True" or "TRUE" or "yes" or "Yes" or "YES" or "on" or "On" or "ON":
                return true;
            case "false" or "False" or "FALSE" or "no" or "No" or "NO" or "off" or "Off" or "OFF":
                return false;
        }

        if (!(char.IsAsciiDigit(text[0]) || text[0] is '+' or '-' or '.'))
        {
            return text;
        }

        return Integer().IsMatch(text) ? ParseInteger(text)
            : Float().IsMatch(text) ? (object)ParseFloat(text)
            : text;
    }

    /// <summary>A number so that <see cref="Resolve"/> reads the same number back.</summary>
    public static string Format(double value)
    {
        if (double.IsNaN(value))
        {
            return ".nan";
        }

        if (double.IsInfinity(value))
        {
            return value > 0 ? ".inf" : "-.inf";
        }

        string text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        return text.AsSpan().IndexOfAny('.', 'e') < 0 ? text + ".0" : text;
    }

    private static object ParseInteger(string text)
    {
        bool negative = text[0] == '-';
        string digits = text.TrimStart('+', '-').Replace("_", "", StringComparison.Ordinal);
        try
        {
            long magnitude = digits switch
            {
                "0" => 0,
                _ when digits.StartsWith("0b", StringComparison.Ordinal) => Convert.ToInt64(digits[2..], 2),
                _ when digits.StartsWith("0x", StringComparison.Ordinal) => Convert.ToInt64(digits[2..], 16),
                _ when digits.Contains(':', StringComparison.Ordinal) =>
                    digits.Split(':').Aggregate(0L, (sum, part) => checked(sum * 60 + long.Parse(part, CultureInfo.InvariantCulture))),
                _ when digits[0] == '0' => Convert.ToInt64(digits, 8),
                _ => long.Parse((negative ? "-" : "") + digits, CultureInfo.InvariantCulture),
            };
            return negative && magnitude > 0 ? -magnitude : magnitude;
        }
        catch (Exception e) when (e is OverflowException or FormatException or ArgumentException)
        {
            // Too long for 64 bits: nobody counts that far, so it is text (an id, say).
            return text;
        }
    }

    private static double ParseFloat(string text)
    {
        string plain = text.Replace("_", "", StringComparison.Ordinal);
        string unsigned = plain.TrimStart('+', '-');
        double sign = plain[0] == '-' ? -1 : 1;
        if (unsigned.Equals(".inf", StringComparison.OrdinalIgnoreCase))
        {
            return sign * double.PositiveInfinity;
        }

        if (unsigned.Equals(".nan", StringComparison.OrdinalIgnoreCase))
        {
            return double.NaN;
        }

        return unsigned.Split(':').Aggregate(0.0, (sum, part) => sum * 60 + double.Parse(part, CultureInfo.InvariantCulture)) * sign;
    }

    [GeneratedRegex(
        @"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)\z",
        RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Integer();

    [GeneratedRegex(
        @"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?" +
        @"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\z",
        RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Float();
}
