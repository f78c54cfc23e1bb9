using System.Globalization;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>C's <c>strftime</c> in the C locale.</summary>
internal static class Strftime
{
    public static string Format(string format, DateTimeOffset time)
    {
        StringBuilder text = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            char flag = format[++i] is '-' or '_' or '0' or '^' or '#' && i + 1 < format.Length ? format[i++] : '\0';
            string? field = Field(format[i], time);
            if (field is null)
            {
                text.Append('%').Append(flag == '\0' ? "" : flag.ToString()).Append(format[i]);
                continue;
            }

            text.Append(flag switch
            {
                '-' => field.TrimStart('0', ' ') is { Length: > 0 } bare ? bare : field[^1..],
                '_' => field.TrimStart('0').PadLeft(field.Length),
                '0' => field.Replace(' ', '0'),
                '^' => field.ToUpperInvariant(),
                _ => field,
            });
        }

        return text.ToString();
    }

    private static string? Field(char code, DateTimeOffset t)
    {
        string F(string format) => t.ToString(format, CultureInfo.InvariantCulture);
        string Two(int number) => number.ToString("00", CultureInfo.InvariantCulture);
        int twelve = ((t.Hour + 11) % 12) + 1;
        return code switch
        {
            'a' => F("ddd"),
            'A' => F("dddd"),
            'b' or 'h' => F("MMM"),
            'B' => F("MMMM"),
            'c' => F("ddd MMM ") + t.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2) + F(" HH:mm:ss yyyy"),
            'C' => Two(t.Year / 100),
            'd' => F("dd"),
            'D' or 'x' => F("MM/dd/yy"),
            'e' => t.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'F' => F("yyyy-MM-dd"),
            'f' => F("ffffff"),
            'G' => ISOWeek.GetYear(t.DateTime).ToString(CultureInfo.InvariantCulture),
            'g' => Two(ISOWeek.GetYear(t.DateTime) % 100),
            'H' => F("HH"),
            'I' => Two(twelve),
            'j' => t.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
            'k' => t.Hour.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'l' => twelve.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'm' => F("MM"),
            'M' => F("mm"),
            'n' => "\n",
            'p' => t.Hour < 12 ? "AM" : "PM",
            'P' => t.Hour < 12 ? "am" : "pm",
            'r' => Two(twelve) + F(":mm:ss ") + (t.Hour < 12 ? "AM" : "PM"),
            'R' => F("HH:mm"),
            's' => t.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            'S' => F("ss"),
            't' => "\t",
            'T' or 'X' => F("HH:mm:ss"),
            'u' => (t.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)t.DayOfWeek).ToString(CultureInfo.InvariantCulture),
            'U' => Two((t.DayOfYear + 6 - (int)t.DayOfWeek) / 7),
            'V' => Two(ISOWeek.GetWeekOfYear(t.DateTime)),
            'w' => ((int)t.DayOfWeek).ToString(CultureInfo.InvariantCulture),
            'W' => Two((t.DayOfYear + 6 - (((int)t.DayOfWeek + 6) % 7)) / 7),
            'y' => F("yy"),
            'Y' => t.Year.ToString(CultureInfo.InvariantCulture),
            'z' or 'Z' => "", // transformers formats a time without a zone
            '%' => "%",
            _ => null,
        };
    }
}
