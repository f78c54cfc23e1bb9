namespace TuneSharp.Data;

/// <summary>Which rows a data set reads. The keys are those of Hugging Face's <c>load_dataset</c>.</summary>
public sealed record LoadOptions
{
    /// <summary>
    /// A file, a folder or a pattern (<c>data/*.jsonl</c>), whose format the extension says; a data set of the hub
    /// (<c>tatsu-lab/alpaca</c>); an address (<c>https://…</c>); or <c>json</c>, <c>csv</c>, <c>tsv</c>, <c>text</c>, <c>parquet</c>
    /// or <c>arrow</c> together with <see cref="DataFiles"/> or <see cref="DataDir"/>.
    /// </summary>
    /// <value>The builder's own default.</value>
    public string? Source { get; init; }

    /// <summary>A path, a list of paths, or a dictionary from split to path or paths. Patterns and addresses are allowed.</summary>
    public object? DataFiles { get; init; }

    /// <summary>The folder that holds the files, or that <see cref="DataFiles"/> is relative to.</summary>
    public string? DataDir { get; init; }

    /// <summary>A configuration of a hub data set, as its <c>README.md</c> names them; in a folder without one, a folder inside.</summary>
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

    /// <summary>The same as <see cref="Delimiter"/>, as pandas and so <c>load_dataset</c> name it.</summary>
    public string? Sep { get; init; }

    /// <summary>The names of a CSV file's columns, when its first line is data already.</summary>
    public IReadOnlyList<string>? ColumnNames { get; init; }

    /// <summary>What a row of a text file is: a <c>line</c>, a <c>paragraph</c> or the whole <c>document</c>.</summary>
    /// <value><c>line</c>.</value>
    public string? SampleBy { get; init; }

    /// <summary>A hub revision: branch, tag or commit. Local files have none.</summary>
    public string? Revision { get; init; }

    /// <summary>Where files of the hub and the web are kept.</summary>
    /// <value>Hugging Face's own cache.</value>
    public string? CacheDir { get; init; }

    /// <summary>Options that name a source and leave the rest as it is.</summary>
    /// <param name="source">A file, a folder or a pattern.</param>
    public static implicit operator LoadOptions(string source) => FromSource(source);

    /// <summary>Options that name a source and leave the rest as it is.</summary>
    /// <param name="source">A file, a folder or a pattern.</param>
    public static LoadOptions FromSource(string source) => new() { Source = source };
}
