using System.Globalization;
using System.Text;

namespace TuneSharp.Config;

/// <summary>Replaces <c>${…}</c> by what it stands for, after all overrides are in.</summary>
/// <remarks>
/// <c>${a.b}</c> from the top, <c>${.b}</c> beside the value (a further dot per level up), <c>${a.${b}}</c>, inside longer
/// text, <c>${oc.env:NAME,default}</c> <c>${eval:'${a} * ${b}'}</c> and
/// <c>${quickstart:model}</c> (a path beside the program). <c>\${</c> is text. A value that is one interpolation
/// keeps the type of what it names.
/// </remarks>
internal sealed class Interpolation
{
    private readonly ConfigMapping _root;
    private readonly List<ConfigProblem> _problems;
    private readonly Dictionary<ConfigScalar, ConfigNode> _done = new(ReferenceEqualityComparer.Instance);
    private readonly List<(ConfigScalar Scalar, string Path)> _active = [];

    private Interpolation(ConfigMapping root, List<ConfigProblem> problems) => (_root, _problems) = (root, problems);

    /// <summary>Resolves a whole config.</summary>
    /// <param name="root">The config with its overrides; it is not changed.</param>
    /// <param name="problems">Takes missing keys and cycles.</param>
    /// <returns>The resolved config, and the top-level keys that some interpolation names (a file's own variables).</returns>
    public static (ConfigMapping Resolved, IReadOnlySet<string> Variables) Resolve(ConfigMapping root, List<ConfigProblem> problems)
    {
        Interpolation work = new(root, problems);
        return ((ConfigMapping)work.ResolveNode(root, []), work.Variables);
    }

    private HashSet<string> Variables { get; } = new(StringComparer.Ordinal);

    private ConfigNode ResolveNode(ConfigNode node, string[] path)
    {
        switch (node)
        {
            case ConfigMapping mapping:
                ConfigMapping resolved = new(mapping.Place) { Words = mapping.Words };
                foreach (ConfigEntry e in mapping.Entries)
                {
                    resolved.Set(e.Key, ResolveNode(e.Node, [.. path, e.Key]), e.KeyPlace);
                }

                return resolved;
            case ConfigSequence list:
                return new ConfigSequence(
                    [.. list.Items.Select((item, i) => ResolveNode(item, [.. path, i.ToString(CultureInfo.InvariantCulture)]))],
                    list.Place) { Words = list.Words };
            case ConfigScalar { Value: string text } scalar when text.Contains("${", StringComparison.Ordinal):
                return ResolveScalar(scalar, text, path);
            default:
                return node;
        }
    }

    private ConfigNode ResolveScalar(ConfigScalar scalar, string text, string[] path)
    {
        if (_done.TryGetValue(scalar, out ConfigNode? known))
        {
            return known;
        }

        string name = string.Join('.', path);
        int first = _active.FindIndex(a => ReferenceEquals(a.Scalar, scalar));
        if (first >= 0)
        {
            return Fail(scalar, $"{name}: interpolation goes in a circle: {string.Join(" -> ", _active.Skip(first).Select(a => a.Path))} -> {name}.");
        }

        _active.Add((scalar, name));
        ConfigNode result;
        try
        {
            result = Expand(scalar, text, path);
        }
        catch (FormatException e)
        {
            result = Fail(scalar, $"{name}: {e.Message}.");
        }

        _active.RemoveAt(_active.Count - 1);
        return _done[scalar] = result;
    }

    private ConfigNode Expand(ConfigScalar scalar, string text, string[] path)
    {
        StringBuilder all = new();
        int at = 0;
        while (true)
        {
            int start = text.IndexOf("${", at, StringComparison.Ordinal);
            if (start < 0)
            {
                all.Append(text, at, text.Length - at);
                return new ConfigScalar(all.ToString(), all.ToString(), scalar.Place, isQuoted: true);
            }

            int slashes = 0;
            while (start - slashes - 1 >= at && text[start - slashes - 1] == '\\')
            {
                slashes++;
            }

            all.Append(text, at, start - slashes - at).Append('\\', slashes / 2);
            if (slashes % 2 == 1)
            {
                all.Append("${");
                at = start + 2;
                continue;
            }

            int end = End(text, start);
            ConfigNode value = Evaluate(text[(start + 2)..end], scalar, path);
            if (value is ConfigScalar { IsBroken: true })
            {
                return value;
            }

            at = end + 1;
            if (start == 0 && at == text.Length)
            {
                return Placed(value, scalar);
            }

            all.Append(Text(value));
        }
    }

    /// <summary>What stands between the braces, first replacing interpolations inside it.</summary>
    private ConfigNode Evaluate(string expression, ConfigScalar scalar, string[] path)
    {
        string inner = expression;
        if (expression.Contains("${", StringComparison.Ordinal))
        {
            ConfigNode node = Expand(scalar, expression, path);
            if (node is ConfigScalar { IsBroken: true })
            {
                return node;
            }

            inner = Text(node);
        }

        inner = inner.Trim();
        int colon = inner.IndexOf(':', StringComparison.Ordinal);
        return colon < 0
            ? LookUp(inner, path)
            : Call(inner[..colon].Trim(), inner[(colon + 1)..].Trim(), scalar);
    }

