using System.Globalization;

namespace TuneSharp.Config;

/// <summary>Where something was written.</summary>
/// <param name="File">File name, or <c>command line</c>.</param>
/// <param name="Line">Line from 1; 0 when there is none.</param>
/// <param name="Column">Column from 1; 0 when there is none.</param>
public readonly record struct ConfigPlace(string File, int Line, int Column)
{
    /// <summary>The place of everything that came from the command line.</summary>
    public static ConfigPlace CommandLine { get; } = new("command line", 0, 0);

    /// <inheritdoc/>
    public override string ToString() =>
        Line > 0 ? string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}") : File;
}

/// <summary>A piece of a config as it was written, with its place. A record's member of this type takes any form unchecked.</summary>
public abstract class ConfigNode
{
    private protected ConfigNode(ConfigPlace place) => Place = place;

    /// <summary>Where it was written.</summary>
    public ConfigPlace Place { get; }

    /// <summary>The words of the command line that gave this node: what a text member takes, whatever YAML makes of them.</summary>
    internal string? Words { get; set; }

    /// <summary>The value in plain .NET types: null, bool, long, double, string, a list of these, or a dictionary of these.</summary>
    public abstract object? ToPlain();

    /// <summary>A copy that shares nothing with this one.</summary>
    internal abstract ConfigNode Clone();
}

/// <summary>A single value.</summary>
public sealed class ConfigScalar : ConfigNode
{
    internal ConfigScalar(object? value, string text, ConfigPlace place, bool isQuoted = false)
        : base(place)
    {
        Value = value;
        Text = text;
        IsQuoted = isQuoted;
    }

    /// <summary>Null, or a bool, long, double or string.</summary>
    public object? Value { get; }

    /// <summary>The value as it was written, without quotes.</summary>
    public string Text { get; }

    /// <summary>True when quotes made it text.</summary>
    public bool IsQuoted { get; }

    /// <summary>True when the value could not be found out and the mistake is reported already.</summary>
    internal bool IsBroken { get; init; }

    /// <inheritdoc/>
    public override object? ToPlain() => Value;

    internal override ConfigNode Clone() => new ConfigScalar(Value, Text, Place, IsQuoted) { Words = Words, IsBroken = IsBroken };
}

/// <summary>A list.</summary>
public sealed class ConfigSequence : ConfigNode
{
    internal ConfigSequence(List<ConfigNode> items, ConfigPlace place)
        : base(place) => Items = items;

    /// <summary>The items, in order.</summary>
    public IReadOnlyList<ConfigNode> Nodes => Items;

    internal List<ConfigNode> Items { get; }

    /// <inheritdoc/>
    public override object? ToPlain() => Items.ConvertAll(i => i.ToPlain());

    internal override ConfigNode Clone() => new ConfigSequence(Items.ConvertAll(i => i.Clone()), Place) { Words = Words };
}

/// <summary>Keys with values, in the order of the file.</summary>
public sealed class ConfigMapping : ConfigNode
{
    /// <summary>The key that names a component.</summary>
    internal const string ComponentKey = "_component_";

    internal ConfigMapping(ConfigPlace place)
        : base(place)
    {
    }

    /// <summary>The keys, in order.</summary>
    public IEnumerable<string> Keys => Entries.Select(e => e.Key);

    internal List<ConfigEntry> Entries { get; private init; } = [];

    /// <summary>The value of a key, or null when the key is absent.</summary>
    /// <param name="key">The key.</param>
    public ConfigNode? this[string key] => Find(key)?.Node;

    /// <inheritdoc/>
    public override object? ToPlain() =>
        Entries.ToDictionary(e => e.Key, e => e.Node.ToPlain(), StringComparer.Ordinal);

    internal ConfigEntry? Find(string key) => Entries.Find(e => e.Key == key);

    internal void Set(string key, ConfigNode node, ConfigPlace keyPlace)
    {
        int at = Entries.FindIndex(e => e.Key == key);
        if (at < 0)
        {
            Entries.Add(new(key, keyPlace, node));
        }
        else
        {
            Entries[at] = new(key, keyPlace, node);
        }
    }

    internal bool Remove(string key) => Entries.RemoveAll(e => e.Key == key) > 0;

    internal override ConfigNode Clone() =>
        new ConfigMapping(Place) { Entries = Entries.ConvertAll(e => e with { Node = e.Node.Clone() }), Words = Words };
}

/// <summary>One key of a mapping.</summary>
internal sealed record ConfigEntry(string Key, ConfigPlace KeyPlace, ConfigNode Node);
