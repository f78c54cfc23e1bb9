using System.Globalization;
using System.Text;

namespace TuneSharp.Config;

/// <summary>Writes nodes as YAML that <see cref="YamlReader"/> reads back to the same values.</summary>
internal static class YamlWriter
{
    /// <summary>Writes a config.</summary>
    /// <param name="root">The nodes.</param>
    /// <param name="indent">Spaces per level.</param>
    /// <param name="isResolved">True when text that looks like an interpolation is only text, and must stay so.</param>
    public static string Write(ConfigMapping root, int indent = 2, bool isResolved = false)
    {
        if (root.Entries.Count == 0)
        {
            return "{}\n";
        }

        StringBuilder text = new();
        WriteMapping(text, root, 0, indent, isResolved);
        return text.ToString();
    }

    private static void WriteMapping(StringBuilder text, ConfigMapping mapping, int column, int indent, bool isResolved)
    {
        foreach (ConfigEntry entry in mapping.Entries)
        {
            text.Append(' ', column).Append(Quote(entry.Key)).Append(':');
            WriteValue(text, entry.Node, column, indent, isResolved);
        }
    }

    private static void WriteValue(StringBuilder text, ConfigNode node, int column, int indent, bool isResolved)
    {
        switch (node)
        {
            case ConfigMapping { Entries.Count: > 0 } mapping:
                text.Append('\n');
                WriteMapping(text, mapping, column + indent, indent, isResolved);
                break;
            case ConfigMapping:
                text.Append(" {}\n");
                break;
            case ConfigSequence { Items.Count: > 0 } list:
                text.Append('\n');
                foreach (ConfigNode item in list.Items)
                {
                    text.Append(' ', column + indent - 2).Append('-');
                    WriteItem(text, item, column + indent, indent, isResolved);
                }

                break;
            case ConfigSequence:
                text.Append(" []\n");
                break;
            default:
                text.Append(' ').Append(Scalar((ConfigScalar)node, isResolved)).Append('\n');
                break;
        }
    }

    /// <summary>A list's item: a mapping begins on the dash's own line.</summary>
    private static void WriteItem(StringBuilder text, ConfigNode item, int column, int indent, bool isResolved)
    {
        if (item is not ConfigMapping { Entries: [var first, .. var rest] } mapping)
        {
            WriteValue(text, item, column, indent, isResolved);
            return;
        }

        text.Append(' ').Append(Quote(first.Key)).Append(':');
        WriteValue(text, first.Node, column, indent, isResolved);
        ConfigMapping others = new(mapping.Place);
        others.Entries.AddRange(rest);
        WriteMapping(text, others, column, indent, isResolved);
    }

    private static string Scalar(ConfigScalar scalar, bool isResolved) => scalar.Value switch
    {
        null => "null",
        true => "true",
        false => "false",
        long n => n.ToString(CultureInfo.InvariantCulture),
        double d => YamlScalars.Format(d),
        var value => Quote(isResolved ? Escape((string)value) : (string)value),
    };

    private static string Escape(string text)
    {
        int at = text.IndexOf("${", StringComparison.Ordinal);
        if (at < 0)
        {
            return text;
        }

        StringBuilder result = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '$' && i + 1 < text.Length && text[i + 1] == '{')
            {
                int slashes = 0;
                while (i - slashes - 1 >= 0 && text[i - slashes - 1] == '\\')
                {
                    slashes++;
                }

                result.Append('\\', slashes + 1); // those before it doubled, and one that makes it text
            }

            result.Append(text[i]);
        }

        return result.ToString();
    }

    private static string Quote(string text)
    {
        if (text.Any(c => char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' or '\uFEFF' or '\u0085' or '\uFFFE' or '\uFFFF'))
        {
            return DoubleQuoted(text);
        }

        return IsPlain(text) ? text : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
    }

    private static bool IsPlain(string text)
    {
        if (text.Length == 0 || text != text.Trim() || YamlScalars.Resolve(text) is not string
            || text.Contains(": ", StringComparison.Ordinal) || text.Contains(" #", StringComparison.Ordinal)
            || text[^1] == ':' || text is "<<" or "=")
        {
            return false;
        }

        // Brackets and commas are harmless outside [..]; we never write flow style.
        char first = text[0];
        return char.IsLetterOrDigit(first) || first is '/' or '.' or '_' or '$' or '~' or '(' or '^' or '+' or '\\';
    }

    private static string DoubleQuoted(string text)
    {
        StringBuilder result = new("\"");
        foreach (Rune rune in text.EnumerateRunes())
        {
            int c = rune.Value;
            _ = c switch
            {
                '"' => result.Append("\\\""),
                '\\' => result.Append("\\\\"),
                '\n' => result.Append("\\n"),
                '\t' => result.Append("\\t"),
                '\r' => result.Append("\\r"),
                < 0x20 or (>= 0x7F and < 0xA0) => result.Append(CultureInfo.InvariantCulture, $"\\x{c:x2}"),
                >= 0x10000 => result.Append(CultureInfo.InvariantCulture, $"\\U{c:x8}"),
                > 0x7F => result.Append(CultureInfo.InvariantCulture, $"\\u{c:x4}"),
                _ => result.Append((char)c),
            };
        }

        return result.Append('"').ToString();
    }
}
