using System.Security.Cryptography;
using System.Text;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>What a run tells its data sets that no config can: where progress shows, and what their tokens depend on.</summary>
/// <remarks>A builder that is given none tokenises when asked for a sample, and keeps nothing on disk.</remarks>
public sealed class DataRun
{
    /// <summary>Stands for the tokenizer and all its files; null to keep nothing on disk.</summary>
    public string? TokenizerFingerprint { get; init; }

    /// <summary>Is told how many rows are done, and of how many (0 when that is not known).</summary>
    public Action<long, long>? Progress { get; init; }

    /// <summary>Shows a sentence.</summary>
    public Action<string>? Say { get; init; }

    /// <summary>Shows a sentence about something that the run can live with.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>Ends the preparation.</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>Stands for everything in the config that the tokens of one data set depend on; null to keep nothing on disk.</summary>
    internal string? Fingerprint { get; private init; }

    /// <summary>The same for one data set of the run.</summary>
    /// <param name="dataset">As the config names it.</param>
    public DataRun For(Component<IDataset> dataset) => new()
    {
        TokenizerFingerprint = TokenizerFingerprint,
        Progress = Progress,
        Say = Say,
        Warn = Warn,
        Stop = Stop,
        Fingerprint = TokenizerFingerprint is null ? null : Hash($"{TokenizerFingerprint}\n{dataset.Name}\n{Text(dataset)}"),
    };

    /// <summary>What a tokenizer's ids depend on: its arguments, and the contents of the files that they name.</summary>
    /// <param name="tokenizer">As the config names it.</param>
    public static string FingerprintOf(Component<IModelTokenizer> tokenizer)
    {
        StringBuilder text = new();
        text.Append(tokenizer.Name).Append('\n').Append(YamlWriter.Write((ConfigMapping)ConfigText.ToNode(tokenizer))).Append('\n');
        foreach (string path in tokenizer.Arguments.Values.OfType<string>())
        {
            foreach (string file in TokenizerFilesAt(path))
            {
                text.Append(Path.GetFileName(file)).Append(' ').Append(FileIdentity.Of(file)).Append('\n');
            }
        }

        return Hash(text.ToString());
    }

    private static IEnumerable<string> TokenizerFilesAt(string path)
    {
        const int MaxConfig = 1 << 20; // a folder may hold other JSON, none of which a tokenizer reads
        if (File.Exists(path))
        {
            return [path];
        }

        return !Directory.Exists(path) ? [] : Directory.EnumerateFiles(path)
            .Where(f => Path.GetExtension(f) is ".json" or ".jinja" or ".model" or ".txt" or ".tiktoken")
            .Where(f => new FileInfo(f).Length < MaxConfig || Path.GetFileName(f).Contains("token", StringComparison.OrdinalIgnoreCase)
                || Path.GetFileName(f) is "vocab.json" or "merges.txt" or "vocab.txt")
            .Order(StringComparer.Ordinal);
    }

    /// <summary>Keys that change how samples are kept or put together, not what they are, make no new cache.</summary>
    private static string Text(Component<IDataset> dataset)
    {
        string[] apart = ["cache", "cache_dir", "packed", "packing", "shuffle_buffer", "streaming", "weight"];
        Dictionary<string, object?> kept = dataset.Arguments.Where(a => !apart.Contains(a.Key, StringComparer.Ordinal))
            .ToDictionary(a => a.Key, a => a.Value, StringComparer.Ordinal);
        return YamlWriter.Write((ConfigMapping)ConfigText.ToNode(kept));
    }

    internal static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}

/// <summary>Tells one state of a file from another without keeping the file.</summary>
internal static class FileIdentity
{
    /// <summary>Files up to this size are told by content: they may change twice within the clock's grain, or be copied about.</summary>
    private const int Small = 64 << 20;

    public static string Of(string path)
    {
        FileInfo file = new(Path.GetFullPath(path));
        if (!file.Exists)
        {
            return "absent";
        }

        if (file.Length > Small)
        {
            return FormattableString.Invariant($"{file.FullName} {file.Length} {file.LastWriteTimeUtc.Ticks}");
        }

        using FileStream stream = file.OpenRead();
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
