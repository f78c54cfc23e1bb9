namespace TuneSharp.Data;

/// <summary>Which rows a data set reads. The keys are those of Hugging Face's <c>load_dataset</c>.</summary>
public sealed record LoadOptions
{
    /// <summary>
    /// A file, a folder or a pattern (<c>data/*.jsonl</c>), whose format the extension says; or <c>json</c>, <c>csv</c>,
    /// <c>tsv</c>, <c>text</c> or <c>parquet</c> together with <see cref="DataFiles"/> or <see cref="DataDir"/>.
    /// </summary>
    /// <value>The builder's own default.</value>
    public string? Source { get; init; }

    /// <summary>A path, a list of paths, or a dictionary from split to path or paths. Patterns are allowed.</summary>
    public object? DataFiles { get; init; }

    /// <summary>The folder that holds the files, or that <see cref="DataFiles"/> is relative to.</summary>
    public string? DataDir { get; init; }

    /// <summary>A folder inside the source: what the hub calls a configuration.</summary>
    public string? Name { get; init; }

    /// <summary>The same as <see cref="Name"/>.</summary>
    public string? Subset { get; init; }

    /// <summary>A split, a slice of it or several: <c>train</c>, <c>train[:95%]</c>, <c>train[100:200]</c>, <c>train+test</c>.</summary>
    /// <value><c>train</c>, which all files belong to unless their names or <see cref="DataFiles"/> say otherwise.</value>
    public string Split { get; init; } = "train";

    /// <summary>In a JSON file that holds one object: the key whose value is the list of rows.</summary>
    public string? Field { get; init; }

    /// <summary>The character between the fields of a CSV file.</summary>
    /// <value>A comma; a tab for <c>.tsv</c>.</value>
    public string? Delimiter { get; init; }

    /// <summary>A hub revision. Local files have none.</summary>
    public string? Revision { get; init; }

    /// <summary>Options that name a source and leave the rest as it is.</summary>
    /// <param name="source">A file, a folder or a pattern.</param>
    public static implicit operator LoadOptions(string source) => FromSource(source);

    /// <summary>Options that name a source and leave the rest as it is.</summary>
    /// <param name="source">A file, a folder or a pattern.</param>
    public static LoadOptions FromSource(string source) => new() { Source = source };
}
