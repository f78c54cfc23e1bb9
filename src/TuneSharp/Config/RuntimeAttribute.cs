namespace TuneSharp.Config;

/// <summary>Marks a parameter of a component that the recipe passes when it builds it, although its type could stand in a config.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class RuntimeAttribute : Attribute;
