using System.Reflection;

namespace TuneSharp.Config;

/// <summary>All recipes: the classes with <see cref="RecipeAttribute"/>. Thread-safe.</summary>
public static class RecipeRegistry
{
    private static readonly Lock Gate = new();
    private static readonly SortedDictionary<string, RecipeInfo> ByName = new(StringComparer.Ordinal);
    private static readonly HashSet<Assembly> Read = [];

    /// <summary>All recipes, by name.</summary>
    public static IReadOnlyList<RecipeInfo> All
    {
        get
        {
            lock (Gate)
            {
                Add(typeof(RecipeRegistry).Assembly);
                return [.. ByName.Values];
            }
        }
    }

    /// <summary>The recipe of a name, or null.</summary>
    /// <param name="name">The name, as in <c>lora_finetune_single_device</c>.</param>
    public static RecipeInfo? Find(string name)
    {
        lock (Gate)
        {
            Add(typeof(RecipeRegistry).Assembly);
            return ByName.GetValueOrDefault(name);
        }
    }

    /// <summary>Adds the recipes of an assembly of yours. A second call with the same assembly does nothing.</summary>
    /// <param name="assembly">The assembly.</param>
    /// <exception cref="ArgumentException">A name is taken, or a class has no fitting <c>Run</c>.</exception>
    public static void Register(Assembly assembly)
    {
        lock (Gate)
        {
            Add(typeof(RecipeRegistry).Assembly);
            Add(assembly);
        }
    }

    private static void Add(Assembly assembly)
    {
        if (!Read.Add(assembly))
        {
            return;
        }

        foreach (Type type in assembly.GetTypes().Where(t => t.IsDefined(typeof(RecipeAttribute), inherit: false)))
        {
            foreach (RecipeAttribute recipe in type.GetCustomAttributes<RecipeAttribute>(inherit: false))
            {
                if (!ByName.TryAdd(recipe.Name, RecipeInfo.Of(recipe, type)))
                {
                    throw new ArgumentException($"Two recipes are called {recipe.Name}: {ByName[recipe.Name].Type} and {type}.");
                }
            }
        }
    }
}

/// <summary>One recipe.</summary>
public sealed class RecipeInfo
{
    private readonly MethodInfo _run;
    private readonly MethodInfo? _dryRun;

    private RecipeInfo(RecipeAttribute recipe, Type type, MethodInfo run, MethodInfo? dryRun) =>
        (Name, Sets, Type, _run, _dryRun) = (recipe.Name, recipe.Sets, type, run, dryRun);

    /// <summary>Its name for <c>tune run</c>.</summary>
    public string Name { get; }

    /// <summary>Overrides that its name stands for; the user's own come after.</summary>
    public IReadOnlyList<string> Sets { get; }

    /// <summary>Its class.</summary>
    public Type Type { get; }

    /// <summary>The record that its config binds to.</summary>
    public Type ConfigType => _run.GetParameters()[0].ParameterType;

    /// <summary>What else <c>Run</c> takes, in order.</summary>
    internal IEnumerable<Type> Needs => _run.GetParameters().Skip(1).Select(p => p.ParameterType);

    /// <summary>True when the recipe can say what it would do without doing it.</summary>
    public bool HasDryRun => _dryRun is not null;

    /// <summary>Runs it.</summary>
    /// <param name="config">An instance of <see cref="ConfigType"/>.</param>
    /// <param name="services">What the remaining parameters of <c>Run</c> take, matched by type.</param>
    public void Run(object config, params IReadOnlyList<object> services) => Call(_run, config, services);

    /// <summary>Says what it would do.</summary>
    /// <param name="config">An instance of <see cref="ConfigType"/>.</param>
    /// <param name="services">What the remaining parameters of <c>DryRun</c> take, matched by type.</param>
    public void DryRun(object config, params IReadOnlyList<object> services)
    {
        if (_dryRun is not null)
        {
            Call(_dryRun, config, services);
        }
    }

    internal static RecipeInfo Of(RecipeAttribute recipe, Type type)
    {
        MethodInfo? run = type.GetMethod("Run", BindingFlags.Static | BindingFlags.Public);
        return run?.GetParameters() is [{ ParameterType: var config }, ..] && ConfigTypes.IsRecord(config)
            ? new RecipeInfo(recipe, type, run, type.GetMethod("DryRun", BindingFlags.Static | BindingFlags.Public))
            : throw new ArgumentException($"{type} is the recipe {recipe.Name}, so it needs `public static void Run(TConfig config, …)` with a record first.");
    }

    private void Call(MethodInfo method, object config, IReadOnlyList<object> services)
    {
        object[] arguments = [config, .. method.GetParameters().Skip(1).Select(p =>
            services.FirstOrDefault(p.ParameterType.IsInstanceOfType)
            ?? throw new ArgumentException($"{Type.Name}.{method.Name} takes a {p.ParameterType.Name}, which nobody gives it."))];
        method.Invoke(null, BindingFlags.DoNotWrapExceptions, null, arguments, null);
    }
}
