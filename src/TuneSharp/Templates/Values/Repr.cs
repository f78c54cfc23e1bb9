using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Python's <c>str</c> and <c>repr</c>.</summary>
internal static class Repr
{
    public static string Str(object? value) => value switch
    {
        string s => s,
        Markup m => m.Text,
        Undefined => "",
        _ => Of(value),
    };

    public static string Of(object? value)
    {
        switch (value)
        {
            case null:
                return "None";
            case bool b:
                return b ? "True" : "False";
            case BigInteger i:
                return Numbers.Text(i);
            case double d:
                return Numbers.Repr(d);
            default:
                StringBuilder builder = new();
                Write(builder, value);
                return builder.ToString();
        }
    }

    private static void Write(StringBuilder to, object? value)
    {
        Budget.CheckStack();
        Budget.Step();
        switch (value)
        {
            case string s:
                Quote(to, s);
                break;
            case Markup m:
                to.Append("Markup(");
                Quote(to, m.Text);
                to.Append(')');
                break;
            case PyBytes b:
                WriteBytes(to, b.Bytes);
                break;
            case PyList l:
                WriteAll(to, "[", l.Items, "]");
                break;
            case PyTuple t:
                WriteAll(to, "(", t.Items, t.Items.Length == 1 ? ",)" : ")");
                break;
            case PyDict d:
                WriteDict(to, d);
                break;
            case DictView v:
                to.Append(v.Kind);
                WriteAll(to, "([", v.Items(), "])");
                break;
            case PyNamespace n:
                to.Append("<Namespace ");
                Write(to, n.Values);
                to.Append('>');
                break;
            case Undefined:
                to.Append("Undefined");
                break;
            case PyRange or LoopContext or Callable:
                to.Append(value);
                break;
            case PyIterator i:
                to.Append(CultureInfo.InvariantCulture, $"<{i.TypeName} object>");
                break;
            default:
                to.Append(Of(value));
                break;
        }

        if (to.Length > Budget.MaxChars)
        {
            Budget.Text(to.Length);
        }
    }

    private static void WriteAll(StringBuilder to, string open, IEnumerable<object?> items, string close)
    {
        to.Append(open);
        bool first = true;
        foreach (object? item in items)
        {
            to.Append(first ? "" : ", ");
            first = false;
            Write(to, item);
        }

        to.Append(close);
    }

    private static void WriteDict(StringBuilder to, PyDict dict)
    {
        to.Append('{');
        bool first = true;
        foreach ((object? key, object? item) in dict.Pairs())
        {
            to.Append(first ? "" : ", ");
            first = false;
            Write(to, key);
            to.Append(": ");
            Write(to, item);
        }

        to.Append('}');
    }

    private static void Quote(StringBuilder to, string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        to.Append(quote);
        for (int i = 0; i < text.Length; i += CodePoints.Width(text, i))
        {
            int c = CodePoints.ValueAt(text, i);
            if (c == quote || c == '\\')
            {
                to.Append('\\').Append((char)c);
            }
            else if (c is '\n' or '\r' or '\t')
            {
                to.Append(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
            }
            else if (CodePoints.IsPrintable(c))
            {
                to.Append(text, i, CodePoints.Width(text, i));
            }
            else
            {
                to.Append(CultureInfo.InvariantCulture, $"{(c <= 0xFF ? $"\\x{c:x2}" : c <= 0xFFFF ? $"\\u{c:x4}" : $"\\U{c:x8}")}");
            }
        }

        to.Append(quote);
    }

    private static void WriteBytes(StringBuilder to, byte[] bytes)
    {
        char quote = bytes.Contains((byte)'\'') && !bytes.Contains((byte)'"') ? '"' : '\'';
        to.Append('b').Append(quote);
        foreach (byte b in bytes)
        {
            to.Append((char)b switch
            {
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                >= ' ' and <= '~' => b == quote ? "\\" + (char)b : ((char)b).ToString(),
                _ => string.Create(CultureInfo.InvariantCulture, $"\\x{b:x2}"),
            });
        }

        to.Append(quote);
    }
}
