using System.Text.Json;

namespace TuneSharp.Hub;

/// <summary>Reads repositories from a hub that speaks Hugging Face's protocol. Thread-safe.</summary>
/// <remarks>The token goes to the hub alone: it is never printed, and redirects to other hosts do not carry it.</remarks>
public sealed class HubClient : IDisposable
{
    private readonly HubHttp _http;

    /// <summary>Creates a client.</summary>
    /// <param name="settings">Address, token, cache; null for what the environment says.</param>
    /// <exception cref="HubException">The address or the token cannot be one.</exception>
    public HubClient(HubSettings? settings = null) => _http = new HubHttp(settings ?? new HubSettings());

    /// <summary>Address, token, cache.</summary>
    public HubSettings Settings => _http.Settings;

    internal HubHttp Http => _http;

    /// <summary>Lists a repository.</summary>
    /// <param name="name"><c>owner/name</c>.</param>
    /// <param name="revision">Branch, tag or commit.</param>
    /// <param name="type">Model or data set.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="HubException">There is no such repository, it may not be read, or the hub is out of reach.</exception>
    public async Task<HubRepository> ListAsync(
        string name, string revision = "main", HubRepositoryType type = HubRepositoryType.Model, CancellationToken stop = default)
    {
        HubNames.CheckRepository(name);
        Uri url = new($"{Settings.Endpoint}/api/{HubNames.Plural(type)}/{name}/revision/{Uri.EscapeDataString(revision)}?blobs=true");
        return await _http.RetryAsync(name, async () =>
        {
            (HttpResponseMessage response, _) = await _http.SendAsync(to => new HttpRequestMessage(HttpMethod.Get, to), url, stop);
            using (response)
            {
                await _http.CheckAsync(response, name, revision, writes: false, stop);
                byte[] body = await response.Content.ReadAsByteArrayAsync(stop);
                try
                {
                    using JsonDocument json = JsonDocument.Parse(body);
                    return HubRepository.Read(name, type, revision, json.RootElement);
                }
                catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
                {
                    throw new HubException($"{name}: {Settings.Endpoint} does not answer as a hub does. Check HF_ENDPOINT.", isRefusal: true, e);
                }
            }
        }, stop);
    }

    /// <summary>Downloads one file: resumes what an earlier try left, checks size and digest, and renames it into place last.</summary>
    /// <param name="repository">From <see cref="ListAsync"/>.</param>
    /// <param name="file">One of its files.</param>
    /// <param name="folder">The target folder; the file keeps its path in it.</param>
    /// <param name="progress">Called with the bytes that came in, or null. Fewer than zero: that many must come again.</param>
    /// <param name="stop">Gives up; what came in stays for the next try.</param>
    /// <returns>The file's path here.</returns>
    /// <exception cref="HubException">It cannot be had, or what came is damaged.</exception>
    public async Task<string> DownloadAsync(
        HubRepository repository, HubFile file, string folder, Action<long>? progress = null, CancellationToken stop = default)
    {
        string target = HubNames.Inside(folder, file.Path);
        if (File.Exists(target) && new FileInfo(target).Length == file.Size && await HubDigest.MatchesAsync(target, file, stop))
        {
            progress?.Invoke(file.Size ?? 0);
            return target;
        }

        if (BlobOf(repository, file) is { } blob && File.Exists(blob) && new FileInfo(blob).Length == file.Size && await HubDigest.MatchesAsync(blob, file, stop))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            string copy = target + ".incomplete";
            File.Copy(blob, copy, overwrite: true); // another tool had fetched it already
            File.Move(copy, target, overwrite: true);
            progress?.Invoke(file.Size ?? 0);
            return target;
        }

