using System.Globalization;
using System.Numerics;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Python's <c>json.dumps</c>, as transformers' <c>tojson</c> calls it.</summary>
internal sealed class JsonText
{
    private readonly StringBuilder _to = new();
    private readonly bool _ascii;
    private readonly string? _indent;
    private readonly string _item;
    private readonly string _key;
    private readonly bool _sort;

    private JsonText(bool ascii, string? indent, string item, string key, bool sort)
    {
        _ascii = ascii;
        _indent = indent;
        _item = item;
        _key = key;
        _sort = sort;
    }

    public static string Of(object? value, bool ascii, object? indent, object? separators, bool sort)
    {
        string? by = indent switch
        {
            null => null,
            string or Markup => Operators.AsText(indent),
            _ => Operators.AsNumber(indent) is BigInteger n
                ? new string(' ', (int)BigInteger.Max(0, BigInteger.Min(n, 1000)))
                : throw TemplateException.Type($"can't multiply sequence by non-int of type '{PyType.Name(indent)}'"),
        };
        string item = by is null ? ", " : ",";
        string key = ": ";
        if (separators is not null)
        {
            object?[] pair = Statements.Unpack(separators, 2);
            item = Repr.Str(pair[0]);
            key = Repr.Str(pair[1]);
        }

        JsonText json = new(ascii, by, item, key, sort);
        json.Write(value, 0);
        return json._to.ToString();
    }

    private void Write(object? value, int depth)
    {
        Budget.CheckStack();
        Budget.Step();
        switch (value)
        {
            case string or Markup:
                Quote(Operators.AsText(value)!);
                break;
            case null or bool or BigInteger or double:
                _to.Append(Scalar(value));
                break;
            case PyList or PyTuple:
                IReadOnlyList<object?> items = value is PyList l ? l.Items : ((PyTuple)value).Items;
                Open('[', ']', items.Count, depth, i => Write(items[i], depth + 1));
                break;
            case PyDict d:
                List<object?> pairs = [.. new DictView(d, "dict_items").Items()];
                pairs = _sort ? Sorting.Sort(pairs, p => ((PyTuple)p!).Items[0], false) : pairs;
                Open('{', '}', pairs.Count, depth, i =>
                {
                    object?[] pair = ((PyTuple)pairs[i]!).Items;
                    Quote(Operators.AsText(pair[0]) ?? (pair[0] is null or bool or BigInteger or double
                        ? Scalar(pair[0])
                        : throw TemplateException.Type($"keys must be str, int, float, bool or None, not {PyType.Name(pair[0])}")));
                    _to.Append(_key);
                    Write(pair[1], depth + 1);
                });
                break;
            default:
                throw TemplateException.Type($"Object of type {PyType.Name(value)} is not JSON serializable");
        }

        Budget.Text(_to.Length > Budget.MaxChars ? _to.Length : 1);
    }

    private static string Scalar(object? value) => value switch
    {
        null => "null",
        bool b => b ? "true" : "false",
        double d when !double.IsFinite(d) => double.IsNaN(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity",
        _ => Repr.Of(value),
    };

    private void Open(char open, char close, int count, int depth, Action<int> write)
    {
        _to.Append(open);
        for (int i = 0; i < count; i++)
        {
            _to.Append(i == 0 ? "" : _item);
            NewLine(depth + 1);
            write(i);
        }

        if (count > 0)
        {
            NewLine(depth);
        }

        _to.Append(close);
    }

    private void NewLine(int depth)
    {
        if (_indent is null)
        {
            return;
        }

        _to.Append('\n');
        Budget.Text((long)_indent.Length * depth);
        for (int i = 0; i < depth; i++)
        {
            _to.Append(_indent);
        }
    }

    private void Quote(string text)
    {
        Budget.Text(_to.Length + (long)text.Length > Budget.MaxChars ? long.MaxValue : text.Length);
        _to.Append('"');
        foreach (char c in text)
        {
            switch (c)
            {
                case '"' or '\\':
                    _to.Append('\\').Append(c);
                    break;
                case '\n':
                    _to.Append("\\n");
                    break;
                case '\r':
                    _to.Append("\\r");
                    break;
                case '\t':
                    _to.Append("\\t");
                    break;
                case '\b':
                    _to.Append("\\b");
                    break;
                case '\f':
                    _to.Append("\\f");
                    break;
                default:
                    if (c < ' ' || (_ascii && c > '~'))
                    {
                        _to.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    }
                    else
                    {
                        _to.Append(c);
                    }

                    break;
            }
        }

        _to.Append('"');
    }
}
