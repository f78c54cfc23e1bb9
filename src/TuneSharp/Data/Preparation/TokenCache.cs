using TuneSharp.Backend;

namespace TuneSharp.Data;

/// <summary>The place on disk for the tokens of one data set, held against other processes while it is open.</summary>
/// <remarks>
/// A file's name is a hash of all that its contents depend on: the program, the tokenizer and its files, the config of the data
/// set, the data files. So a file is right or it is not asked for, and any file may be deleted at any time.
/// </remarks>
internal sealed class TokenCache : IDisposable
{
    /// <summary>What a crash left behind is removed after that long.</summary>
    private static readonly TimeSpan Stale = TimeSpan.FromDays(1);

    private readonly FileStream? _lock;

    private TokenCache(string path, TokenFile? found, FileStream? held) => (Path, Found, _lock) = (path, found, held);

    public string Path { get; }

    public string Folder => System.IO.Path.GetDirectoryName(Path)!;

    /// <summary>The tokens, if they are there already.</summary>
    public TokenFile? Found { get; }

    /// <summary>Finds the place.</summary>
    /// <param name="folder">The user's choice, or null for the usual one.</param>
    /// <param name="fingerprint">Stands for config and tokenizer.</param>
    /// <param name="identities">Stands for the rows.</param>
    /// <param name="run">Is told of damage and of waiting.</param>
    /// <returns>Null when the folder cannot be written.</returns>
    public static TokenCache? Open(string? folder, string fingerprint, string identities, DataRun run)
    {
        folder ??= System.IO.Path.Combine(TorchBackend.CacheDirectory, "data");
        Guid program = typeof(TokenCache).Assembly.ManifestModule.ModuleVersionId;
        string path = System.IO.Path.Combine(folder, DataRun.Hash($"{program}\n{fingerprint}\n{identities}")[..32] + ".tokens");
        try
        {
            if (TokenFile.Open(path, out string? problem) is { } found)
            {
                return new TokenCache(path, found, held: null);
            }

            if (problem is not null)
            {
                run.Warn?.Invoke($"{path}: {problem}. The tokens are made anew.");
            }

            Directory.CreateDirectory(folder);
            FileStream held = Lock(path + ".lock", run);
            try
            {
                RemoveStale(folder);
                return new TokenCache(path, TokenFile.Open(path, out _), held); // another process may have made it meanwhile
            }
            catch
            {
                held.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            run.Warn?.Invoke($"{folder}: tokens cannot be kept there ({e.Message.TrimEnd('.')}), so each run makes them anew. Set cache_dir to a folder that can be written, or cache=False.");
            return null;
        }
    }

    public void Dispose()
    {
        if (_lock is not null)
        {
            _lock.Dispose();
            File.Delete(Path + ".lock");
        }
    }

    private static FileStream Lock(string path, DataRun run)
    {
        for (int tries = 0; ; tries++)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(path))
            {
                if (tries == 0)
                {
                    run.Say?.Invoke("Another process tokenises this data; waiting for it.");
                }

                run.Stop.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(200));
                run.Stop.ThrowIfCancellationRequested();
            }
        }
    }

    private static void RemoveStale(string folder)
    {
        DateTime limit = TimeProvider.System.GetUtcNow().UtcDateTime - Stale;
        foreach (string file in Directory.EnumerateFiles(folder, "*.tmp").Where(f => File.GetLastWriteTimeUtc(f) < limit))
        {
            File.Delete(file);
        }
    }
}
