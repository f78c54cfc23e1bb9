using System.Text;

namespace TuneSharp.Templates;

/// <content>Expressions.</content>
internal sealed partial class Interpreter
{
    private static object? Lookup(string name, Scope scope) => scope.TryGet(name, out object? value) ? value : PyUndefined.Name(name);

    internal object? Evaluate(Expr expression, Scope scope)
    {
        Step();
        switch (expression)
        {
            case ConstExpr constant: return constant.Value;
            case NameExpr name: return Lookup(name.Name, scope);
            case ListExpr list: return new PyList([.. list.Items.Select(i => Evaluate(i, scope))]);
            case TupleExpr tuple: return new PyTuple([.. tuple.Items.Select(i => Evaluate(i, scope))]);
            case DictExpr dict: return Dict(dict, scope);
            case ConditionExpr condition:
                return PyOps.Truth(Evaluate(condition.Test, scope)) ? Evaluate(condition.Then, scope)
                    : condition.Else is not null ? Evaluate(condition.Else, scope)
                    : new PyUndefined("the inline if-expression evaluated to false and no else section was defined.");
            case LogicExpr logic:
                object? left = Evaluate(logic.Left, scope);
                return PyOps.Truth(left) == logic.IsAnd ? Evaluate(logic.Right, scope) : left;
            case NotExpr not: return !PyOps.Truth(Evaluate(not.Operand, scope));
            case UnaryExpr unary: return PyOps.Negate(Evaluate(unary.Operand, scope), unary.Sign);
            case BinaryExpr binary: return PyOps.Binary(binary.Op, Evaluate(binary.Left, scope), Evaluate(binary.Right, scope));
            case ConcatExpr concat:
                StringBuilder text = new();
                foreach (Expr item in concat.Items)
                {
                    text.Append(PyText.Str(Evaluate(item, scope)));
                }

                return PyOps.Sized(text.ToString());
            case CompareExpr compare: return Compare(compare, scope);
            case AttributeExpr attribute: return PyAttributes.Attribute(Evaluate(attribute.Target, scope), attribute.Name);
            case ItemExpr { Index: SliceExpr slice } item:
                return PyOps.Slice(
                    Evaluate(item.Target, scope), EvaluateOrNone(slice.Start, scope), EvaluateOrNone(slice.Stop, scope), EvaluateOrNone(slice.Step, scope));
            case ItemExpr item: return PyAttributes.Item(Evaluate(item.Target, scope), Evaluate(item.Index, scope));
            case CallExpr call: return Call(call, scope);
            case FilterExpr filter: return Apply(filter, Evaluate(filter.Target!, scope), scope);
            case TestExpr test:
                object? tested = Evaluate(test.Target, scope);
                return Tests.Get(test.Name)(this, tested, ArgumentsOf(test.Arguments, scope));
            default:
                throw new TemplateException("TemplateRuntimeError", $"{expression.GetType().Name} cannot be evaluated");
        }
    }

    private object? EvaluateOrNone(Expr? expression, Scope scope) => expression is null ? null : Evaluate(expression, scope);

    private PyDict Dict(DictExpr dict, Scope scope)
    {
        PyDict result = new();
        foreach ((Expr key, Expr value) in dict.Items)
        {
            result.Set(Evaluate(key, scope), Evaluate(value, scope));
        }

        return result;
    }

    private bool Compare(CompareExpr compare, Scope scope)
    {
        object? left = Evaluate(compare.First, scope);
        foreach ((string op, Expr rightExpression) in compare.Rest)
        {
            object? right = Evaluate(rightExpression, scope);
            if (!PyOps.Holds(op, left, right))
            {
                return false;
            }

            left = right;
        }

        return true;
    }

    private object? Apply(FilterExpr filter, object? value, Scope scope) =>
        Filters.Get(filter.Name)(this, value, ArgumentsOf(filter.Arguments, scope));

    /// <summary>A chain of filters over a block: its text stands before the first of them.</summary>
    private object? ApplyToBlock(FilterExpr filter, object? text, Scope scope) =>
        Apply(filter, filter.Target is FilterExpr before ? ApplyToBlock(before, text, scope) : text, scope);

    private CallArguments ArgumentsOf(Arguments arguments, Scope scope)
    {
        if (arguments is { Positional.Count: 0, Named.Count: 0, Rest: null, NamedRest: null })
        {
            return CallArguments.Of();
        }

        List<object?> positional = [.. arguments.Positional.Select(a => Evaluate(a, scope))];
        List<KeyValuePair<string, object?>> named = [.. arguments.Named.Select(a => KeyValuePair.Create(a.Name, Evaluate(a.Value, scope)))];
        if (arguments.Rest is not null)
        {
            positional.AddRange(PyOps.Iterate(Evaluate(arguments.Rest, scope)));
        }

        if (arguments.NamedRest is not null)
        {
            object? rest = Evaluate(arguments.NamedRest, scope);
            PyDict dict = rest as PyDict ?? throw (rest is PyUndefined undefined
                ? undefined.Error
                : TemplateException.Type($"argument after ** must be a mapping, not {PyType.Name(rest)}"));
            named.AddRange(dict.Items.Select(i => KeyValuePair.Create(
                PyOps.Text(i.Key) ?? throw TemplateException.Type("keywords must be strings"), i.Value)));
        }

        return new CallArguments(positional, named);
    }

    private object? Call(CallExpr call, Scope scope, KeyValuePair<string, object?>? extra = null)
    {
        object? target = Evaluate(call.Target, scope);
        CallArguments arguments = ArgumentsOf(call.Arguments, scope);
        if (extra is { } more)
        {
            arguments = arguments with { Named = [.. arguments.Named, more] };
        }

        switch (target)
        {
            case PyFunction function:
                Enter();
                object? result = function.Call(arguments);
                _depth--;
                return result;
            case LoopContext loop: return loop.Nested(arguments.Bind("loop", ("iterable", CallArguments.Required))[0]);
            case PyUndefined undefined: throw undefined.Error;
            default: throw TemplateException.Type($"'{PyType.Name(target)}' object is not callable");
        }
    }
}
