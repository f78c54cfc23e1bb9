namespace TuneSharp.Templates;

/// <summary>An expression.</summary>
internal abstract record Expr(int Line);

internal sealed record ConstExpr(object? Value, int Line) : Expr(Line);

internal sealed record NameExpr(string Name, int Line) : Expr(Line);

/// <summary><c>ns.name</c> as the target of a <c>set</c>.</summary>
internal sealed record NamespaceExpr(string Name, string Attribute, int Line) : Expr(Line);

internal sealed record TupleExpr(IReadOnlyList<Expr> Items, int Line) : Expr(Line);

internal sealed record ListExpr(IReadOnlyList<Expr> Items, int Line) : Expr(Line);

internal sealed record DictExpr(IReadOnlyList<(Expr Key, Expr Value)> Items, int Line) : Expr(Line);

internal sealed record ConditionExpr(Expr Test, Expr Then, Expr? Else, int Line) : Expr(Line);

internal sealed record LogicExpr(bool IsAnd, Expr Left, Expr Right, int Line) : Expr(Line);

internal sealed record NotExpr(Expr Operand, int Line) : Expr(Line);

internal sealed record UnaryExpr(char Sign, Expr Operand, int Line) : Expr(Line);

internal sealed record BinaryExpr(string Op, Expr Left, Expr Right, int Line) : Expr(Line);

internal sealed record ConcatExpr(IReadOnlyList<Expr> Items, int Line) : Expr(Line);

internal sealed record CompareExpr(Expr First, IReadOnlyList<(string Op, Expr Right)> Rest, int Line) : Expr(Line);

internal sealed record AttributeExpr(Expr Target, string Name, int Line) : Expr(Line);

internal sealed record ItemExpr(Expr Target, Expr Index, int Line) : Expr(Line);

internal sealed record SliceExpr(Expr? Start, Expr? Stop, Expr? Step, int Line) : Expr(Line);

internal sealed record CallExpr(Expr Target, Arguments Arguments, int Line) : Expr(Line);

/// <summary>A filter; <see cref="Target"/> is null where it stands over a block.</summary>
internal sealed record FilterExpr(Expr? Target, string Name, Arguments Arguments, int Line) : Expr(Line);

internal sealed record TestExpr(Expr Target, string Name, Arguments Arguments, int Line) : Expr(Line);

/// <summary>Arguments of a call.</summary>
internal sealed record Arguments(
    IReadOnlyList<Expr> Positional, IReadOnlyList<(string Name, Expr Value)> Named, Expr? Rest = null, Expr? NamedRest = null)
{
    public static Arguments None { get; } = new([], []);
}

/// <summary>A statement.</summary>
internal abstract record Node(int Line);

internal sealed record TextNode(string Text, int Line) : Node(Line);

internal sealed record PrintNode(Expr Value, int Line) : Node(Line);

internal sealed record IfNode(IReadOnlyList<(Expr Test, IReadOnlyList<Node> Body)> Branches, IReadOnlyList<Node> Else, int Line) : Node(Line);

internal sealed record ForNode(
    Expr Target, Expr Items, Expr? Test, bool IsRecursive, IReadOnlyList<Node> Body, IReadOnlyList<Node> Else, int Line) : Node(Line);

internal sealed record SetNode(Expr Target, Expr Value, int Line) : Node(Line);

internal sealed record SetBlockNode(Expr Target, FilterExpr? Filter, IReadOnlyList<Node> Body, int Line) : Node(Line);

internal sealed record WithNode(IReadOnlyList<(Expr Target, Expr Value)> Values, IReadOnlyList<Node> Body, int Line) : Node(Line);

internal sealed record MacroNode(MacroShape Shape, int Line) : Node(Line);

internal sealed record CallNode(CallExpr Call, MacroShape Caller, int Line) : Node(Line);

internal sealed record FilterNode(FilterExpr Filter, IReadOnlyList<Node> Body, int Line) : Node(Line);

internal sealed record GenerationNode(IReadOnlyList<Node> Body, int Line) : Node(Line);

/// <summary>A block that nobody overrides: its body, in a scope of its own.</summary>
internal sealed record BlockNode(string Name, IReadOnlyList<Node> Body, int Line) : Node(Line);

internal sealed record LoopControlNode(bool IsBreak, int Line) : Node(Line);

/// <summary>A macro as it is written.</summary>
/// <param name="Name">Its name; null for the body of a call block.</param>
/// <param name="Parameters">Names, and defaults of the last of them.</param>
/// <param name="Body">Statements.</param>
/// <param name="UsesCaller">The body reads <c>caller</c>.</param>
/// <param name="UsesKwargs">The body reads <c>kwargs</c>.</param>
/// <param name="UsesVarargs">The body reads <c>varargs</c>.</param>
internal sealed record MacroShape(
    string? Name, IReadOnlyList<(string Name, Expr? Default)> Parameters, IReadOnlyList<Node> Body, bool UsesCaller, bool UsesKwargs, bool UsesVarargs);
