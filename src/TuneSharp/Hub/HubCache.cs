namespace TuneSharp.Hub;

/// <summary>The folder where Hugging Face's tools keep what they fetched: contents once by digest, and folders of links per commit.</summary>
/// <remarks>
/// <code>
/// models--owner--name/
///   blobs/DIGEST                 each content once
///   refs/main                    the commit that a revision named last
///   snapshots/COMMIT/config.json a link to its content (a copy where links are not possible)
/// </code>
/// </remarks>
public static class HubCache
{
    private static readonly string[] FileEndings = [".json", ".jsonl", ".model", ".tiktoken", ".safetensors", ".pt", ".pth", ".bin", ".yaml", ".txt"];

    /// <summary>Finds what was fetched of a repository before.</summary>
    /// <param name="settings">Where the cache is.</param>
    /// <param name="name"><c>owner/name</c>.</param>
    /// <param name="revision">Branch, tag or commit.</param>
    /// <param name="type">Model or data set.</param>
    /// <returns>The folder of the snapshot, or null. It may hold some of the files only.</returns>
    public static string? Find(HubSettings settings, string name, string revision = "main", HubRepositoryType type = HubRepositoryType.Model)
    {
        if (!HubNames.IsRepository(name) || revision.Split('/', '\\').Any(p => p is "" or "." or ".."))
        {
            return null;
        }

        string folder = FolderOf(settings, name, type);
        string reference = Path.Combine(folder, "refs", revision);
        string commit = File.Exists(reference) ? File.ReadAllText(reference).Trim() : revision;
        string snapshot = Path.Combine(folder, "snapshots", commit);
        return commit.Length > 0 && !commit.Contains('/', StringComparison.Ordinal) && Directory.Exists(snapshot) ? snapshot : null;
    }

    /// <summary>The path here of what a config calls by a hub name, if it was fetched before.</summary>
    /// <param name="path">A path, or <c>owner/name</c> of a model, or <c>owner/name/file</c>.</param>
    /// <returns>The path itself when it exists, or when the cache has nothing of that name.</returns>
    public static string Local(string path)
    {
        string[] parts = path.Split('/');
        if (parts.Length < 2 || File.Exists(path) || Directory.Exists(path) || !HubNames.IsRepository($"{parts[0]}/{parts[1]}"))
        {
            return path;
        }

        string? snapshot = Find(new HubSettings(), $"{parts[0]}/{parts[1]}");
        string? inside = snapshot is null || parts[2..].Any(p => p is "" or "." or "..") ? null : Path.Combine([snapshot, .. parts[2..]]);
        return inside is not null && (Directory.Exists(inside) || File.Exists(inside)) ? inside : path;
    }

    /// <summary>What to say beside an error about a path that looks like a hub name; empty when it does not.</summary>
    /// <param name="path">The path that does not exist.</param>
    public static string Hint(string path) =>
        path.Split('/') is [var owner, _] && HubNames.IsRepository(path) && !Directory.Exists(owner)
        && !FileEndings.Contains(Path.GetExtension(path), StringComparer.Ordinal) // a model may be called Qwen3-0.6B
            ? $" If you mean the model {path} of the hub: tune download {path}."
            : "";

    internal static string FolderOf(HubSettings settings, string name, HubRepositoryType type) =>
        Path.Combine(settings.Cache, $"{HubNames.Plural(type)}--{name.Replace("/", "--", StringComparison.Ordinal)}");

    internal static string SnapshotOf(HubSettings settings, HubRepository repository) =>
        Path.Combine(FolderOf(settings, repository.Name, repository.Type), "snapshots", HubNames.CheckId(repository.Commit, repository.Name));

    /// <summary>Notes which commit a revision names.</summary>
    internal static void WriteReference(HubSettings settings, HubRepository repository)
    {
        if (repository.Revision == repository.Commit)
        {
            return;
        }

        string path = HubNames.Inside(Path.Combine(FolderOf(settings, repository.Name, repository.Type), "refs"), repository.Revision);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string temporary = Temporary(path);
        File.WriteAllText(temporary, repository.Commit);
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>A name that no other thread or process uses: several fetch files of one repository at once.</summary>
    private static string Temporary(string path) => $"{path}.{Guid.NewGuid():N}.new";

    /// <summary>Puts a content under a name: a relative link as Python's tools make it, or a copy.</summary>
    internal static void Link(string blob, string target, bool isRelative = true)
    {
        string folder = Path.GetDirectoryName(target)!;
        Directory.CreateDirectory(folder);
        string to = isRelative ? Path.GetRelativePath(folder, blob) : blob;
        if (new FileInfo(target) is { LinkTarget: { } old } && old == to && File.Exists(target))
        {
            return;
        }

        string temporary = Temporary(target);
        try
        {
            File.CreateSymbolicLink(temporary, to);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            File.Copy(blob, temporary, overwrite: true);
        }

        File.Move(temporary, target, overwrite: true);
    }
}