    private static ConfigScalar Call(string resolver, string arguments, ConfigScalar scalar)
    {
        switch (resolver)
        {
            case "eval":
                object number = Arithmetic.Evaluate(Unquote(arguments));
                return new ConfigScalar(number, number is double d ? YamlScalars.Format(d) : ((long)number).ToString(CultureInfo.InvariantCulture), scalar.Place);
            case "oc.env":
                int comma = arguments.IndexOf(',', StringComparison.Ordinal);
                string variable = Unquote((comma < 0 ? arguments : arguments[..comma]).Trim());
                string? value = Environment.GetEnvironmentVariable(variable) ?? (comma < 0 ? null : Unquote(arguments[(comma + 1)..].Trim()));
                return value is null
                    ? throw new FormatException($"the environment variable {variable} is not set. Set it, or give a default: ${{oc.env:{variable},default}}")
                    : new ConfigScalar(YamlScalars.Resolve(value), value, scalar.Place);
            case "quickstart":
                // The small model and data that travel beside the program.
                string file = Path.Combine(AppContext.BaseDirectory, "quickstart", Unquote(arguments));
                return new ConfigScalar(file, file, scalar.Place, isQuoted: true);
            default:
                throw new FormatException($"${{{resolver}:…}} is not known; the resolvers are oc.env, eval and quickstart");
        }
    }

    private ConfigNode LookUp(string key, string[] path)
    {
        int dots = key.TakeWhile(c => c == '.').Count();
        if (dots > path.Length)
        {
            throw new FormatException($"${{{key}}} points above the top of the config");
        }

        string[] start = dots == 0 ? [] : path[..^dots];
        string[] target = [.. start, .. Segments(key[dots..])];
        if (target.Length == 0)
        {
            throw new FormatException("${} names nothing");
        }

        if (Find(target) is not { } found)
        {
            string[] normal = NormalForm.Path(target, _root);
            found = Find(normal) ?? throw Missing(key, target);
            target = normal;
        }

        Variables.Add(target[0]);
        return ResolveNode(found, target);
    }

    private ConfigNode? Find(string[] path)
    {
        ConfigNode? node = _root;
        for (int i = 0; i < path.Length; i++)
        {
            // A step through a value that is itself an interpolation.
            if (node is ConfigScalar { Value: string text } scalar && text.Contains("${", StringComparison.Ordinal))
            {
                node = ResolveScalar(scalar, text, path[..i]);
            }

            node = node switch
            {
                ConfigMapping mapping => mapping[path[i]],
                ConfigSequence list when int.TryParse(path[i], NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                    && index < list.Items.Count => list.Items[index],
                _ => null,
            };
        }

        return node;
    }

    private FormatException Missing(string key, string[] target)
    {
        ConfigNode? parent = Find(target[..^1]);
        string hint = parent is ConfigMapping mapping ? NearestName.Hint(target[^1], mapping.Keys) : "";
        return new($"${{{key}}} names no key of this config. Define it, or change the name.{hint}".TrimEnd('.'));
    }

    private static string[] Segments(string key) =>
        key.Replace("[", ".", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal)
            .Split('.', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static int End(string text, int start)
    {
        int depth = 0;
        char quote = '\0';
        for (int i = start; i < text.Length; i++)
        {
            char c = text[i];
            if (quote != '\0')
            {
                quote = c == quote ? '\0' : quote;
            }
            else if (c is '\'' or '"')
            {
                quote = c;
            }
            else if (c == '{' && i > 0 && text[i - 1] == '$')
            {
                depth++;
            }
            else if (c == '}' && --depth == 0)
            {
                return i;
            }
        }

        throw new FormatException($"`{text}`: the brace of `${{` is not closed. Write \\${{ if you mean the characters");
    }

    private static string Unquote(string text) =>
        text.Length >= 2 && text[0] == text[^1] && text[0] is '\'' or '"' ? text[1..^1] : text;

    private static string Text(ConfigNode node) => node switch
    {
        ConfigScalar { Value: null } => "None",
        ConfigScalar { Value: string s } => s,
        ConfigScalar { Value: bool b } => b ? "True" : "False",
        ConfigScalar s => s.Text,
        _ => throw new FormatException("a list or a section cannot stand inside text"),
    };

    /// <summary>The same value, said to be where it is used: a wrong type is mended there.</summary>
    private static ConfigNode Placed(ConfigNode node, ConfigScalar use) =>
        node is ConfigScalar s ? new ConfigScalar(s.Value, s.Text, use.Place, s.IsQuoted) { IsBroken = s.IsBroken } : node.Clone();

    private ConfigScalar Fail(ConfigScalar scalar, string message)
    {
        _problems.Add(new(scalar.Place.File, scalar.Place.Line, scalar.Place.Column, message));
        return new ConfigScalar(null, "", scalar.Place) { IsBroken = true };
    }
}
