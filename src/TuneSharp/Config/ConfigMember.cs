using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;

namespace TuneSharp.Config;

/// <summary>One thing a config can say: a record's property, or a parameter of a component.</summary>
/// <param name="Key">Its YAML key.</param>
/// <param name="Type">Its type.</param>
/// <param name="IsNullable">May be null.</param>
/// <param name="IsRequired">Must be given.</param>
/// <param name="Default">What it is when not given (parameters only; a property's default is on the instance).</param>
/// <param name="Rules">Data annotations.</param>
/// <param name="Property">The property, or null for a parameter.</param>
/// <param name="Parameter">The parameter, or null for a property.</param>
internal sealed record ConfigMember(
    string Key,
    Type Type,
    bool IsNullable,
    bool IsRequired,
    object? Default,
    IReadOnlyList<ValidationAttribute> Rules,
    PropertyInfo? Property,
    ParameterInfo? Parameter)
{
    public static ConfigMember Of(ParameterInfo parameter)
    {
        Type type = parameter.ParameterType;
        return new(
            KeyOf(parameter, parameter.Name!),
            type,
            Nullable.GetUnderlyingType(type) is not null
                || (!type.IsValueType && new NullabilityInfoContext().Create(parameter).WriteState != NullabilityState.NotNull),
            !parameter.HasDefaultValue,
            parameter.HasDefaultValue ? DefaultOf(parameter) : null,
            [.. parameter.GetCustomAttributes<ValidationAttribute>()],
            null,
            parameter);
    }

    public static ConfigMember Of(PropertyInfo property)
    {
        Type type = property.PropertyType;
        return new(
            KeyOf(property, property.Name),
            type,
            Nullable.GetUnderlyingType(type) is not null
                || (!type.IsValueType && new NullabilityInfoContext().Create(property).WriteState != NullabilityState.NotNull),
            property.CustomAttributes.Any(a => a.AttributeType.FullName == "System.Runtime.CompilerServices.RequiredMemberAttribute"),
            null,
            [.. property.GetCustomAttributes<ValidationAttribute>()],
            property,
            null);
    }

    /// <summary>The wire name of an enum's member.</summary>
    public static string EnumKey(Type type, string name) => KeyOf(type.GetField(name)!, name);

    private static string KeyOf(ICustomAttributeProvider source, string name) =>
        source.GetCustomAttributes(typeof(ConfigKeyAttribute), true) is [ConfigKeyAttribute key, ..]
            ? key.Key
            : JsonNamingPolicy.SnakeCaseLower.ConvertName(name);

    private static object? DefaultOf(ParameterInfo parameter)
    {
        Type type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        return parameter.DefaultValue switch
        {
            null => parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType) : null,
            var value when type.IsEnum => Enum.ToObject(type, value),
            var value => value,
        };
    }
}

/// <summary>What a config can say about a record: its constructor's parameters and its settable properties.</summary>
/// <param name="Constructor">The constructor used.</param>
/// <param name="Arguments">Its parameters.</param>
/// <param name="Properties">Properties set after it.</param>
internal sealed record RecordShape(ConstructorInfo Constructor, IReadOnlyList<ConfigMember> Arguments, IReadOnlyList<ConfigMember> Properties)
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<Type, RecordShape> Known = [];

    public IEnumerable<ConfigMember> Members => Arguments.Concat(Properties);

    public static RecordShape Of(Type type)
    {
        lock (Gate)
        {
            return Known.TryGetValue(type, out RecordShape? shape) ? shape : Known[type] = Read(type);
        }
    }

    private static RecordShape Read(Type type)
    {
        ConstructorInfo constructor = type.GetConstructors().OrderByDescending(c => c.GetParameters().Length).FirstOrDefault()
            ?? throw new InvalidOperationException($"{type} has no public constructor, so no config can make it.");
        ConfigMember[] arguments = [.. constructor.GetParameters().Select(ConfigMember.Of)];
        HashSet<string> taken = [.. constructor.GetParameters().Select(p => p.Name!)];
        ConfigMember[] properties = [.. type.GetProperties(BindingFlags.Instance | BindingFlags.Public)
            .Where(p => p.SetMethod is { IsPublic: true } && p.GetIndexParameters().Length == 0 && !taken.Contains(p.Name))
            .Select(ConfigMember.Of)];
        return new(constructor, arguments, properties);
    }
}

/// <summary>Which types a config can spell.</summary>
internal static class ConfigTypes
{
    /// <summary>True when a config can spell the type; all others are given by the recipe when it builds the component.</summary>
    public static bool IsBindable(Type type) => IsBindable(type, []);

    public static bool IsRecord(Type type) => type.IsClass && type.GetMethod("<Clone>$") is not null;

    /// <summary>The <c>T</c> of <c>Component&lt;T&gt;</c>, or null.</summary>
    public static Type? ComponentResult(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Component<>) ? type.GetGenericArguments()[0] : null;

    /// <summary>The item type of an array or a list type, or null.</summary>
    public static Type? ItemOf(Type type)
    {
        if (type.IsArray)
        {
            return type.GetElementType();
        }

        if (!type.IsGenericType || type.GetGenericArguments() is not [Type item])
        {
            return null;
        }

        Type open = type.GetGenericTypeDefinition();
        return open == typeof(IReadOnlyList<>) || open == typeof(List<>) || open == typeof(IList<>)
            || open == typeof(IEnumerable<>) || open == typeof(IReadOnlyCollection<>) ? item : null;
    }

    /// <summary>The value type of a dictionary with text keys, or null.</summary>
    public static Type? ValueOf(Type type)
    {
        if (!type.IsGenericType || type.GetGenericArguments() is not [Type key, Type value] || key != typeof(string))
        {
            return null;
        }

        Type open = type.GetGenericTypeDefinition();
        return open == typeof(IReadOnlyDictionary<,>) || open == typeof(Dictionary<,>) || open == typeof(IDictionary<,>) ? value : null;
    }

    private static bool IsBindable(Type type, HashSet<Type> under)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(object) || type == typeof(string) || type == typeof(bool) || type == typeof(int) || type == typeof(long)
            || type == typeof(float) || type == typeof(double) || type.IsEnum || typeof(ConfigNode).IsAssignableFrom(type)
            || ComponentResult(type) is not null)
        {
            return true;
        }

        if ((ItemOf(type) ?? ValueOf(type)) is { } inner)
        {
            return IsBindable(inner, under);
        }

        return IsRecord(type) && type.GetConstructors().Length > 0
            && (!under.Add(type) || RecordShape.Of(type).Members.All(m => IsBindable(m.Type, under)));
    }
}
