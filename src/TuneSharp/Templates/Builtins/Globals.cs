using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>The names that every template knows, unless a variable takes one.</summary>
internal static class Globals
{
    private const int MaxRange = 100_000;

    private static readonly string[] LoremWords =
    [
        "lorem", "ipsum", "dolor", "sit", "amet", "consectetuer", "adipiscing", "elit", "sed", "nunc", "porta", "felis", "vitae", "magna",
    ];

    /// <summary>The global of a name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="now">The clock of <c>strftime_now</c>.</param>
    /// <param name="value">The value.</param>
    public static bool TryGet(string name, Func<DateTimeOffset> now, out object? value)
    {
        value = name switch
        {
            "range" => new Function("safe_range", Range, "function"),
            "dict" => new Function("dict", Dict, "type"),
            "lipsum" => new Function("generate_lorem_ipsum", Lipsum, "function"),
            "cycler" => new Function("jinja2.utils.Cycler", a => a.Positional.Count > 0
                ? new Cycler([.. a.Positional])
                : throw new TemplateException("RuntimeError", "at least one item has to be provided"), "type"),
            "joiner" => new Function("jinja2.utils.Joiner", a => a.Bind("Joiner.__init__", "sep?")[0] is var sep && Arguments.Given(sep) ? new Joiner(sep) : new Joiner(", "), "type"),
            "namespace" => new Function("jinja2.utils.Namespace", Namespace, "type"),
            "raise_exception" => new Function("raise_exception", a => throw new TemplateException("TemplateError", Repr.Str(a.Bind("raise_exception", "message")[0])), "function"),
            "strftime_now" => new Function("strftime_now", a => Clock.Format(Text(a.Bind("strftime_now", "format")[0]), now()), "function"),
            _ => null,
        };
        return value is not null;
    }

    private static string Text(object? value) =>
        Operators.AsText(value) ?? throw TemplateException.Type($"strftime() argument 1 must be str, not {PyType.Name(value)}");

    private static PyRange Range(Arguments a)
    {
        if (a.HasNamed)
        {
            throw TemplateException.Type("safe_range() got an unexpected keyword argument '" + a.Named.Keys.First() + "'");
        }

        if (a.Positional.Count is 0 or > 3)
        {
            throw TemplateException.Type(a.Positional.Count == 0
                ? "range expected at least 1 argument, got 0"
                : $"range expected at most 3 arguments, got {a.Positional.Count}");
        }

        BigInteger[] numbers = [.. a.Positional.Select(p => p is Undefined u ? throw u.Failure() : Operators.AsNumber(p) is BigInteger i ? i
            : throw TemplateException.Type($"'{PyType.Name(p)}' object cannot be interpreted as an integer"))];
        BigInteger step = numbers.Length == 3 ? numbers[2] : 1;
        if (step.IsZero)
        {
            throw TemplateException.Value("range() arg 3 must not be zero");
        }

        PyRange range = numbers.Length == 1 ? new(0, numbers[0], 1) : new(numbers[0], numbers[1], step);
        return range.Length <= MaxRange ? range
            : throw TemplateException.TooMuch($"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MaxRange}).");
    }

    private static PyDict Dict(Arguments a)
    {
        PyDict dict = new();
        if (a.Positional.Count > 1)
        {
            throw TemplateException.Type($"dict expected at most 1 argument, got {a.Positional.Count}");
        }

        foreach (object? given in a.Positional)
        {
            if (given is PyDict other)
            {
                foreach ((object? key, object? value) in other.Pairs())
                {
                    dict.Set(key, value);
                }

                continue;
            }

            int index = 0;
            foreach (object? pair in Operators.ToList(given))
            {
                List<object?> parts = Operators.TryIterate(pair) is null
                    ? throw TemplateException.Type($"cannot convert dictionary update sequence element #{index} to a sequence")
                    : Operators.ToList(pair);
                if (parts.Count != 2)
                {
                    throw TemplateException.Value($"dictionary update sequence element #{index} has length {parts.Count}; 2 is required");
                }

                dict.Set(parts[0], parts[1]);
                index++;
            }
        }

        if (a.HasNamed)
        {
            foreach ((object? key, object? value) in a.Named.Pairs())
            {
                dict.Set(key, value);
            }
        }

        return dict;
    }

    private static PyNamespace Namespace(Arguments a)
    {
        PyNamespace made = new();
        foreach ((object? key, object? value) in Dict(a).Pairs())
        {
            made.Values.Set(key, value);
        }

        return made;
    }

