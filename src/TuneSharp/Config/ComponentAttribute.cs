namespace TuneSharp.Config;

/// <summary>Gives a static method or a class its wire name: what <c>_component_:</c> (or <c>type:</c>) says in YAML.</summary>
/// <remarks>
/// The attribute is the only place where the name is written; the registry is the set of all attributes, and nothing else can be
/// named. Parameters bind to YAML keys by <c>JsonNamingPolicy.SnakeCaseLower</c>; a parameter whose type is a record (a
/// <c>LoraConfig</c>) takes its own keys from the component's level. Parameters of runtime types (a tokenizer, the parameters
/// of a model) are not keys: the recipe passes them when it builds the component.
/// </remarks>
/// <param name="name">The wire name, letter for letter, as in <c>torchtune.models.llama3_2.lora_llama3_2_1b</c>.</param>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class, AllowMultiple = true)]
public sealed class ComponentAttribute(string name) : Attribute
{
    /// <summary>The wire name.</summary>
    public string Name { get; } = name;
}

/// <summary>Gives a recipe class its name for <c>tune run</c>. The class has one <c>public static void Run(TConfig, RunConsole, CancellationToken)</c>.</summary>
/// <param name="name">The name, as in <c>lora_finetune_single_device</c>.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class RecipeAttribute(string name) : Attribute
{
    /// <summary>The recipe's name.</summary>
    public string Name { get; } = name;

    /// <summary>Overrides that belong to this name, as on the command line: one class may be several recipes. The user's own come after.</summary>
    public string[] Sets { get; init; } = [];
}
