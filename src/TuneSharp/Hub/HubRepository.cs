using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace TuneSharp.Hub;

/// <summary>A file of a repository.</summary>
/// <param name="Path">Path inside the repository, with slashes.</param>
/// <param name="Size">Bytes, or null when the hub does not say.</param>
/// <param name="Sha256">Digest of a large file (LFS), in hexadecimal; null for small ones.</param>
/// <param name="BlobId">Git's own digest of a small file; null when the hub does not say.</param>
public sealed record HubFile(string Path, long? Size, string? Sha256, string? BlobId = null);

/// <summary>A repository at one commit.</summary>
/// <param name="Name"><c>owner/name</c>.</param>
/// <param name="Commit">The commit that its revision names now.</param>
/// <param name="Files">Its files.</param>
/// <param name="Type">Model or data set.</param>
/// <param name="Revision">The revision that was asked for.</param>
public sealed record HubRepository(
    string Name, string Commit, IReadOnlyList<HubFile> Files, HubRepositoryType Type = HubRepositoryType.Model, string Revision = "main")
{
    internal static HubRepository Read(string name, HubRepositoryType type, string revision, JsonElement root)
    {
        List<HubFile> files = [];
        foreach (JsonElement sibling in root.GetProperty("siblings").EnumerateArray())
        {
            long? size = sibling.TryGetProperty("size", out JsonElement s) && s.ValueKind == JsonValueKind.Number ? s.GetInt64() : null;
            string? digest = sibling.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object
                ? Text(lfs, "sha256") ?? Text(lfs, "oid")
                : null;
            files.Add(new HubFile(sibling.GetProperty("rfilename").GetString()!, size, digest, digest is null ? Text(sibling, "blobId") ?? Text(sibling, "oid") : null));
        }

        return new HubRepository(name, HubNames.CheckId(root.GetProperty("sha").GetString() ?? "", name), files, type, revision);
    }

    private static string? Text(JsonElement element, string key) =>
        element.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>Digests as the hub keeps them.</summary>
internal static class HubDigest
{
    /// <summary>What a digest is called in a message about it.</summary>
    public static string KindOf(HubFile file) => file.Sha256 is not null ? "SHA-256" : "git's SHA-1";

    /// <summary>Whether a file here is the one there. True when the hub tells no digest.</summary>
    public static async Task<bool> MatchesAsync(string path, HubFile file, CancellationToken stop)
    {
        string? expected = file.Sha256 ?? file.BlobId;
        string actual = file.Sha256 is not null ? await Sha256Async(path, stop) : expected is null ? "" : await GitAsync(path, stop);
        return expected is null || string.Equals(actual, expected, StringComparison.OrdinalIgnoreCase);
    }

    public static async Task<string> Sha256Async(string path, CancellationToken stop)
    {
        await using FileStream stream = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, stop));
    }

    /// <summary>Git's name of a file's content.</summary>
    public static async Task<string> GitAsync(string path, CancellationToken stop)
    {
        await using FileStream stream = File.OpenRead(path);
#pragma warning disable CA5350 // git names contents by SHA-1; it guards against accidents here, not against forgery
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
#pragma warning restore CA5350
        hash.AppendData(Encoding.ASCII.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"blob {stream.Length}\0")));
        byte[] buffer = new byte[1 << 20];
        for (int n; (n = await stream.ReadAsync(buffer, stop)) > 0;)
        {
            hash.AppendData(buffer, 0, n);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
