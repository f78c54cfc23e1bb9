using System.Globalization;
using System.Reflection;

namespace TuneSharp.Config;

/// <summary>A component's arguments as far as the config gives them, and how to build it when the recipe gives the rest.</summary>
internal sealed class ComponentPlan(ComponentInfo info)
{
    private readonly List<Func<RuntimeArguments, object?>> _slots = [];

    public ComponentInfo Info => info;

    /// <summary>Arguments by YAML key.</summary>
    public Dictionary<string, object?> Arguments { get; } = new(StringComparer.Ordinal);

    public void AddValue(string key, object? value)
    {
        Arguments[key] = value;
        _slots.Add(_ => value);
    }

    public void AddRecord(object? record)
    {
        if (record is not null)
        {
            ConfigText.AddMembers(Arguments, record);
        }

        _slots.Add(_ => record);
    }

    public void AddNested(string key, IComponent? component)
    {
        Arguments[key] = component;
        _slots.Add(runtime => component!.BuildUntyped(runtime.All));
    }

    public void AddRuntime(ParameterInfo parameter) => _slots.Add(runtime => runtime.Take(parameter, info.Name));

    public object? Build(object?[] runtime, object? instance) =>
        instance ?? info.Invoke([.. Resolve(new RuntimeArguments(runtime))]);

    private List<object?> Resolve(RuntimeArguments runtime) => _slots.ConvertAll(slot => slot(runtime));

    /// <summary>What the recipe gave; each is used once, the first that fits.</summary>
    private sealed class RuntimeArguments(object?[] all)
    {
        private readonly bool[] _used = new bool[all.Length];

        public object?[] All => all;

        public object? Take(ParameterInfo parameter, string component)
        {
            Type type = parameter.ParameterType;
            Type bare = Nullable.GetUnderlyingType(type) ?? type;
            for (int i = 0; i < all.Length; i++)
            {
                if (_used[i] || all[i] is not { } value)
                {
                    continue;
                }

                if (type.IsInstanceOfType(value))
                {
                    _used[i] = true;
                    return value;
                }

                if (IsWhole(bare) && IsWhole(value.GetType()))
                {
                    _used[i] = true;
                    return Convert.ChangeType(value, bare, CultureInfo.InvariantCulture);
                }
            }

            if (parameter.HasDefaultValue)
            {
                return parameter.DefaultValue is null && type.IsValueType ? Activator.CreateInstance(type) : parameter.DefaultValue;
            }

            string given = all.Length == 0 ? "nothing" : string.Join(", ", all.Select(a => a?.GetType().Name ?? "null"));
            throw new ArgumentException($"{component} needs a {bare.Name} ({parameter.Name}) to be built; it was given {given}.");
        }

        private static bool IsWhole(Type type) => type == typeof(int) || type == typeof(long);
    }
}
