namespace TuneSharp.Tests.Tokenizers;

/// <summary>A file name that is free, and deleted at the end.</summary>
internal sealed class TempFile : IDisposable
{
    internal TempFile(string suffix = ".json") =>
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "tunesharp-" + Guid.NewGuid().ToString("N") + suffix);

    internal string Path { get; }

    public void Dispose() => File.Delete(Path);
}
