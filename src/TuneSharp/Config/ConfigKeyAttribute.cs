namespace TuneSharp.Config;

/// <summary>The YAML key of a property or parameter whose wire name is not the snake_case image of its C# name.</summary>
/// <param name="key">The key, letter for letter, as in <c>lora_attn_modules</c>.</param>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Parameter | AttributeTargets.Field)]
public sealed class ConfigKeyAttribute(string key) : Attribute
{
    /// <summary>The key.</summary>
    public string Key { get; } = key;
}
