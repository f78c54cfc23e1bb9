using System.Text;

namespace TuneSharp.Templates;

/// <summary>A part of a template that has a value.</summary>
internal abstract class Expression
{
    public abstract object? Evaluate(Scope scope);

    /// <summary>Tells the names that are read.</summary>
    public abstract void Names(Action<string> read);
}

internal sealed class ConstantNode(object? value) : Expression
{
    public override object? Evaluate(Scope scope) => value;

    public override void Names(Action<string> read)
    {
    }
}

internal sealed class NameNode(string name) : Expression
{
    public string Name { get; } = name;

    public override object? Evaluate(Scope scope) => scope.Read(Name);

    public override void Names(Action<string> read) => read(Name);
}

/// <summary><c>ns.name</c> on the left of an assignment.</summary>
internal sealed class NamespaceTarget(string name, string attribute) : Expression
{
    public string Name { get; } = name;

    public string Attribute { get; } = attribute;

    public override object? Evaluate(Scope scope) => Members.Attribute(scope.Read(Name), Attribute);

    public override void Names(Action<string> read) => read(Name);
}

internal sealed class TupleNode(Expression[] items) : Expression
{
    public Expression[] Items { get; } = items;

    public override object? Evaluate(Scope scope) => new PyTuple([.. Items.Select(i => i.Evaluate(scope))]);

    public override void Names(Action<string> read) => Array.ForEach(Items, i => i.Names(read));
}

internal sealed class ListNode(Expression[] items) : Expression
{
    public override object? Evaluate(Scope scope) => new PyList([.. items.Select(i => i.Evaluate(scope))]);

    public override void Names(Action<string> read) => Array.ForEach(items, i => i.Names(read));
}

internal sealed class DictNode((Expression Key, Expression Value)[] items) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        PyDict dict = new();
        foreach ((Expression key, Expression value) in items)
        {
            dict.Set(key.Evaluate(scope), value.Evaluate(scope));
        }

        return dict;
    }

    public override void Names(Action<string> read)
    {
        foreach ((Expression key, Expression value) in items)
        {
            key.Names(read);
            value.Names(read);
        }
    }
}

internal sealed class UnaryNode(string symbol, Expression operand) : Expression
{
    public override object? Evaluate(Scope scope) => Operators.Unary(symbol, operand.Evaluate(scope));

    public override void Names(Action<string> read) => operand.Names(read);
}

internal sealed class BinaryNode(string symbol, Expression left, Expression right) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        Budget.Step();
        Budget.CheckStack();
        object? a = left.Evaluate(scope);
        return Operators.Binary(symbol, a, right.Evaluate(scope));
    }

    public override void Names(Action<string> read)
    {
        left.Names(read);
        right.Names(read);
    }
}

internal sealed class ConcatNode(Expression[] parts) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        StringBuilder text = new();
        foreach (Expression part in parts)
        {
            Budget.Write(text, Repr.Str(part.Evaluate(scope)));
        }

        return text.ToString();
    }

    public override void Names(Action<string> read) => Array.ForEach(parts, p => p.Names(read));
}

internal sealed class AndNode(Expression left, Expression right) : Expression
{
    public override object? Evaluate(Scope scope) => left.Evaluate(scope) is var value && Operators.Truth(value) ? right.Evaluate(scope) : value;

    public override void Names(Action<string> read)
    {
        left.Names(read);
        right.Names(read);
    }
}

internal sealed class OrNode(Expression left, Expression right) : Expression
{
    public override object? Evaluate(Scope scope) => left.Evaluate(scope) is var value && Operators.Truth(value) ? value : right.Evaluate(scope);

    public override void Names(Action<string> read)
    {
        left.Names(read);
        right.Names(read);
    }
}

internal sealed class NotNode(Expression operand) : Expression
{
    public override object? Evaluate(Scope scope) => !Operators.Truth(operand.Evaluate(scope));

    public override void Names(Action<string> read) => operand.Names(read);
}

internal sealed class CompareNode(Expression first, (string Symbol, Expression Value)[] rest) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        object? left = first.Evaluate(scope);
        foreach ((string symbol, Expression value) in rest)
        {
            Budget.Step();
            object? right = value.Evaluate(scope);
            bool holds = symbol switch
            {
                "==" => Operators.Equal(left, right),
                "!=" => !Operators.Equal(left, right),
                "in" => Operators.Contains(right, left),
                "not in" => !Operators.Contains(right, left),
                _ => Operators.Ordered(left, right, symbol),
            };
            if (!holds)
            {
                return false;
            }

            left = right;
        }

        return true;
    }

    public override void Names(Action<string> read)
    {
        first.Names(read);
        Array.ForEach(rest, r => r.Value.Names(read));
    }
}

internal sealed class ConditionNode(Expression test, Expression value, Expression? otherwise, int line) : Expression
{
    public override object? Evaluate(Scope scope) => Operators.Truth(test.Evaluate(scope)) ? value.Evaluate(scope)
        : otherwise is null ? Undefined.Hint($"the inline if-expression on line {line} evaluated to false and no else section was defined.")
        : otherwise.Evaluate(scope);

    public override void Names(Action<string> read)
    {
        test.Names(read);
        value.Names(read);
        otherwise?.Names(read);
    }
}

internal sealed class AttributeNode(Expression value, string name) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        Budget.Step();
        return Members.Attribute(value.Evaluate(scope), name);
    }

    public override void Names(Action<string> read) => value.Names(read);
}

