using System.Globalization;

namespace TuneSharp.Config;

/// <summary>The command line's changes to a config.</summary>
/// <remarks>
/// <c>key=value</c>, <c>--key=value</c>, <c>--key value</c>, <c>~key</c>. Keys are dotted paths in either spelling; values are YAML,
/// and may contain <c>=</c>. A word given to a component swaps it and keeps its other arguments.
/// </remarks>
internal static class Overrides
{
    /// <summary>Applies the changes in their order.</summary>
    /// <param name="root">The config in normal form, changed in place.</param>
    /// <param name="arguments">Words of the command line.</param>
    /// <param name="problems">Takes what cannot be applied.</param>
    public static void Apply(ConfigMapping root, IReadOnlyList<string> arguments, List<ConfigProblem> problems)
    {
        for (int i = 0; i < arguments.Count; i++)
        {
            try
            {
                string argument = arguments[i];
                if (argument.StartsWith('~'))
                {
                    Delete(root, argument[1..].Split('=')[0]);
                }
                else
                {
                    (string key, string value) = Split(arguments, ref i);
                    Set(root, key, value);
                }
            }
            catch (FormatException e)
            {
                problems.Add(new(ConfigPlace.CommandLine.File, 0, 0, e.Message));
            }
        }
    }

    private static (string Key, string Value) Split(IReadOnlyList<string> arguments, ref int i)
    {
        string argument = arguments[i];
        int equal = argument.IndexOf('=', StringComparison.Ordinal);
        if (!argument.StartsWith("--", StringComparison.Ordinal))
        {
            return equal > 0 && argument[0] != '-'
                ? (argument[..equal], argument[(equal + 1)..])
                : throw new FormatException($"Command-line overrides must be in the form of key=value, got {argument}");
        }

        string key = (equal < 0 ? argument[2..] : argument[2..equal]).Replace('-', '_');
        if (key.Length == 0)
        {
            throw new FormatException($"Command-line overrides must be in the form of key=value, got {argument}");
        }

        if (equal >= 0)
        {
            return (key, argument[(equal + 1)..]);
        }

        if (i + 1 >= arguments.Count || arguments[i + 1].StartsWith("--", StringComparison.Ordinal))
        {
            throw new FormatException($"{argument} has no value. Write {argument} VALUE, or {key}=VALUE.");
        }

        return (key, arguments[++i]);
    }

    private static void Set(ConfigMapping root, string key, string text)
    {
        ConfigNode value;
        try
        {
            value = YamlReader.ReadValue(text);
        }
        catch (ConfigException e)
        {
            throw new FormatException($"{key}={text}: {e.Problems[0].Message} Put quotes around text with special characters.", e);
        }

        string[] path = Path(root, key);
        NormalForm.Component(value, isPart: path.Length == 1);
        ConfigNode parent = root;
        for (int i = 0; i < path.Length - 1; i++)
        {
            parent = Step(parent, path, i, key);
        }

        string last = path[^1];
        if (parent is ConfigSequence list)
        {
            int index = Index(list, last, key);
            list.Items[index] = Merge(list.Items[index], value);
            return;
        }

        ConfigMapping mapping = (ConfigMapping)parent;
        ConfigNode? old = mapping[last];
        if (old is ConfigSequence && value is ConfigMapping)
        {
            throw new FormatException($"{key} is a list, and {text} is a mapping. Give a whole new list: {key}=[…].");
        }

        mapping.Set(last, old is null ? value : Merge(old, value), ConfigPlace.CommandLine);
    }

    /// <summary>The new value over the old one: mappings merge, a word swaps a component and keeps its arguments, all else replaces.</summary>
    private static ConfigNode Merge(ConfigNode old, ConfigNode value)
    {
        if (old is not ConfigMapping target)
        {
            return value;
        }

        if (value is ConfigScalar { Value: string } name && target[ConfigMapping.ComponentKey] is not null)
        {
            target.Set(ConfigMapping.ComponentKey, name, ConfigPlace.CommandLine);
            return target;
        }

        if (value is not ConfigMapping changes)
        {
            return value;
        }

        foreach (ConfigEntry change in changes.Entries)
        {
            target.Set(change.Key, target[change.Key] is { } inner ? Merge(inner, change.Node) : change.Node, change.KeyPlace);
        }

        return target;
    }

    private static ConfigNode Step(ConfigNode parent, string[] path, int i, string key)
    {
        string step = path[i];
        if (parent is ConfigSequence list)
        {
            return list.Items[Index(list, step, key)];
        }

        ConfigMapping mapping = (ConfigMapping)parent;
        switch (mapping[step])
        {
            case ConfigMapping or ConfigSequence:
                return mapping[step]!;
            case null or ConfigScalar { Value: null }:
                ConfigMapping fresh = new(ConfigPlace.CommandLine);
                mapping.Set(step, fresh, ConfigPlace.CommandLine);
                return fresh;
            case ConfigScalar { Value: string name } bare when path[i + 1] != ConfigMapping.ComponentKey && ComponentRegistry.Find(name) is not null:
                ConfigMapping named = new(bare.Place);
                named.Set(ConfigMapping.ComponentKey, bare, bare.Place);
                mapping.Set(step, named, ConfigPlace.CommandLine);
                return named;
            case var other:
                string where = string.Join('.', path[..(i + 1)]);
                throw new FormatException($"{key}: {where} is the single value {((ConfigScalar)other!).Text}; it has no {path[i + 1]}.");
        }
    }

    private static int Index(ConfigSequence list, string step, string key) =>
        int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < list.Items.Count
            ? index
            : throw new FormatException($"{key}: a list of {list.Items.Count} stands there, and {step} is no index of it. Give a whole new list: key=[…].");

    private static void Delete(ConfigMapping root, string key)
    {
        string[] path = Path(root, key);
        if (path[^1] == ConfigMapping.ComponentKey)
        {
            throw new FormatException($"~{key}: Removing components from CLI is not supported. Swap it ({path[0]}=NAME), or set {path[0]}=null.");
        }

        List<ConfigMapping> chain = [root];
        foreach (string step in path[..^1])
        {
            chain.Add(chain[^1][step] as ConfigMapping ?? throw Absent(key, chain[^1], step));
        }

        if (!chain[^1].Remove(path[^1]))
        {
            throw Absent(key, chain[^1], path[^1]);
        }

        for (int i = chain.Count - 1; i > 0 && chain[i].Entries.Count == 0; i--)
        {
            chain[i - 1].Remove(path[i - 1]);
        }
    }

    private static FormatException Absent(string key, ConfigMapping where, string step) =>
        new($"Could not find key {key} in yaml config to remove.{NearestName.Hint(step, where.Keys)}");

    private static string[] Path(ConfigMapping root, string key)
    {
        string[] path = key.Trim().Split('.');
        return path.Any(p => p.Length == 0)
            ? throw new FormatException($"`{key}` is not a key. Keys are words joined by single dots.")
            : NormalForm.Path(path, root);
    }
}
