namespace TuneSharp.Templates;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>A part of a template that writes text or sets names.</summary>
internal abstract class Statement
{
    public abstract Flow Execute(Scope scope);

    public abstract void Names(INameVisitor visitor);
}

/// <summary>What statements share.</summary>
internal static class Statements
{
    public static Flow Execute(Statement[] body, Scope scope)
    {
        foreach (Statement statement in body)
        {
            Budget.Step();
            Flow flow = statement.Execute(scope);
            if (flow != Flow.Next)
            {
                return flow;
            }
        }

        return Flow.Next;
    }

    public static void SetNames(Expression target, INameVisitor visitor)
    {
        switch (target)
        {
            case NameNode name:
                visitor.Set(name.Name);
                break;
            case TupleNode tuple:
                Array.ForEach(tuple.Items, i => SetNames(i, visitor));
                break;
            case NamespaceTarget ns:
                visitor.Read(ns.Name);
                break;
        }
    }

    public static string[] TargetNames(Expression target) => target switch
    {
        NameNode name => [name.Name],
        TupleNode tuple => [.. tuple.Items.SelectMany(TargetNames)],
        _ => [],
    };

    public static void Assign(Expression target, object? value, Scope scope)
    {
        switch (target)
        {
            case NameNode name:
                scope.Set(name.Name, value);
                break;
            case TupleNode tuple:
                object?[] parts = Unpack(value, tuple.Items.Length);
                for (int i = 0; i < parts.Length; i++)
                {
                    Assign(tuple.Items[i], parts[i], scope);
                }

                break;
            case NamespaceTarget ns:
                (scope.Read(ns.Name) as PyNamespace ?? throw TemplateException.Runtime("cannot assign attribute on non-namespace object"))
                    .Values.Set(ns.Attribute, value);
                break;
        }
    }

    /// <summary>Python's unpacking.</summary>
    public static object?[] Unpack(object? value, int count)
    {
        IEnumerable<object?> items = Operators.TryIterate(value) ?? throw TemplateException.Type($"cannot unpack non-iterable {PyType.Name(value)} object");
        List<object?> parts = [];
        foreach (object? item in items)
        {
            parts.Add(item);
            if (parts.Count > count)
            {
                string got = value is PyList or PyTuple or PyDict ? $", got {Operators.Length(value)}" : "";
                throw TemplateException.Value($"too many values to unpack (expected {count}{got})");
            }
        }

        return parts.Count == count ? [.. parts]
            : throw TemplateException.Value($"not enough values to unpack (expected {count}, got {parts.Count})");
    }
}

internal sealed class TextNode(string text) : Statement
{
    public override Flow Execute(Scope scope)
    {
        scope.Run.Write(text);
        return Flow.Next;
    }

    public override void Names(INameVisitor visitor)
    {
    }
}

internal sealed class OutputNode(Expression value) : Statement
{
    public override Flow Execute(Scope scope)
    {
        scope.Run.WriteValue(value.Evaluate(scope));
        return Flow.Next;
    }

    public override void Names(INameVisitor visitor) => value.Names(visitor.Read);
}

internal sealed class SetNode(Expression target, Expression value) : Statement
{
    public override Flow Execute(Scope scope)
    {
        Statements.Assign(target, value.Evaluate(scope), scope);
        return Flow.Next;
    }

    public override void Names(INameVisitor visitor)
    {
        value.Names(visitor.Read);
        Statements.SetNames(target, visitor);
    }
}

internal sealed class SetBlockNode(Expression target, Expression? filter, Statement[] body) : Statement
{
    private readonly ScopedBody _body = new([], body);

    public override Flow Execute(Scope scope)
    {
        Scope inner = scope.Inner(_body);
        object? text = scope.Run.Captured(() => _body.Execute(inner));
        text = filter is FilterNode f ? f.Apply(inner, text) : text;
        Statements.Assign(target, scope.Run.Autoescape ? new Markup(Repr.Str(text)) : text, scope);
        return Flow.Next;
    }

    public override void Names(INameVisitor visitor)
    {
        Statements.SetNames(target, visitor);
        filter?.Names(visitor.Read);
        visitor.Nested(_body);
    }
}

