namespace TuneSharp.Tests.Config;

/// <summary>Texts that users see, kept as files. <c>TUNESHARP_UPDATE_SNAPSHOTS=1</c> writes them anew; read the difference before committing it.</summary>
internal static class Snapshot
{
    internal static void Matches(string folder, string name, string actual)
    {
        string path = Path.Combine(Repo.Root, "tests", folder, "Snapshots", name + ".txt");
        string text = actual.ReplaceLineEndings("\n").TrimEnd() + "\n";
        if (Environment.GetEnvironmentVariable("TUNESHARP_UPDATE_SNAPSHOTS") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }

        Assert.True(File.Exists(path), $"{path} does not exist; run once with TUNESHARP_UPDATE_SNAPSHOTS=1 and look at it.");
        Assert.Equal(File.ReadAllText(path).ReplaceLineEndings("\n"), text);
    }
}
