namespace TuneSharp.Templates;

/// <summary>The variables of a part of a template. What is set here is not seen outside.</summary>
internal sealed class Scope(Run run, Scope? parent)
{
    /// <summary>Marks a name that is set here later, and has no value before.</summary>
    private static readonly object Unset = new();

    private Dictionary<string, object?>? _values;

    public Run Run { get; } = run;

    /// <summary>A scope inside this one.</summary>
    public Scope Inner(ScopedBody body)
    {
        Scope scope = new(Run, this);
        foreach (string name in body.SetFirst)
        {
            scope.Set(name, Unset);
        }

        return scope;
    }

    public void Set(string name, object? value) => (_values ??= new(StringComparer.Ordinal))[name] = value;

    public object? Read(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._values is not null && scope._values.TryGetValue(name, out object? value))
            {
                return ReferenceEquals(value, Unset) ? Undefined.Name(name) : value;
            }
        }

        return Run.Resolve(name);
    }

    private Scope? Parent { get; } = parent;
}

/// <summary>Statements with a scope of their own.</summary>
internal sealed class ScopedBody(string[] parameters, Statement[] statements)
{
    public string[] Parameters { get; } = parameters;

    public Statement[] Statements { get; } = statements;

    /// <summary>
    /// Names that are set in this scope and neither read before nor known outside: until they are set they are undefined, even if a variable
    /// has the name. Filled in by <see cref="ScopeAnalysis"/>.
    /// </summary>
    public string[] SetFirst { get; set; } = [];

    public Flow Execute(Scope scope) => Templates.Statements.Execute(Statements, scope);
}

/// <summary>Hears which names a statement reads and sets, in order.</summary>
internal interface INameVisitor
{
    void Read(string name);

    void Set(string name);

    /// <summary>Of these bodies at most one is executed.</summary>
    void Branches(params Statement[][] bodies);

    void Nested(ScopedBody body);
}

/// <summary>
/// Decides, as Jinja2's compiler does, where a name's value comes from. Jinja2 looks at a scope as a whole before it runs it, so a name that
/// is set further down is that scope's own from its beginning.
/// </summary>
internal sealed class ScopeAnalysis : INameVisitor
{
    private readonly ScopeAnalysis? _parent;
    private readonly List<ScopedBody> _nested;
    private readonly HashSet<string> _known;
    private readonly HashSet<string> _set;
    private readonly HashSet<string> _setFirst;

    private ScopeAnalysis(ScopeAnalysis? parent, List<ScopedBody> nested, ScopeAnalysis? copyOf = null)
    {
        _parent = parent;
        _nested = nested;
        _known = new(copyOf?._known ?? [], StringComparer.Ordinal);
        _set = new(copyOf?._set ?? [], StringComparer.Ordinal);
        _setFirst = new(copyOf?._setFirst ?? [], StringComparer.Ordinal);
    }

    public static void Analyze(ScopedBody body) => Analyze(body, null);

    private static void Analyze(ScopedBody body, ScopeAnalysis? parent)
    {
        Budget.CheckStack();
        ScopeAnalysis scope = new(parent, []);
        foreach (string name in body.Parameters)
        {
            scope._set.Add(name);
            scope._known.Add(name);
        }

        foreach (Statement statement in body.Statements)
        {
            statement.Names(scope);
        }

        body.SetFirst = [.. scope._setFirst];
        scope._nested.ForEach(n => Analyze(n, scope));
    }

    public void Read(string name)
    {
        if (!Knows(name))
        {
            _known.Add(name);
        }
    }

    public void Set(string name)
    {
        _set.Add(name);
        if (_known.Add(name) && _parent?.Knows(name) != true)
        {
            _setFirst.Add(name);
        }
    }

    public void Branches(params Statement[][] bodies)
    {
        HashSet<string> sometimes = new(StringComparer.Ordinal);
        List<ScopeAnalysis> branches = [];
        foreach (Statement[] body in bodies)
        {
            ScopeAnalysis branch = new(_parent, _nested, this);
            foreach (Statement statement in body)
            {
                statement.Names(branch);
            }

            branches.Add(branch);
            sometimes.UnionWith(branch._set);
        }

        sometimes.ExceptWith(_set);
        foreach (ScopeAnalysis branch in branches)
        {
            _known.UnionWith(branch._known);
            _set.UnionWith(branch._set);
            _setFirst.UnionWith(branch._setFirst);
        }

        _setFirst.ExceptWith(sometimes);
    }

    public void Nested(ScopedBody body) => _nested.Add(body);

    private bool Knows(string name) => _known.Contains(name) || _parent?.Knows(name) == true;
}

/// <summary>Finds which of some names occur anywhere in a body.</summary>
internal sealed class NameSearch : INameVisitor
{
    private readonly HashSet<string> _found = new(StringComparer.Ordinal);

    public static HashSet<string> In(ScopedBody body)
    {
        NameSearch search = new();
        search.Nested(body);
        return search._found;
    }

    public void Read(string name) => _found.Add(name);

    public void Set(string name)
    {
    }

    public void Branches(params Statement[][] bodies)
    {
        foreach (Statement[] body in bodies)
        {
            Array.ForEach(body, s => s.Names(this));
        }
    }

    public void Nested(ScopedBody body) => Array.ForEach(body.Statements, s => s.Names(this));
}
