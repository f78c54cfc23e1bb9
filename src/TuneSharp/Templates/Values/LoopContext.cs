using System.Numerics;

namespace TuneSharp.Templates;

/// <summary>The variable <c>loop</c>: where a loop stands. Looks ahead only when asked, since what it goes through may be a generator.</summary>
internal sealed class LoopContext(object? source, IEnumerable<object?> items, int depth0, Func<object?, int, object?>? recurse) : Callable
{
    private IEnumerator<object?> _items = items.GetEnumerator();
    private int? _length;
    private bool _ahead;
    private object? _after;
    private object? _before;
    private object? _current;
    private object?[]? _seen;

    public override string TypeName => "LoopContext";

    public int Index0 { get; private set; } = -1;

    /// <summary>Steps to the next item.</summary>
    public bool Next(out object? item)
    {
        if (!Peek())
        {
            item = null;
            return false;
        }

        item = _after;
        _ahead = false;
        Index0++;
        _before = _current;
        _current = item;
        return true;
    }

    public int Length
    {
        get
        {
            if (_length is null && source is not PyIterator)
            {
                _length = Operators.Length(source);
            }

            if (_length is null)
            {
                List<object?> rest = [];
                while (_items.MoveNext())
                {
                    Budget.Step();
                    rest.Add(_items.Current);
                }

                _items = rest.GetEnumerator();
                _length = rest.Count + Index0 + 1 + (_ahead ? 1 : 0);
            }

            return _length.Value;
        }
    }

    public IEnumerable<object?> Rest()
    {
        while (Next(out object? item))
        {
            yield return new PyTuple([item, this]);
        }
    }

    public bool TryMember(string name, out object? value)
    {
        value = name switch
        {
            "index" => (BigInteger)(Index0 + 1),
            "index0" => (BigInteger)Index0,
            "revindex" => (BigInteger)(Length - Index0),
            "revindex0" => (BigInteger)(Length - Index0 - 1),
            "first" => Index0 == 0,
            "last" => !Peek(),
            "length" => (BigInteger)Length,
            "depth" => (BigInteger)(depth0 + 1),
            "depth0" => (BigInteger)depth0,
            "previtem" => Index0 == 0 ? Undefined.Hint("there is no previous item") : _before,
            "nextitem" => Peek() ? _after : Undefined.Hint("there is no next item"),
            "cycle" => new Function("cycle", a => a.Positional.Count == 0
                ? throw TemplateException.Type("no items for cycling given")
                : a.Positional[Index0 % a.Positional.Count]),
            "changed" => new Function("changed", Changed),
            _ => null,
        };
        return value is not null || name is "previtem" or "nextitem";
    }

    public override object? Call(Arguments arguments) => recurse is null
        ? throw TemplateException.Type("The loop must have the 'recursive' marker to be called recursively.")
        : recurse(arguments.Bind("LoopContext.__call__", "iterable")[0], depth0 + 1);

    public override string ToString() => $"<LoopContext {Index0 + 1}/{Length}>";

    private object Changed(Arguments arguments)
    {
        object?[] now = [.. arguments.Positional];
        bool same = _seen is not null && Operators.Equal(new PyTuple(_seen), new PyTuple(now));
        _seen = same ? _seen : now;
        return !same;
    }

    private bool Peek()
    {
        if (!_ahead)
        {
            _ahead = _items.MoveNext();
            _after = _ahead ? _items.Current : null;
        }

        return _ahead;
    }
}
