using System.Reflection;

namespace TuneSharp.Config;

/// <summary>Everything a config can name with <c>_component_:</c>: all methods and classes with <see cref="ComponentAttribute"/>.</summary>
/// <remarks>Closed: no other code can be reached from a config. Thread-safe.</remarks>
public static class ComponentRegistry
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, ComponentInfo> ByName = new(StringComparer.Ordinal);
    private static readonly Dictionary<string, List<string>> ByLastSegment = new(StringComparer.Ordinal);
    private static readonly HashSet<Assembly> Read = [];

    /// <summary>All names, sorted.</summary>
    public static IReadOnlyList<string> Names
    {
        get
        {
            lock (Gate)
            {
                RegisterOwn();
                return [.. ByName.Keys.Order(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Adds the components of an assembly of yours. A second call with the same assembly does nothing.</summary>
    /// <param name="assembly">The assembly; its public and internal types are looked at.</param>
    /// <exception cref="ArgumentException">A name is taken, or an attribute is on something that cannot be built.</exception>
    public static void Register(Assembly assembly)
    {
        lock (Gate)
        {
            RegisterOwn();
            Add(assembly);
        }
    }

    /// <summary>The component of a full name, or of a last segment that only one name has; null when there is none.</summary>
    internal static ComponentInfo? Find(string name)
    {
        lock (Gate)
        {
            RegisterOwn();
            return ByName.TryGetValue(name, out ComponentInfo? info) ? info
                : ByLastSegment.TryGetValue(name, out List<string>? full) && full.Count == 1 ? ByName[full[0]]
                : null;
        }
    }

    /// <summary>Why a name is not known, and what to write instead.</summary>
    /// <param name="name">The unknown name.</param>
    /// <param name="result">What is wanted; candidates that give it are named first.</param>
    internal static string Explain(string name, Type? result)
    {
        IReadOnlyList<string> names = Names;
        string last = name[(name.LastIndexOf('.') + 1)..];
        if (ByLastSegment.TryGetValue(name, out List<string>? several) && several.Count > 1)
        {
            return $"{name} is short for several components. Write one of: {string.Join(", ", several)}.";
        }

        // Where anything may stand, a list of everything helps nobody.
        string[] fitting = result is null || result == typeof(object) ? [] : [.. names.Where(n => result.IsAssignableFrom(Find(n)!.Result))];
        if (TorchtuneNames.Contains(name))
        {
            return $"{name} is not available in this version of TuneSharp.{Choices(fitting)}";
        }

        string? near = NearestName.Find(name, fitting) ?? NearestName.Find(name, names);
        near ??= NearestName.Find(last, ByLastSegment.Keys) is { } segment ? ByLastSegment[segment][0] : null;
        return near is not null
            ? $"{name} is not a known component. Did you mean {near}?"
            : $"{name} is not a known component.{Choices(fitting)}";
    }

    private static string Choices(string[] fitting) => fitting.Length switch
    {
        0 => "",
        <= 12 => $" Available here: {string.Join(", ", fitting)}.",
        _ => $" Available here: {string.Join(", ", fitting.Take(12))}, … ({fitting.Length} in all).",
    };

    private static void RegisterOwn() => Add(typeof(ComponentRegistry).Assembly);

    private static void Add(Assembly assembly)
    {
        if (!Read.Add(assembly))
        {
            return;
        }

        const BindingFlags Declared = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        foreach (Type type in assembly.GetTypes())
        {
            foreach (ComponentAttribute name in type.GetCustomAttributes<ComponentAttribute>(inherit: false))
            {
                ConstructorInfo? constructor = type.GetConstructors().OrderByDescending(c => c.GetParameters().Length).FirstOrDefault();
                Add(new ComponentInfo(name.Name, type, constructor ?? throw new ArgumentException($"{type} is a component without a public constructor.")));
            }

            foreach (MethodInfo method in type.GetMethods(Declared))
            {
                foreach (ComponentAttribute name in method.GetCustomAttributes<ComponentAttribute>(inherit: false))
                {
                    Add(method.IsStatic
                        ? new ComponentInfo(name.Name, method.ReturnType, method)
                        : throw new ArgumentException($"{type}.{method.Name} is a component, so it must be static."));
                }
            }
        }
    }

    private static void Add(ComponentInfo info)
    {
        if (!ByName.TryAdd(info.Name, info))
        {
            throw new ArgumentException($"Two components are called {info.Name}: {ByName[info.Name].Factory.DeclaringType} and {info.Factory.DeclaringType}.");
        }

        string last = info.Name[(info.Name.LastIndexOf('.') + 1)..];
        if (!ByLastSegment.TryGetValue(last, out List<string>? names))
        {
            ByLastSegment[last] = names = [];
        }

        names.Add(info.Name);
    }
}

/// <summary>One component: its name, what it gives, and what makes it.</summary>
internal sealed record ComponentInfo(string Name, Type Result, MethodBase Factory)
{
    /// <summary>Calls the factory; what it throws arrives unwrapped.</summary>
    public object? Invoke(object?[] arguments) => Factory is ConstructorInfo constructor
        ? constructor.Invoke(BindingFlags.DoNotWrapExceptions, null, arguments, null)
        : Factory.Invoke(null, BindingFlags.DoNotWrapExceptions, null, arguments, null);
}
