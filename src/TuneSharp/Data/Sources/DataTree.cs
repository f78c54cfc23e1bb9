using TuneSharp.Hub;

namespace TuneSharp.Data;

/// <summary>Files in folders: a folder here, or a repository of the hub.</summary>
internal abstract class DataTree
{
    /// <summary>For messages.</summary>
    public abstract string Name { get; }

    /// <summary>All files, as paths with slashes relative to the tree, by name.</summary>
    public abstract IReadOnlyList<string> Files { get; }

    /// <summary>Whether the tree is a repository, whose owner may have described it.</summary>
    public virtual bool IsHub => false;

    public abstract DataRef Ref(string path);

    /// <summary>The text of a small file, or null if there is none.</summary>
    public string? ReadText(string path) => Files.Contains(path, StringComparer.Ordinal) ? File.ReadAllText(DataRef.Fetch([Ref(path)])[0]) : null;

    /// <summary>The files that a pattern means.</summary>
    public IReadOnlyList<string> Match(string pattern)
    {
        string clean = pattern.StartsWith("./", StringComparison.Ordinal) ? pattern[2..] : pattern.TrimStart('/');
        if (Files.Contains(clean, StringComparer.Ordinal))
        {
            return [clean];
        }

        string wanted = Files.Any(f => f.StartsWith(clean.TrimEnd('/') + "/", StringComparison.Ordinal)) && !PathPattern.IsPattern(clean) ? clean.TrimEnd('/') + "/**" : clean;
        return [.. Files.Where(f => PathPattern.Matches(wanted, f) && IsAskedFor(f, wanted))];
    }

    /// <summary>Hidden files and folders such as <c>__pycache__</c> count only if the pattern names them so.</summary>
    private static bool IsAskedFor(string file, string pattern) =>
        file.Split('/').Count(p => p[0] == '.') == pattern.Split('/').Count(p => p.StartsWith('.'))
        && file.Split('/').SkipLast(1).Count(p => p.StartsWith("__", StringComparison.Ordinal))
            == pattern.Split('/').SkipLast(1).Count(p => p.StartsWith("__", StringComparison.Ordinal));
}

/// <summary>A folder on this machine.</summary>
internal sealed class FolderTree(string folder, string? name = null, bool isHub = false) : DataTree
{
    private IReadOnlyList<string>? _files;

    public override string Name => name ?? folder;

    public override bool IsHub => isHub;

    public override IReadOnlyList<string> Files => _files ??=
    [
        .. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(folder, f).Replace('\\', '/')).Order(StringComparer.Ordinal),
    ];

    public override DataRef Ref(string path) => DataRef.Local(Path.Combine(folder, path));
}

/// <summary>A data set's repository; its files are fetched into Hugging Face's cache when they are read.</summary>
internal sealed class HubTree : DataTree
{
    private readonly HubSettings _settings;
    private readonly HubRepository _repository;
    private readonly Dictionary<string, HubFile> _files;

    private HubTree(HubSettings settings, HubRepository repository)
    {
        (_settings, _repository) = (settings, repository);
        _files = repository.Files.DistinctBy(f => f.Path, StringComparer.Ordinal).ToDictionary(f => f.Path, StringComparer.Ordinal);
        Files = [.. _files.Keys.Order(StringComparer.Ordinal)];
    }

    public override string Name => _repository.Name;

    public override IReadOnlyList<string> Files { get; }

    public override bool IsHub => true;

    /// <summary>Lists a data set; without a connection, what the cache has of it.</summary>
    /// <exception cref="HubException">It is neither on the hub nor in the cache.</exception>
    public static DataTree Open(string name, string revision, HubSettings settings)
    {
        string? cached = HubCache.Find(settings, name, revision, HubRepositoryType.Dataset);
        if (settings.IsOffline)
        {
            return cached is not null ? new FolderTree(cached, name, isHub: true) : throw new HubException(
                $"{name}: HF_HUB_OFFLINE is set, and revision {revision} of this data set is not in the cache ({settings.Cache}). " +
                $"Unset it, or fetch the data set before: tune download {name} --repo-type dataset.", isRefusal: true);
        }

        try
        {
            using HubClient hub = new(settings);
            return new HubTree(settings, hub.ListAsync(name, revision, HubRepositoryType.Dataset).GetAwaiter().GetResult());
        }
        catch (HubException e) when (!e.IsRefusal && cached is not null)
        {
            return new FolderTree(cached, name, isHub: true);
        }
    }

    public override DataRef Ref(string path) => new(path, async () =>
    {
        using HubClient hub = new(_settings);
        return await hub.CacheAsync(_repository, _files[path]);
    });
}
