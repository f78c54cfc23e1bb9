namespace TuneSharp.Config;

/// <summary>A component as a config names it: known, its arguments bound and checked, but not built yet.</summary>
/// <typeparam name="T">What building it gives.</typeparam>
public sealed class Component<T> : IComponent
{
    private readonly Func<object?[], object?> _build;

    /// <summary>Creates a component from its parts; the config reader does, and code that assembles a recipe by hand.</summary>
    /// <param name="name">Wire name.</param>
    /// <param name="arguments">Arguments by YAML key: defaults filled in, runtime arguments absent.</param>
    /// <param name="build">Builds it from the runtime arguments, matched by type.</param>
    public Component(string name, IReadOnlyDictionary<string, object?> arguments, Func<object?[], object?> build)
    {
        Name = name;
        Arguments = arguments;
        _build = build;
    }

    /// <summary>Wire name, as in <c>torch.optim.AdamW</c>.</summary>
    public string Name { get; }

    /// <summary>Arguments by YAML key, defaults filled in.</summary>
    public IReadOnlyDictionary<string, object?> Arguments { get; }

    /// <summary>Builds it.</summary>
    /// <param name="runtime">What a config cannot say (a tokenizer, a model's parameters); matched to parameters by type, in order.</param>
    public T Build(params object?[] runtime) => (T)_build(runtime)!;

    object? IComponent.BuildUntyped(object?[] runtime) => _build(runtime);
}

/// <summary>A <see cref="Component{T}"/> whose type is not known at compile time.</summary>
internal interface IComponent
{
    /// <inheritdoc cref="Component{T}.Name"/>
    string Name { get; }

    /// <inheritdoc cref="Component{T}.Arguments"/>
    IReadOnlyDictionary<string, object?> Arguments { get; }

    /// <inheritdoc cref="Component{T}.Build"/>
    object? BuildUntyped(object?[] runtime);
}
