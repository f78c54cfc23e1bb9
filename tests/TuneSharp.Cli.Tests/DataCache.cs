using System.Runtime.CompilerServices;

namespace TuneSharp.Cli.Tests;

/// <summary>Tests keep their tokens apart from the user's, and begin without any.</summary>
internal static class DataCache
{
    [ModuleInitializer]
    internal static void Use()
    {
        string folder = Path.Combine(Path.GetTempPath(), "tunesharp-test-cache");
        string data = Path.Combine(folder, "data");
        if (Directory.Exists(data))
        {
            Directory.Delete(data, recursive: true);
        }

        Environment.SetEnvironmentVariable("TUNESHARP_CACHE", folder);
    }
}
