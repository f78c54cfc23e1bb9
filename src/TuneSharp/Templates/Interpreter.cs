using System.Globalization;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>Runs the statements of a template. One instance renders once.</summary>
internal sealed partial class Interpreter
{
    /// <summary>Most characters that a template may write.</summary>
    private const int MostOutput = 1 << 27;

    /// <summary>Most statements and expressions that it may run: some seconds of work.</summary>
    private const long MostSteps = 20_000_000;

    /// <summary>Most macros, loops and blocks inside each other.</summary>
    private const int MostDepth = 400;

    private readonly DateTimeOffset _now;
    private readonly StringBuilder _top = new();
    private readonly List<(int Start, int End)> _generation = [];
    private readonly Scope _globals = new(null);
    private StringBuilder _output;
    private long _steps;
    private int _depth;

    public Interpreter(IReadOnlyDictionary<string, object?> variables, DateTimeOffset now)
    {
        (_now, _output) = (now, _top);
        Globals.Add(_globals, this);
        foreach ((string name, object? value) in variables)
        {
            _globals.Set(name, value);
        }
    }

    public DateTimeOffset Now => _now;

    private enum Flow
    {
        Next,
        Break,
        Continue,
    }

    public (string Text, IReadOnlyList<(int Start, int End)> Generation) Render(IReadOnlyList<Node> body)
    {
        Run(body, new Scope(_globals));
        return (_top.ToString(), _generation);
    }

    /// <summary>Runs statements into a text of their own.</summary>
    public string Capture(IReadOnlyList<Node> body, Scope scope)
    {
        StringBuilder outside = _output;
        _output = new StringBuilder();
        Enter();
        try
        {
            Run(body, scope);
            return _output.ToString();
        }
        finally
        {
            _output = outside;
            _depth--;
        }
    }

    private void Enter()
    {
        if (++_depth > MostDepth)
        {
            throw new TemplateException("RecursionError", "maximum recursion depth exceeded");
        }

        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
    }

    private void Step()
    {
        if (++_steps > MostSteps)
        {
            throw new TemplateException("TemplateRuntimeError", string.Create(
                CultureInfo.InvariantCulture, $"The template ran {MostSteps:N0} steps and was stopped: a loop in it is far too long."));
        }
    }

    private void Write(string text)
    {
        if (_output.Length + text.Length > MostOutput)
        {
            throw new TemplateException("TemplateRuntimeError", string.Create(
                CultureInfo.InvariantCulture, $"The template wrote more than {MostOutput:N0} characters and was stopped."));
        }

        _output.Append(text);
    }

    private Flow Run(IReadOnlyList<Node> body, Scope scope)
    {
        foreach (Node node in body)
        {
            Step();
            Flow flow = Run(node, scope);
            if (flow != Flow.Next)
            {
                return flow;
            }
        }

        return Flow.Next;
    }

    private Flow Run(Node node, Scope scope)
    {
        switch (node)
        {
            case TextNode text:
                Write(text.Text);
                return Flow.Next;
            case PrintNode print:
                Write(PyText.Str(Evaluate(print.Value, scope)));
                return Flow.Next;
            case IfNode condition:
                foreach ((Expr test, IReadOnlyList<Node> body) in condition.Branches)
                {
                    if (PyOps.Truth(Evaluate(test, scope)))
                    {
                        return Run(body, scope);
                    }
                }

                return Run(condition.Else, scope);
            case ForNode loop:
                RunLoop(loop, Evaluate(loop.Items, scope), scope, 0);
                return Flow.Next;
            case SetNode set:
                Assign(set.Target, Evaluate(set.Value, scope), scope);
                return Flow.Next;
            case SetBlockNode set:
                object? captured = Capture(set.Body, new Scope(scope));
                Assign(set.Target, set.Filter is null ? captured : ApplyToBlock(set.Filter, captured, scope), scope);
                return Flow.Next;
            case WithNode with:
                Scope inner = new(scope);
                foreach ((Expr target, Expr value) in with.Values)
                {
                    Assign(target, Evaluate(value, scope), inner);
                }

                return Run(with.Body, inner);
            case MacroNode macro:
                scope.Set(macro.Shape.Name!, new Macro(macro.Shape, scope, this));
                return Flow.Next;
            case CallNode call:
                RunCall(call, scope);
                return Flow.Next;
            case FilterNode filter:
                Write(PyText.Str(ApplyToBlock(filter.Filter, Capture(filter.Body, new Scope(scope)), scope)));
                return Flow.Next;
            case GenerationNode generation:
                string text_ = Capture(generation.Body, new Scope(scope));
                int start = (int)PyOps.CodePoints(_top.ToString());
                _generation.Add((start, start + (int)PyOps.CodePoints(text_)));
                Write(text_);
                return Flow.Next;
            case BlockNode block:
                Write(Capture(block.Body, new Scope(scope)));
                return Flow.Next;
            case LoopControlNode control:
                return control.IsBreak ? Flow.Break : Flow.Continue;
            default:
                throw new TemplateException("TemplateRuntimeError", $"{node.GetType().Name} cannot be run");
        }
    }

