namespace TuneSharp.Tests;

/// <summary>Where the tests find the repository's own files.</summary>
internal static class Repo
{
    /// <summary>The folder that holds TuneSharp.slnx.</summary>
    internal static string Root { get; } = FindRoot();

    /// <summary>A file under tests/golden.</summary>
    internal static string Golden(string path) => Path.Combine(Root, "tests", "golden", path);

    private static string FindRoot()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
        {
            if (File.Exists(Path.Combine(d.FullName, "TuneSharp.slnx")))
            {
                return d.FullName;
            }
        }

        throw new DirectoryNotFoundException("No TuneSharp.slnx above " + AppContext.BaseDirectory);
    }
}
