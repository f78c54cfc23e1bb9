using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>A dictionary in the order of insertion, whose keys are equal as Python's are: 1, 1.0 and true are one key.</summary>
internal sealed class PyDict
{
    private readonly Dictionary<object, int> _index = new(Keying.Instance);
    private readonly List<(object? Key, object? Value)> _pairs = [];

    public int Count => _pairs.Count;

    public IEnumerable<object?> Keys => _pairs.Select(p => p.Key);

    public IReadOnlyList<(object? Key, object? Value)> Pairs() => _pairs;

    public void Set(object? key, object? value)
    {
        object k = Keyed(key);
        if (_index.TryGetValue(k, out int at))
        {
            _pairs[at] = (_pairs[at].Key, value);
            return;
        }

        _index.Add(k, _pairs.Count);
        _pairs.Add((key, value));
    }

    public bool TryGet(object? key, out object? value)
    {
        bool found = _index.TryGetValue(Keyed(key), out int at);
        value = found ? _pairs[at].Value : null;
        return found;
    }

    public bool Contains(object? key) => _index.ContainsKey(Keyed(key));

    /// <summary>Takes a key out; only for the argument lists of calls, which are short.</summary>
    public bool Take(string key, out object? value)
    {
        if (!_index.Remove(key, out int at))
        {
            value = null;
            return false;
        }

        value = _pairs[at].Value;
        _pairs.RemoveAt(at);
        for (int i = at; i < _pairs.Count; i++)
        {
            _index[Keyed(_pairs[i].Key)] = i;
        }

        return true;
    }

    public static bool IsHashable(object? key) => key is not (PyList or PyDict) && (key is not PyTuple t || t.Items.All(IsHashable));

    private static object Keyed(object? key) => key switch
    {
        null => Keying.None,
        string s => s,
        _ when IsHashable(key) => key,
        _ => throw TemplateException.Type(
            $"cannot use '{PyType.Name(key)}' as a dict key (unhashable type: '{PyType.Name(Unhashable(key))}')"),
    };

    private static object? Unhashable(object? key) => key is PyTuple t ? Unhashable(t.Items.First(i => !IsHashable(i))) : key;

    private sealed class Keying : IEqualityComparer<object>
    {
        public static readonly object None = new();

        public static readonly Keying Instance = new();

        public new bool Equals(object? x, object? y) => x is string a && y is string b ? a == b : ReferenceEquals(x, y) || Operators.Equal(x, y);

        public int GetHashCode(object obj) => obj switch
        {
            string s => s.GetHashCode(StringComparison.Ordinal),
            Markup m => m.Text.GetHashCode(StringComparison.Ordinal),
            bool b => ((BigInteger)(b ? 1 : 0)).GetHashCode(),
            BigInteger i => i.GetHashCode(),
            double d => double.IsInteger(d) ? new BigInteger(d).GetHashCode() : d.GetHashCode(),
            PyTuple t => t.Items.Aggregate(t.Items.Length, (h, i) => (h * 31) + (i is null ? 0 : GetHashCode(i))),
            _ => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(obj),
        };
    }
}
