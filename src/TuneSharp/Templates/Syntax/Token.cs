namespace TuneSharp.Templates;

/// <summary>A piece of a template. <paramref name="Type"/> is Jinja2's name for its kind, as its messages are made of them.</summary>
internal readonly record struct Token(string Type, object? Value, int Line)
{
    private static readonly Dictionary<string, string> Described = new(StringComparer.Ordinal)
    {
        ["add"] = "+", ["sub"] = "-", ["div"] = "/", ["floordiv"] = "//", ["mul"] = "*", ["mod"] = "%", ["pow"] = "**", ["tilde"] = "~",
        ["lbracket"] = "[", ["rbracket"] = "]", ["lparen"] = "(", ["rparen"] = ")", ["lbrace"] = "{", ["rbrace"] = "}", ["eq"] = "==",
        ["ne"] = "!=", ["gt"] = ">", ["gteq"] = ">=", ["lt"] = "<", ["lteq"] = "<=", ["assign"] = "=", ["dot"] = ".", ["colon"] = ":",
        ["pipe"] = "|", ["comma"] = ",", ["semicolon"] = ";",
        ["block_begin"] = "begin of statement block", ["block_end"] = "end of statement block",
        ["variable_begin"] = "begin of print statement", ["variable_end"] = "end of print statement",
        ["data"] = "template data / text", ["eof"] = "end of template",
    };

    /// <summary>Operators, longest first.</summary>
    public static readonly (string Symbol, string Type)[] Operators =
        [.. Described.Where(d => !char.IsAsciiLetter(d.Value[0])).Select(d => (d.Value, d.Key)).OrderByDescending(o => o.Value.Length)];

    public string Text => (string)Value!;

    /// <summary>True for a name, and that one.</summary>
    public bool Is(string name) => Type == "name" && Text == name;

    public bool Test(string expression) =>
        expression.StartsWith("name:", StringComparison.Ordinal) ? Is(expression[5..]) : Type == expression;

    public string Describe() => Type == "name" ? Text : Described.GetValueOrDefault(Type, Type);

    public static string Describe(string expression) =>
        expression.StartsWith("name:", StringComparison.Ordinal) ? expression[5..] : Described.GetValueOrDefault(expression, expression);
}