    /// <summary>Filler text: any will do, but the same each time.</summary>
    private static object Lipsum(Arguments a)
    {
        object?[] args = a.Bind("generate_lorem_ipsum", "n?", "html?", "min?", "max?");
        int count = Arguments.Int(args[0], 5);
        int min = Arguments.Int(args[2], 20);
        int max = Arguments.Int(args[3], 100);
        if (max <= min)
        {
            throw TemplateException.Value($"empty range in randrange({min}, {max})");
        }

        Random random = new(count);
        List<string> paragraphs = [];
        for (int i = 0; i < count; i++)
        {
            StringBuilder text = new();
            int words = random.Next(min, max);
            Budget.Text(words * 12L);
            for (int w = 0; w < words; w++)
            {
                string word = LoremWords[random.Next(LoremWords.Length)];
                text.Append(w == 0 ? StringMethods.Capitalize(word) : " " + word);
            }

            paragraphs.Add(text.Append('.').ToString());
        }

        return Arguments.Flag(args[1], true) ? new Markup(string.Join('\n', paragraphs.Select(p => $"<p>{p}</p>"))) : string.Join("\n\n", paragraphs);
    }
}

/// <summary>Python's <c>strftime</c> in the C locale.</summary>
internal static class Clock
{
    public static string Format(string format, DateTimeOffset now)
    {
        StringBuilder result = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                result.Append(format[i]);
                continue;
            }

            char flag = '\0';
            i++;
            if (format[i] is '-' or '_' or '0' or '^' or '#' && i + 1 < format.Length)
            {
                flag = format[i++];
            }

            string part = Part(format[i], now) ?? "%" + (flag == '\0' ? "" : flag.ToString()) + format[i];
            result.Append(flag switch
            {
                '-' => part.TrimStart('0', ' ') is { Length: > 0 } t ? t : "0",
                '_' => part.TrimStart('0').PadLeft(part.Length),
                '^' => part.ToUpperInvariant(),
                '#' => part.Any(char.IsAsciiLetterLower) ? part.ToUpperInvariant() : part.ToLowerInvariant(),
                _ => part,
            });
        }

        return result.ToString();
    }

    private static string? Part(char code, DateTimeOffset now)
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        int hour12 = now.Hour % 12 == 0 ? 12 : now.Hour % 12;
        int monday = ((int)now.DayOfWeek + 6) % 7;
        return code switch
        {
            'a' => now.ToString("ddd", c),
            'A' => now.ToString("dddd", c),
            'b' or 'h' => now.ToString("MMM", c),
            'B' => now.ToString("MMMM", c),
            'c' => now.ToString("ddd MMM ", c) + now.Day.ToString(c).PadLeft(2) + now.ToString(" HH:mm:ss yyyy", c),
            'C' => (now.Year / 100).ToString("00", c),
            'd' => now.ToString("dd", c),
            'D' or 'x' => now.ToString("MM'/'dd'/'yy", c),
            'e' => now.Day.ToString(c).PadLeft(2),
            'F' => now.ToString("yyyy-MM-dd", c),
            'f' => (now.Ticks % TimeSpan.TicksPerSecond / 10).ToString("000000", c),
            'g' => (ISOWeek.GetYear(now.DateTime) % 100).ToString("00", c),
            'G' => ISOWeek.GetYear(now.DateTime).ToString(c),
            'H' => now.ToString("HH", c),
            'I' => hour12.ToString("00", c),
            'j' => now.DayOfYear.ToString("000", c),
            'k' => now.Hour.ToString(c).PadLeft(2),
            'l' => hour12.ToString(c).PadLeft(2),
            'm' => now.ToString("MM", c),
            'M' => now.ToString("mm", c),
            'n' => "\n",
            'p' => now.Hour < 12 ? "AM" : "PM",
            'P' => now.Hour < 12 ? "am" : "pm",
            'r' => hour12.ToString("00", c) + now.ToString(":mm:ss ", c) + (now.Hour < 12 ? "AM" : "PM"),
            'R' => now.ToString("HH:mm", c),
            's' => now.ToUnixTimeSeconds().ToString(c),
            'S' => now.ToString("ss", c),
            't' => "\t",
            'T' or 'X' => now.ToString("HH:mm:ss", c),
            'u' => (monday + 1).ToString(c),
            'U' => ((now.DayOfYear + 6 - (int)now.DayOfWeek) / 7).ToString("00", c),
            'V' => ISOWeek.GetWeekOfYear(now.DateTime).ToString("00", c),
            'w' => ((int)now.DayOfWeek).ToString(c),
            'W' => ((now.DayOfYear + 6 - monday) / 7).ToString("00", c),
            'y' => now.ToString("yy", c),
            'Y' => now.Year.ToString(c),
            'z' or 'Z' => "", // the time is Python's naive now()
            '%' => "%",
            _ => null,
        };
    }
}
