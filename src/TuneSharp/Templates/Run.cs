using System.Text;

namespace TuneSharp.Templates;

/// <summary>One rendering: its variables, its clock, and what has been written.</summary>
internal sealed class Run(IReadOnlyDictionary<string, object?> variables, Func<DateTimeOffset> now)
{
    private readonly StringBuilder _root = new();
    private readonly List<(int Start, int End)> _generated = [];
    private StringBuilder? _buffer;
    private int _counted;
    private int _points;

    /// <summary>Escape what is printed, inside <c>{% autoescape true %}</c>.</summary>
    public bool Autoescape { get; set; }

    public object? Resolve(string name) =>
        variables.TryGetValue(name, out object? value) || Globals.TryGet(name, now, out value) ? value : Undefined.Name(name);

    public void Write(string text) => Budget.Write(_buffer ?? _root, text);

    public void WriteValue(object? value) => Write(Autoescape ? Markup.Escape(value).Text : Repr.Str(value));

    /// <summary>What an action writes, instead of writing it.</summary>
    public string Captured(Action action)
    {
        StringBuilder? outer = _buffer;
        StringBuilder mine = new();
        _buffer = mine;
        action();
        _buffer = outer;
        return mine.ToString();
    }

    public string Captured(Func<Flow> action) => Captured(() => { action(); });

    /// <summary>Notes a text of the model that comes next. Inside a macro its place is taken to be where the macro was called, as transformers does.</summary>
    public void Generated(string text)
    {
        int start = Points();
        _generated.Add((start, start + CodePoints.Count(text)));
    }

    public RenderedText Result() => new(_root.ToString(), _generated);

    private int Points()
    {
        _points += CodePoints.Count(_root.ToString(_counted, _root.Length - _counted));
        _counted = _root.Length;
        return _points;
    }
}
