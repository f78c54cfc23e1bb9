namespace TuneSharp.Templates;

/// <summary>The parameters and the body of a macro or of a call block.</summary>
internal sealed class MacroBody
{
    private readonly ScopedBody _body;
    private readonly HashSet<string> _names;

    public MacroBody(string? name, string[] parameters, Expression[] defaults, Statement[] body)
    {
        Name = name;
        Parameters = parameters;
        Defaults = defaults;
        _names = NameSearch.In(new ScopedBody([], body));
        string[] extra = [.. new[] { "caller", "kwargs", "varargs" }.Where(n => _names.Contains(n) && !parameters.Contains(n, StringComparer.Ordinal))];
        _body = new ScopedBody([.. parameters, .. extra], body);
    }

    public string? Name { get; }

    public string[] Parameters { get; }

    public Expression[] Defaults { get; }

    /// <summary>The body uses a name and does not get it as a parameter.</summary>
    public bool Catches(string name) => _names.Contains(name) && !Parameters.Contains(name, StringComparer.Ordinal);

    public ScopedBody Body => _body;
}

/// <summary>A macro with the scope it was made in.</summary>
internal sealed class Macro(MacroBody macro, Scope scope) : Callable
{
    public override string TypeName => "Macro";

    public override object? Call(Arguments arguments)
    {
        Budget.Enter();
        Scope inner = scope.Inner(macro.Body);
        Bind(arguments, inner);
        string text = scope.Run.Captured(() => macro.Body.Execute(inner));
        Budget.Leave();
        return scope.Run.Autoescape ? new Markup(text) : text;
    }

    public object? Member(string name) => name switch
    {
        "name" => macro.Name,
        "arguments" => new PyTuple([.. macro.Parameters]),
        "catch_kwargs" => macro.Catches("kwargs"),
        "catch_varargs" => macro.Catches("varargs"),
        "caller" => macro.Catches("caller"),
        "explicit_caller" => macro.Parameters.Contains("caller", StringComparer.Ordinal),
        _ => null,
    };

    public override string ToString() => macro.Name is null ? "<Macro anonymous>" : $"<Macro {Repr.Of(macro.Name)}>";

    private void Bind(Arguments arguments, Scope inner)
    {
        PyDict named = arguments.Named;
        int given = Math.Min(arguments.Positional.Count, macro.Parameters.Length);
        List<int> absent = [];
        for (int i = 0; i < macro.Parameters.Length; i++)
        {
            if (i < given)
            {
                inner.Set(macro.Parameters[i], arguments.Positional[i]);
            }
            else if (named.Take(macro.Parameters[i], out object? value))
            {
                inner.Set(macro.Parameters[i], value);
            }
            else
            {
                absent.Add(i);
            }
        }

        if (macro.Catches("caller"))
        {
            inner.Set("caller", named.Take("caller", out object? caller) && caller is not null ? caller : Undefined.Hint("No caller defined"));
        }

        if (macro.Catches("kwargs"))
        {
            inner.Set("kwargs", named);
        }
        else if (named.Count > 0)
        {
            throw TemplateException.Type(named.Contains("caller")
                ? $"macro {Repr.Of(macro.Name)} was invoked with two values for the special caller argument. This is most likely a bug."
                : $"macro {Repr.Of(macro.Name)} takes no keyword argument {Repr.Of(named.Keys.First())}");
        }

        if (macro.Catches("varargs"))
        {
            inner.Set("varargs", new PyTuple([.. arguments.Positional.Skip(given)]));
        }
        else if (arguments.Positional.Count > macro.Parameters.Length)
        {
            throw TemplateException.Type($"macro {Repr.Of(macro.Name)} takes not more than {macro.Parameters.Length} argument(s)");
        }

        foreach (int i in absent)
        {
            int at = i - (macro.Parameters.Length - macro.Defaults.Length);
            inner.Set(macro.Parameters[i], at >= 0 ? macro.Defaults[at].Evaluate(inner) : Undefined.Hint($"parameter {Repr.Of(macro.Parameters[i])} was not provided"));
        }
    }
}

internal sealed class MacroNode(string name, string[] parameters, Expression[] defaults, Statement[] body) : Statement
{
    private readonly MacroBody _macro = new(name, parameters, defaults, body);

    public override Flow Execute(Scope scope)
    {
        scope.Set(name, new Macro(_macro, scope));
        return Flow.Next;
    }

    public override void Names(INameVisitor visitor)
    {
        visitor.Set(name);
        visitor.Nested(_macro.Body);
    }
}

internal sealed class CallBlockNode(string[] parameters, Expression[] defaults, CallNode call, Statement[] body) : Statement
{
    private readonly MacroBody _caller = new(null, parameters, defaults, body);

    public override Flow Execute(Scope scope)
    {
        scope.Run.WriteValue(call.Call(scope, new Macro(_caller, scope)));
        return Flow.Next;
    }

    public override void Names(INameVisitor visitor)
    {
        call.Names(visitor.Read);
        visitor.Nested(_caller.Body);
    }
}

internal sealed class FilterBlockNode(Expression filter, Statement[] body) : Statement
{
    private readonly ScopedBody _body = new([], body);

    public override Flow Execute(Scope scope)
    {
        Scope inner = scope.Inner(_body);
        string text = scope.Run.Captured(() => _body.Execute(inner));
        scope.Run.WriteValue(((FilterNode)filter).Apply(inner, text));
        return Flow.Next;
    }

    public override void Names(INameVisitor visitor)
    {
        filter.Names(visitor.Read);
        visitor.Nested(_body);
    }
}

/// <summary>What the model itself says: its place in the rendered text is kept.</summary>
internal sealed class GenerationNode(Statement[] body) : Statement
{
    private readonly ScopedBody _body = new([], body);

    public override Flow Execute(Scope scope)
    {
        Scope inner = scope.Inner(_body);
        string text = scope.Run.Captured(() => _body.Execute(inner));
        scope.Run.Generated(text);
        scope.Run.Write(text);
        return Flow.Next;
    }

    public override void Names(INameVisitor visitor) => visitor.Nested(_body);
}

internal sealed class AutoescapeNode(Expression on, Statement[] body) : Statement
{
    private readonly ScopedBody _body = new([], body);

    public override Flow Execute(Scope scope)
    {
        Run run = scope.Run;
        bool before = run.Autoescape;
        run.Autoescape = Operators.Truth(on.Evaluate(scope));
        Flow flow = _body.Execute(scope.Inner(_body));
        run.Autoescape = before;
        return flow;
    }

    public override void Names(INameVisitor visitor) => visitor.Nested(_body);
}

/// <summary>A named block: without another template to put something in its place, its body as it stands.</summary>
internal sealed class BlockNode(Statement[] body) : Statement
{
    private readonly ScopedBody _body = new([], body);

    public override Flow Execute(Scope scope) => _body.Execute(scope.Inner(_body));

    public override void Names(INameVisitor visitor) => visitor.Nested(_body);
}

internal sealed class OtherTemplateNode : Statement
{
    public override Flow Execute(Scope scope) => throw TemplateException.Type("no loader for this environment specified");

    public override void Names(INameVisitor visitor)
    {
    }
}