    private void RunCall(CallNode call, Scope scope)
    {
        Macro caller = new(call.Caller, scope, this);
        Write(PyText.Str(Call(call.Call, scope, new("caller", caller))));
    }

    private void RunLoop(ForNode loop, object? items, Scope scope, int depth)
    {
        IEnumerable<object?> source = PyOps.Iterate(items);
        object?[] all = [.. loop.Test is null ? source : source.Where(item =>
        {
            Scope test = new(scope);
            test.Set("loop", PyUndefined.Name("loop"));
            Assign(loop.Target, item, test);
            return PyOps.Truth(Evaluate(loop.Test, test));
        })];
        PyOps.Sized(all);
        Enter();
        LoopContext context = new(all, depth, loop.IsRecursive ? (inner, level) => RunNested(loop, inner, scope, level) : null);
        for (int i = 0; i < all.Length; i++)
        {
            Step();
            context.Index = i;
            Scope iteration = new(scope);
            iteration.Set("loop", context);
            Assign(loop.Target, all[i], iteration);
            if (Run(loop.Body, iteration) == Flow.Break)
            {
                break;
            }
        }

        _depth--;
        if (all.Length == 0)
        {
            Run(loop.Else, new Scope(scope));
        }
    }

    private string RunNested(ForNode loop, object? items, Scope scope, int depth)
    {
        StringBuilder outside = _output;
        _output = new StringBuilder();
        try
        {
            RunLoop(loop, items, scope, depth);
            return _output.ToString();
        }
        finally
        {
            _output = outside;
        }
    }

    private static void Assign(Expr target, object? value, Scope scope)
    {
        switch (target)
        {
            case NameExpr name:
                scope.Set(name.Name, value);
                break;
            case NamespaceExpr attribute:
                if (Lookup(attribute.Name, scope) is not PyNamespace space)
                {
                    throw new TemplateException("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
                }

                space.Values[attribute.Attribute] = value;
                break;
            case TupleExpr tuple:
                object?[] parts = value is PyUndefined undefined ? throw undefined.Error : PyOps.IsIterable(value) ? [.. PyOps.Iterate(value).Take(tuple.Items.Count + 1)]
                    : throw TemplateException.Type($"cannot unpack non-iterable {PyType.Name(value)} object");
                if (parts.Length < tuple.Items.Count)
                {
                    throw TemplateException.Value(string.Create(
                        CultureInfo.InvariantCulture, $"not enough values to unpack (expected {tuple.Items.Count}, got {parts.Length})"));
                }

                if (parts.Length > tuple.Items.Count)
                {
                    string got = value is PyList or PyTuple or PyDict ? string.Create(CultureInfo.InvariantCulture, $", got {PyOps.Length(value)}") : "";
                    throw TemplateException.Value(string.Create(
                        CultureInfo.InvariantCulture, $"too many values to unpack (expected {tuple.Items.Count}{got})"));
                }

                for (int i = 0; i < parts.Length; i++)
                {
                    Assign(tuple.Items[i], parts[i], scope);
                }

                break;
            default:
                throw new TemplateException("TemplateRuntimeError", "cannot assign to this");
        }
    }

    /// <summary>Variables of one block, and the blocks around it.</summary>
    internal sealed class Scope(Scope? outer)
    {
        private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

        public void Set(string name, object? value) => _values[name] = value;

        public bool TryGet(string name, out object? value)
        {
            for (Scope? scope = this; scope is not null; scope = scope.Outer)
            {
                if (scope._values.TryGetValue(name, out value))
                {
                    return true;
                }
            }

            value = null;
            return false;
        }

        private Scope? Outer => outer;
    }
}
