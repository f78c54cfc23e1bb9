using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Reflection;

namespace TuneSharp.Config;

/// <summary>Turns nodes into records and components, and collects every mistake on the way.</summary>
/// <param name="root">The whole config, resolved.</param>
/// <param name="variables">Top-level keys that interpolations name: a file's own variables, not mistakes.</param>
/// <param name="problems">Takes the mistakes.</param>
internal sealed partial class ConfigBinder(ConfigMapping root, IReadOnlySet<string> variables, List<ConfigProblem> problems)
{
    /// <summary>Stands for a value that could not be bound; the mistake is reported.</summary>
    internal static readonly object Failed = new();

    /// <summary>Keys passed over, by path, in the order met.</summary>
    public List<string> Ignored { get; } = [];

    /// <summary>Binds the whole config to a recipe's record.</summary>
    /// <param name="type">The record.</param>
    /// <param name="owner">What the keys belong to, in messages.</param>
    public object? BindRoot(Type type, string owner)
    {
        object? value = BindRecord(type, root, "", owner, out List<string> keys);
        RejectUnknown(root, "", keys, $" is not a key of {owner}");
        return value;
    }

    /// <summary>Binds a record that knows a part of the config; all other keys are passed over.</summary>
    /// <param name="type">The record.</param>
    /// <param name="owner">What the keys belong to, in messages.</param>
    public object? BindPart(Type type, string owner) => BindRecord(type, root, "", owner, out _);

    /// <summary>Binds every top-level component, without a recipe: all that can be checked when the recipe is not known.</summary>
    public void CheckComponents()
    {
        foreach (ConfigEntry entry in root.Entries)
        {
            if (entry.Node is ConfigMapping mapping && mapping[ConfigMapping.ComponentKey] is not null
                && IgnoredKeys.MayStand(entry.Key, mapping) is not true)
            {
                Bind(typeof(Component<object>), isNullable: true, mapping, entry.Key);
            }
        }
    }

    private object? Bind(Type type, bool isNullable, ConfigNode node, string path)
    {
        if (node is ConfigScalar { IsBroken: true })
        {
            return Failed;
        }

        if (type.IsAssignableTo(typeof(ConfigNode)))
        {
            return type.IsInstanceOfType(node) ? node : Fail(node, $"{path} has another form than a {type.Name[6..].ToLowerInvariant()}.");
        }

        if (type == typeof(object))
        {
            return node is ConfigMapping map && map[ConfigMapping.ComponentKey] is not null
                ? Bind(typeof(Component<object>), isNullable, node, path)
                : node.ToPlain();
        }

        if (node is ConfigScalar { Value: null })
        {
            return isNullable ? null : Fail(node, $"{path} may not be empty.");
        }

        if (ConfigTypes.ComponentResult(type) is { } result)
        {
            return BindComponent(type, result, node, path);
        }

        if (ConfigTypes.ItemOf(type) is { } item)
        {
            return BindList(type, item, node, path);
        }

        if (ConfigTypes.ValueOf(type) is { } value)
        {
            return BindDictionary(value, node, path);
        }

        if (ConfigTypes.IsRecord(type))
        {
            return BindNested(type, node, path);
        }

        try
        {
            return ScalarBinder.Bind(Nullable.GetUnderlyingType(type) ?? type, node);
        }
        catch (FormatException e)
        {
            return Fail(node, $"{path} {e.Message}");
        }
    }

    private object? BindNested(Type type, ConfigNode node, string path)
    {
        if (node is not ConfigMapping mapping)
        {
            string keys = string.Join(", ", RecordShape.Of(type).Members.Select(m => m.Key).Order(StringComparer.Ordinal));
            return Fail(node, $"{path} is a section with the keys {keys}; it cannot be `{ConfigText.Show(node)}`.");
        }

        object? value = BindRecord(type, mapping, path + ".", path, out List<string> known);
        RejectUnknown(mapping, path + ".", known, $" is not a key of {path}");
        return value;
    }

    private object BindList(Type type, Type item, ConfigNode node, string path)
    {
        bool isComponents = ConfigTypes.ComponentResult(item) is not null;
        List<ConfigNode> nodes;
        if (node is ConfigSequence sequence)
        {
            nodes = sequence.Items;
        }
        else if (isComponents)
        {
            nodes = [node]; // one component stands for a list of one
        }
        else
        {
            return Fail(node, $"{path} is a list; it cannot be `{ConfigText.Show(node)}`. Write [{ConfigText.Show(node)}] for a list of one.");
        }

        IList list = type.IsArray
            ? Array.CreateInstance(item, nodes.Count)
            : (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(item))!;
        bool good = true;
        for (int i = 0; i < nodes.Count; i++)
        {
            bool itemMayBeNull = Nullable.GetUnderlyingType(item) is not null;
            object? value = Bind(item, itemMayBeNull, nodes[i], node is ConfigSequence ? $"{path}[{i}]" : path);
            good &= !ReferenceEquals(value, Failed);
            if (!good)
            {
                continue;
            }

            if (type.IsArray)
            {
                list[i] = value;
            }
            else
            {
                list.Add(value);
            }
        }