        await FetchAsync(repository, file, target, target + ".incomplete", progress, stop);
        return target;
    }

    /// <summary>Downloads one file into the cache that Python's tools share.</summary>
    /// <param name="repository">From <see cref="ListAsync"/>.</param>
    /// <param name="file">One of its files.</param>
    /// <param name="progress">As in <see cref="DownloadAsync"/>.</param>
    /// <param name="stop">Gives up; what came in stays for the next try.</param>
    /// <returns>The file's path in the snapshot.</returns>
    /// <exception cref="HubException">It cannot be had, or what came is damaged.</exception>
    public async Task<string> CacheAsync(HubRepository repository, HubFile file, Action<long>? progress = null, CancellationToken stop = default)
    {
        string target = HubNames.Inside(HubCache.SnapshotOf(Settings, repository), file.Path);
        string? blob = BlobOf(repository, file);
        if (blob is null)
        {
            // The hub tells no digest, so the content's name is known only when it is here.
            string unnamed = Path.Combine(BlobFolder(repository), $"{HubNames.CheckId(repository.Commit, file.Path)}-{Uri.EscapeDataString(file.Path)}");
            await FetchAsync(repository, file, unnamed, unnamed + ".tunesharp-incomplete", progress, stop);
            blob = Path.Combine(BlobFolder(repository), await HubDigest.GitAsync(unnamed, stop));
            File.Move(unnamed, blob, overwrite: true);
        }
        else if (File.Exists(blob) && (file.Size is null || new FileInfo(blob).Length == file.Size))
        {
            progress?.Invoke(file.Size ?? 0);
        }
        else
        {
            // Not Python's ".incomplete": it takes such a file's length for what is there, and ours has holes.
            await FetchAsync(repository, file, blob, blob + ".tunesharp-incomplete", progress, stop);
        }

        HubCache.Link(blob, target);
        HubCache.WriteReference(Settings, repository);
        return target;
    }

    /// <summary>Gets a file of the web into a place here; when it is there already, asks whether it changed.</summary>
    /// <param name="url">Its address. The token goes along only if it is on the hub itself.</param>
    /// <param name="target">Its path here.</param>
    /// <param name="stop">Gives up; what came in stays for the next try.</param>
    /// <returns><paramref name="target"/>.</returns>
    /// <exception cref="HubException">It cannot be had.</exception>
    public async Task<string> FetchUrlAsync(Uri url, string target, CancellationToken stop = default)
    {
        string notes = target + ".version";
        bool isHere = File.Exists(target) && File.Exists(notes);
        if (Settings.IsOffline && isHere)
        {
            return target;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        string name = url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.Unescaped); // a query may hold a secret
        (string version, long? size) = await VersionAsync(url, name, stop);
        if (isHere && version.Length > 0 && await File.ReadAllTextAsync(notes, stop) == version)
        {
            return target;
        }

        string key = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(version)))[..12];
        string partial = $"{target}.{key}.incomplete"; // parts of two versions never meet
        RangedTransfer transfer = new(_http, name, "it", url, partial);
        if (await TransferAsync(transfer, partial + ".done", size, null, stop))
        {
            File.Move(partial, target, overwrite: true);
            transfer.Forget();
            await File.WriteAllTextAsync(notes, version, stop);
        }

        return target;
    }

    /// <summary>Makes a file of the cache appear in a folder of its own.</summary>
    /// <param name="folder">The folder, where configs look for a model.</param>
    /// <param name="file">The file of the repository.</param>
    /// <param name="cached">Where <see cref="CacheAsync"/> put it.</param>
    /// <returns>Its path in the folder.</returns>
    public static string LinkInto(string folder, HubFile file, string cached)
    {
        string target = HubNames.Inside(folder, file.Path);
        HubCache.Link(Path.GetFullPath(cached), target, isRelative: false);
        return target;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>What a server says of a file's version and size; nothing when it does not like the question.</summary>
    private async Task<(string Version, long? Size)> VersionAsync(Uri url, string name, CancellationToken stop) =>
        await _http.RetryAsync<(string, long?)>(name, async () =>
        {
            (HttpResponseMessage response, _) = await _http.SendAsync(
                to =>
                {
                    HttpRequestMessage request = new(HttpMethod.Head, to);
                    request.Headers.AcceptEncoding.ParseAdd("identity");
                    return request;
                },
                url,
                stop);
            using (response)
            {
                if ((int)response.StatusCode is 403 or 405 or 501)
                {
                    return ("", null);
                }

                await _http.CheckAsync(response, name, "it", writes: false, stop);
                long? size = response.Content.Headers.ContentLength;
                string version = $"{response.Headers.ETag}|{response.Content.Headers.LastModified:O}|{size}";
                return (response.Headers.ETag is null && response.Content.Headers.LastModified is null ? "" : version, size > 0 ? size : null);
            }
        }, stop);

    private string BlobFolder(HubRepository repository) => Path.Combine(HubCache.FolderOf(Settings, repository.Name, repository.Type), "blobs");

    private string? BlobOf(HubRepository repository, HubFile file) =>
        (file.Sha256 ?? file.BlobId) is { } id ? Path.Combine(BlobFolder(repository), HubNames.CheckId(id, file.Path)) : null;

    /// <summary>Runs a transfer; while another process is at the same file, waits for it.</summary>
    /// <returns>False when the other one has finished the file.</returns>
    private async Task<bool> TransferAsync(RangedTransfer transfer, string target, long? size, Action<long>? progress, CancellationToken stop)
    {
        bool wasThere = File.Exists(target);
        while (true)
        {
            try
            {
                await transfer.RunAsync(size, progress, stop);
                return true;
            }
            catch (HubException e) when (e.IsBusy)
            {
                await Task.Delay(Settings.Pause, stop);
                if (!wasThere && File.Exists(target) && (size is null || new FileInfo(target).Length == size))
                {
                    progress?.Invoke(size ?? 0);
                    return false;
                }
            }
        }
    }

    private async Task FetchAsync(HubRepository repository, HubFile file, string target, string partial, Action<long>? progress, CancellationToken stop)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        Uri url = new($"{Settings.Endpoint}/{HubNames.Prefix(repository.Type)}{repository.Name}/resolve/{HubNames.CheckId(repository.Commit, repository.Name)}/{HubNames.Escape(file.Path)}");
        for (int attempt = 1; ; attempt++)
        {
            RangedTransfer transfer = new(_http, repository.Name, file.Path, url, partial);
            if (!await TransferAsync(transfer, target, file.Size, progress, stop))
            {
                return;
            }

            if (await HubDigest.MatchesAsync(partial, file, stop))
            {
                File.Move(partial, target, overwrite: true);
                transfer.Forget();
                return;
            }

            transfer.Discard();
            if (!transfer.IsResumed || attempt > 1)
            {
                throw new HubException(
                    $"{file.Path}: what came differs from what the hub announced ({HubDigest.KindOf(file)}). It was thrown away; run the command again.", isRefusal: false);
            }

            progress?.Invoke(-(file.Size ?? 0)); // a damaged rest of an earlier try: once more from the beginning
        }
    }
}