internal sealed class SliceNode(Expression? start, Expression? stop, Expression? step) : Expression
{
    public override object? Evaluate(Scope scope) =>
        new Operators.Slice(start?.Evaluate(scope), stop?.Evaluate(scope), step?.Evaluate(scope));

    public override void Names(Action<string> read)
    {
        start?.Names(read);
        stop?.Names(read);
        step?.Names(read);
    }
}

internal sealed class ItemNode(Expression value, Expression key) : Expression
{
    public override object? Evaluate(Scope scope)
    {
        Budget.Step();
        object? of = value.Evaluate(scope);
        object? at = key.Evaluate(scope);
        if (key is not SliceNode || value is ConstantNode)
        {
            return Members.Item(of, at);
        }

        // A slice is Python's own: what cannot be cut is an error and not undefined.
        if (Operators.TrySubscript(of, at, out object? part))
        {
            return part;
        }

        throw of switch
        {
            PyDict => new TemplateException("KeyError", "slice"),
            string or Markup or PyList or PyTuple or PyRange or PyBytes =>
                TemplateException.Type("slice indices must be integers or None or have an __index__ method"),
            _ => TemplateException.Type($"'{PyType.Name(of)}' object is not subscriptable"),
        };
    }

    public override void Names(Action<string> read)
    {
        value.Names(read);
        key.Names(read);
    }
}

/// <summary>The arguments of a call, a filter or a test as they are written.</summary>
internal sealed class ArgumentNodes(Expression[] positional, (string Name, Expression Value)[] named, Expression? rest, Expression? namedRest)
{
    public static ArgumentNodes None { get; } = new([], [], null, null);

    /// <summary>Evaluates them, behind what a filter or a test is applied to.</summary>
    public Arguments Evaluate(Scope scope, object? first, bool hasFirst, object? caller = null)
    {
        List<object?> values = hasFirst ? [first] : [];
        foreach (Expression p in positional)
        {
            values.Add(p.Evaluate(scope));
        }

        PyDict? byName = null;
        foreach ((string name, Expression value) in named)
        {
            byName ??= new PyDict();
            byName.Set(name, value.Evaluate(scope));
        }

        if (rest is not null)
        {
            values.AddRange(Operators.ToList(rest.Evaluate(scope)));
        }

        if (caller is not null)
        {
            byName ??= new PyDict();
            byName.Set("caller", caller);
        }

        if (namedRest is not null)
        {
            object? more = namedRest.Evaluate(scope);
            byName ??= new PyDict();
            foreach ((object? key, object? value) in (more as PyDict
                ?? throw TemplateException.Type($"argument after ** must be a mapping, not {PyType.Name(more)}")).Pairs())
            {
                byName.Set(Operators.AsText(key) ?? throw TemplateException.Type("keywords must be strings"), value);
            }
        }

        return new Arguments(values, byName);
    }

    public void Names(Action<string> read)
    {
        Array.ForEach(positional, p => p.Names(read));
        Array.ForEach(named, n => n.Value.Names(read));
        rest?.Names(read);
        namedRest?.Names(read);
    }
}

internal sealed class CallNode(Expression function, ArgumentNodes arguments) : Expression
{
    public override object? Evaluate(Scope scope) => Call(scope, null);

    public object? Call(Scope scope, object? caller)
    {
        Budget.Step();
        object? target = function.Evaluate(scope);
        Arguments given = arguments.Evaluate(scope, null, hasFirst: false, caller);
        return target switch
        {
            Callable callable => callable.Call(given),
            Undefined u => throw u.Failure(),
            _ => throw TemplateException.Type($"'{PyType.Name(target)}' object is not callable"),
        };
    }

    public override void Names(Action<string> read)
    {
        function.Names(read);
        arguments.Names(read);
    }
}

/// <summary>A filter; without a value it waits for the text of a block.</summary>
internal sealed class FilterNode(Expression? value, string name, ArgumentNodes arguments, int line) : Expression
{
    private readonly Func<Arguments, object?>? _filter = Filters.Find(name);

    public bool IsKnown => _filter is not null;

    public TemplateException Unknown() => new("TemplateAssertionError", $"No filter named {Repr.Of(name)}.", line);

    public override object? Evaluate(Scope scope) => Apply(scope, null);

    /// <summary>Applies the chain of filters to a block's text.</summary>
    public object? Apply(Scope scope, object? text)
    {
        Budget.Step();
        object? input = value switch
        {
            null => text,
            FilterNode inner => inner.Apply(scope, text),
            _ => value.Evaluate(scope),
        };
        return (_filter ?? throw TemplateException.Runtime($"No filter named {Repr.Of(name)} found."))(
            arguments.Evaluate(scope, input, hasFirst: true));
    }

    public override void Names(Action<string> read)
    {
        value?.Names(read);
        arguments.Names(read);
    }
}

internal sealed class TestNode(Expression value, string name, ArgumentNodes arguments, int line) : Expression
{
    private readonly Func<Arguments, object?>? _test = Tests.Find(name);

    public bool IsKnown => _test is not null;

    public TemplateException Unknown() => new("TemplateAssertionError", $"No test named {Repr.Of(name)}.", line);

    public override object? Evaluate(Scope scope)
    {
        Budget.Step();
        object? input = value.Evaluate(scope);
        return (_test ?? throw TemplateException.Runtime($"No test named {Repr.Of(name)} found."))(arguments.Evaluate(scope, input, hasFirst: true));
    }

    public override void Names(Action<string> read)
    {
        value.Names(read);
        arguments.Names(read);
    }
}