        return good ? list : Failed;
    }

    private object BindDictionary(Type valueType, ConfigNode node, string path)
    {
        if (node is not ConfigMapping mapping)
        {
            return Fail(node, $"{path} is a section of keys and values; it cannot be `{ConfigText.Show(node)}`.");
        }

        IDictionary result = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(typeof(string), valueType))!;
        bool good = true;
        foreach (ConfigEntry entry in mapping.Entries)
        {
            object? value = Bind(valueType, isNullable: true, entry.Node, $"{path}.{entry.Key}");
            good &= !ReferenceEquals(value, Failed);
            if (good)
            {
                result[entry.Key] = value;
            }
        }

        return good ? result : Failed;
    }

    private object? BindRecord(Type type, ConfigMapping mapping, string prefix, string owner, out List<string> keys)
    {
        RecordShape shape = RecordShape.Of(type);
        keys = [.. shape.Members.Select(m => m.Key)];
        int before = problems.Count;
        object?[] arguments = [.. shape.Arguments.Select(m => BindMember(m, mapping, prefix, owner))];
        bool good = !arguments.Contains(Failed);
        List<(PropertyInfo, object?)> values = [];
        foreach (ConfigMember member in shape.Properties)
        {
            if (member.IsRequired || mapping.Find(member.Key) is not null)
            {
                object? value = BindMember(member, mapping, prefix, owner);
                good &= !ReferenceEquals(value, Failed);
                values.Add((member.Property!, value));
            }
        }

        if (!good || problems.Count > before)
        {
            return Failed;
        }

        object instance;
        try
        {
            instance = shape.Constructor.Invoke(BindingFlags.DoNotWrapExceptions, null, arguments, null);
            foreach ((PropertyInfo property, object? value) in values)
            {
                property.SetValue(instance, value, BindingFlags.DoNotWrapExceptions, null, null, null);
            }
        }
        catch (ArgumentException e)
        {
            return Fail(mapping, $"{prefix.TrimEnd('.')}: {e.Message}".TrimStart(':', ' '));
        }

        return CheckWhole(instance, shape, mapping, prefix) ? instance : Failed;
    }

    private object? BindMember(ConfigMember member, ConfigMapping mapping, string prefix, string owner)
    {
        if (mapping.Find(member.Key) is not { } entry)
        {
            return member.IsRequired
                ? Fail(mapping, $"{prefix}{member.Key} is missing: {owner} needs {member.Key}.")
                : member.Default;
        }

        object? value = Bind(member.Type, member.IsNullable, entry.Node, prefix + member.Key);
        if (ReferenceEquals(value, Failed) || value is null)
        {
            return value;
        }

        bool good = true;
        foreach (ValidationAttribute rule in member.Rules)
        {
            if (ConfigText.Broken(rule, value, prefix + member.Key) is { } sentence)
            {
                Fail(entry.Node, sentence);
                good = false;
            }
        }

        return good ? value : Failed;
    }

    private bool CheckWhole(object instance, RecordShape shape, ConfigMapping mapping, string prefix)
    {
        if (instance is not IValidatableObject whole)
        {
            return true;
        }

        bool good = true;
        foreach (ValidationResult result in whole.Validate(new ValidationContext(instance)))
        {
            if (result == ValidationResult.Success)
            {
                continue;
            }

            string? member = result.MemberNames.FirstOrDefault();
            string? key = shape.Members.FirstOrDefault(m => (m.Property?.Name ?? m.Parameter!.Name) == member)?.Key;
            ConfigNode place = key is not null && mapping[key] is { } node ? node : mapping;
            Fail(place, $"{prefix}{key}{(key is null ? "" : ": ")}{result.ErrorMessage}");
            good = false;
        }

        return good;
    }

    private void RejectUnknown(ConfigMapping mapping, string prefix, List<string> known, string what)
    {
        foreach (ConfigEntry entry in mapping.Entries)
        {
            string path = prefix + entry.Key;
            if (known.Contains(entry.Key) || (prefix.Length == 0 && variables.Contains(entry.Key)))
            {
                continue;
            }

            bool? mayStand = IgnoredKeys.MayStand(path, entry.Node);
            if (mayStand is true)
            {
                Ignored.Add(path);
            }
            else
            {
                Fail(entry.KeyPlace, mayStand is false
                    ? $"{path} is not available in this version of TuneSharp. Remove it (~{path}), or switch it off."
                    : ConfigText.UnknownKey(path, entry.Key, known, what));
            }
        }
    }

    private object Fail(ConfigNode node, string message) => Fail(node.Place, message);

    private object Fail(ConfigPlace place, string message)
    {
        problems.Add(new(place.File, place.Line, place.Column, message));
        return Failed;
    }
}