internal sealed class IfNode((Expression Test, Statement[] Body)[] branches, Statement[] otherwise) : Statement
{
    public override Flow Execute(Scope scope)
    {
        foreach ((Expression test, Statement[] body) in branches)
        {
            if (Operators.Truth(test.Evaluate(scope)))
            {
                return Statements.Execute(body, scope);
            }
        }

        return Statements.Execute(otherwise, scope);
    }

    public override void Names(INameVisitor visitor)
    {
        Array.ForEach(branches, b => b.Test.Names(visitor.Read));
        visitor.Branches([.. branches.Select(b => b.Body), otherwise]);
    }
}

internal sealed class ForNode : Statement
{
    private readonly Expression _target;
    private readonly Expression _items;
    private readonly Expression? _filter;
    private readonly bool _recursive;
    private readonly ScopedBody _body;
    private readonly ScopedBody _otherwise;
    private readonly ScopedBody _filtered;

    public ForNode(Expression target, Expression items, Expression? filter, bool recursive, Statement[] body, Statement[] otherwise, int line)
    {
        string[] names = Statements.TargetNames(target);
        if (names.Contains("loop", StringComparer.Ordinal))
        {
            throw new TemplateException("TemplateAssertionError", "Can't assign to special loop variable in for-loop target", line);
        }

        _target = target;
        _items = items;
        _filter = filter;
        _recursive = recursive;
        _body = new ScopedBody(["loop", .. names], body);
        _otherwise = new ScopedBody([], otherwise);
        _filtered = new ScopedBody(names, filter is null ? [] : [new OutputNode(filter)]);
    }

    public override Flow Execute(Scope scope)
    {
        object? items = _items.Evaluate(scope);
        if (!_recursive)
        {
            Loop(scope, items, 0);
            return Flow.Next;
        }

        scope.Run.WriteValue(Recurse(scope, items, 0));
        return Flow.Next;
    }

    private string Recurse(Scope scope, object? items, int depth)
    {
        Budget.Enter();
        string text = scope.Run.Captured(() => Loop(scope, items, depth));
        Budget.Leave();
        return text;
    }

    private void Loop(Scope scope, object? source, int depth)
    {
        IEnumerable<object?> items = Operators.Iterate(source);
        if (_filter is not null)
        {
            PyIterator chosen = new("generator", items.Where(item =>
            {
                Budget.Step();
                Scope inner = scope.Inner(_filtered);
                Statements.Assign(_target, item, inner);
                return Operators.Truth(_filter.Evaluate(inner));
            }));
            source = items = chosen;
        }

        LoopContext loop = new(source, items, depth, _recursive ? (next, deeper) => Recurse(scope, next, deeper) : null);
        bool none = true;
        while (loop.Next(out object? item))
        {
            Budget.Step();
            Scope inner = scope.Inner(_body);
            inner.Set("loop", loop);
            Statements.Assign(_target, item, inner);
            Flow flow = _body.Execute(inner);
            if (flow == Flow.Break)
            {
                break;
            }

            // As in Jinja2, only a pass that was not cut short counts for the else.
            none &= flow == Flow.Continue;
        }

        if (none)
        {
            _otherwise.Execute(scope.Inner(_otherwise));
        }
    }

    public override void Names(INameVisitor visitor)
    {
        _items.Names(visitor.Read);
        visitor.Nested(_filtered);
        visitor.Nested(_body);
        visitor.Nested(_otherwise);
    }
}

internal sealed class LoopControlNode(bool breaks) : Statement
{
    public override Flow Execute(Scope scope) => breaks ? Flow.Break : Flow.Continue;

    public override void Names(INameVisitor visitor)
    {
    }
}

internal sealed class WithNode((Expression Target, Expression Value)[] values, Statement[] body) : Statement
{
    private readonly ScopedBody _body = new([.. values.SelectMany(v => Statements.TargetNames(v.Target))], body);

    public override Flow Execute(Scope scope)
    {
        Scope inner = scope.Inner(_body);
        foreach ((Expression target, Expression value) in values)
        {
            Statements.Assign(target, value.Evaluate(scope), inner);
        }

        return _body.Execute(inner);
    }

    public override void Names(INameVisitor visitor)
    {
        Array.ForEach(values, v => v.Value.Names(visitor.Read));
        visitor.Nested(_body);
    }
}
