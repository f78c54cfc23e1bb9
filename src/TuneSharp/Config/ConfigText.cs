using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace TuneSharp.Config;

/// <summary>Bound values back into nodes and words.</summary>
internal static class ConfigText
{
    private static readonly ConfigPlace Nowhere = new("resolved", 0, 0);
    private static readonly string[] SecretEndings = ["token", "secret", "password", "api_key", "access_key"];

    /// <summary>Any bound value as nodes, keys sorted.</summary>
    public static ConfigNode ToNode(object? value) => value switch
    {
        null => new ConfigScalar(null, "null", Nowhere),
        ConfigNode node => Sorted(node),
        string s => new ConfigScalar(s, s, Nowhere, isQuoted: true),
        bool b => new ConfigScalar(b, b ? "true" : "false", Nowhere),
        int or long => new ConfigScalar(Convert.ToInt64(value, CultureInfo.InvariantCulture), ((IFormattable)value).ToString(null, CultureInfo.InvariantCulture), Nowhere),
        float f => new ConfigScalar((double)f, YamlScalars.Format(double.Parse(f.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)), Nowhere),
        double d => new ConfigScalar(d, YamlScalars.Format(d), Nowhere),
        Enum e => ToNode(Name(e)),
        IComponent c => Mapping(c.Arguments.Select(a => KeyValuePair.Create(a.Key, a.Value)).Prepend(new(ConfigMapping.ComponentKey, c.Name))),
        IDictionary d => Mapping(d.Keys.Cast<string>().Select(k => KeyValuePair.Create(k, d[k]))),
        IEnumerable list => new ConfigSequence([.. list.Cast<object?>().Select(ToNode)], Nowhere),
        _ when ConfigTypes.IsRecord(value.GetType()) => Mapping(Members(value)),
        _ => new ConfigScalar(value.ToString(), value.ToString() ?? "", Nowhere, isQuoted: true),
    };

    /// <summary>A record's members by YAML key.</summary>
    public static IEnumerable<KeyValuePair<string, object?>> Members(object record)
    {
        Type type = record.GetType();
        foreach (ConfigMember member in RecordShape.Of(type).Members)
        {
            System.Reflection.PropertyInfo? property = member.Property ?? type.GetProperty(member.Parameter!.Name!);
            if (property is { CanRead: true })
            {
                yield return new(member.Key, property.GetValue(record));
            }
        }
    }

    public static void AddMembers(Dictionary<string, object?> arguments, object record)
    {
        foreach ((string key, object? value) in Members(record))
        {
            arguments[key] = value;
        }
    }

    /// <summary>The sentence for a broken data annotation, or null when it holds.</summary>
    public static string? Broken(ValidationAttribute rule, object value, string key)
    {
        if (rule.IsValid(value))
        {
            return null;
        }

        string given = value is string s ? $"\"{s}\"" : ToNode(value) is ConfigScalar scalar ? scalar.Text : "given";
        return rule switch
        {
            { ErrorMessage: { Length: > 0 } own } => $"{key} is {given}: {own}",
            RangeAttribute range => $"{key} is {given}; it must be {Bounds(range)}.",
            AllowedValuesAttribute allowed => $"{key} is {given}; it must be one of {string.Join(", ", allowed.Values)}.",
            MinLengthAttribute min => $"{key} must have at least {min.Length} item{(min.Length == 1 ? "" : "s")}.",
            LengthAttribute length => $"{key} must have {length.MinimumLength} to {length.MaximumLength} items.",
            _ => $"{key} is {given}: {rule.FormatErrorMessage(key)}",
        };
    }

    /// <summary>The sentence for a key that nothing takes.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="key">The key itself.</param>
    /// <param name="known">The keys that are taken there.</param>
    /// <param name="what">What it is not, continuing the path.</param>
    public static string UnknownKey(string path, string key, IEnumerable<string> known, string what)
    {
        string[] names = [.. known.Where(k => k != ConfigMapping.ComponentKey).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        string? near = NearestName.Find(key, names);
        string[] others = [.. names.Where(n => n != near)];
        string hint = near is null ? "" : $" Did you mean {near}?";
        string list = others.Length == 0 ? (near is null ? " It takes no keys." : "")
            : $" It {(near is null ? "" : "also ")}takes: {string.Join(", ", others)}.";
        return $"{path}{what}.{hint}{list}";
    }

    /// <summary>A type as a user would say it.</summary>
    public static string NameOf(Type type) =>
        type.IsInterface && type.Name.Length > 1 && type.Name[0] == 'I' && char.IsUpper(type.Name[1]) ? type.Name[1..] : type.Name.Split('`')[0];

    /// <summary>A node in a few words.</summary>
    public static string Show(ConfigNode node) => node switch
    {
        ConfigScalar s => s.Text,
        ConfigSequence => "a list",
        _ => "a section",
    };

    private static string Bounds(RangeAttribute range)
    {
        double low = Convert.ToDouble(range.Minimum, CultureInfo.InvariantCulture);
        double high = Convert.ToDouble(range.Maximum, CultureInfo.InvariantCulture);
        bool hasLow = low > int.MinValue && !double.IsNegativeInfinity(low);
        bool hasHigh = high < int.MaxValue;
        string from = low.ToString(CultureInfo.InvariantCulture) + (range.MinimumIsExclusive ? " (exclusive)" : "");
        string to = high.ToString(CultureInfo.InvariantCulture) + (range.MaximumIsExclusive ? " (exclusive)" : "");
        return (hasLow, hasHigh) switch
        {
            (true, true) => $"between {from} and {to}",
            (true, false) => range.MinimumIsExclusive ? $"more than {low.ToString(CultureInfo.InvariantCulture)}" : $"at least {from}",
            (false, true) => range.MaximumIsExclusive ? $"less than {high.ToString(CultureInfo.InvariantCulture)}" : $"at most {to}",
            _ => "a number",
        };
    }

    private static string Name(Enum value)
    {
        string name = value.ToString();
        Type type = value.GetType();
        return type.Name == "ScalarType" ? ScalarBinder.DtypeName(name) : ConfigMember.EnumKey(type, name);
    }

    private static ConfigMapping Mapping(IEnumerable<KeyValuePair<string, object?>> members)
    {
        ConfigMapping mapping = new(Nowhere);
        foreach ((string key, object? value) in members.OrderBy(m => m.Key, StringComparer.Ordinal))
        {
            bool isSecret = value is string { Length: > 0 } && SecretEndings.Any(e => key == e || key.EndsWith("_" + e, StringComparison.Ordinal));
            mapping.Set(key, ToNode(isSecret ? "***" : value), Nowhere);
        }

        return mapping;
    }

    private static ConfigNode Sorted(ConfigNode node) => node switch
    {
        ConfigMapping m => Mapping(m.Entries.Select(e => KeyValuePair.Create(e.Key, (object?)e.Node))),
        ConfigSequence s => new ConfigSequence(s.Items.ConvertAll(Sorted), s.Place),
        _ => node,
    };
}
