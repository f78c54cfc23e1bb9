using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;

namespace TuneSharp.Hub;

/// <summary>A file of a repository.</summary>
/// <param name="Path">Path inside the repository, with slashes.</param>
/// <param name="Size">Bytes, or null when the hub does not say.</param>
/// <param name="Sha256">Digest of a large file, in hexadecimal; null for small ones.</param>
public sealed record HubFile(string Path, long? Size, string? Sha256);

/// <summary>A repository at one commit.</summary>
/// <param name="Name"><c>owner/name</c>.</param>
/// <param name="Commit">The commit that its revision names now.</param>
/// <param name="Files">Its files.</param>
public sealed record HubRepository(string Name, string Commit, IReadOnlyList<HubFile> Files);

/// <summary>Reads repositories from a hub that speaks Hugging Face's protocol. Thread-safe.</summary>
/// <remarks>The token goes to the hub alone: it is never printed, and redirects to other hosts do not carry it.</remarks>
public sealed class HubClient : IDisposable
{
    private const int MaxTries = 5; // with pauses of 1, 2, 4 and 8 s: survives a dropped connection, gives up on an outage
    private readonly HttpClient _http;
    private readonly string _endpoint;
    private readonly bool _hasToken;
    private readonly TimeSpan _pause;

    /// <summary>Creates a client.</summary>
    /// <param name="endpoint">The hub's address; null for <c>HF_ENDPOINT</c> or Hugging Face.</param>
    /// <param name="token">The access token; null for <c>HF_TOKEN</c> or none.</param>
    /// <param name="pause">The first pause before a request is tried again; each next one is twice as long. Null for a second.</param>
    public HubClient(string? endpoint = null, string? token = null, TimeSpan? pause = null)
    {
        _endpoint = (endpoint ?? NonEmpty("HF_ENDPOINT") ?? "https://huggingface.co").TrimEnd('/');
        _pause = pause ?? TimeSpan.FromSeconds(1);
        token ??= NonEmpty("HF_TOKEN");
        _hasToken = !string.IsNullOrEmpty(token);
        _http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("tunesharp", "0.1"));
        if (_hasToken)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    /// <summary>Lists a model repository.</summary>
    /// <param name="name"><c>owner/name</c>.</param>
    /// <param name="revision">Branch, tag or commit.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="HubException">There is no such repository, it may not be read, or the hub is out of reach.</exception>
    public async Task<HubRepository> ListAsync(string name, string revision = "main", CancellationToken stop = default)
    {
        string url = $"{_endpoint}/api/models/{name}/revision/{Uri.EscapeDataString(revision)}?blobs=true";
        return await Retry(name, async () =>
        {
            using HttpResponseMessage response = await _http.GetAsync(url, stop);
            Check(response, name, revision);
            using JsonDocument json = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(stop));
            return Read(name, json.RootElement);
        }, stop);
    }

    /// <summary>Downloads one file: resumes what an earlier try left, checks size and digest, and renames it into place last.</summary>
    /// <param name="repository">From <see cref="ListAsync"/>.</param>
    /// <param name="file">One of its files.</param>
    /// <param name="folder">The target folder; the file keeps its path in it.</param>
    /// <param name="progress">Called with the bytes that came in, or null.</param>
    /// <param name="stop">Gives up; what came in stays for the next try.</param>
    /// <returns>The file's path here.</returns>
    /// <exception cref="HubException">It cannot be had, or what came is damaged.</exception>
    public async Task<string> DownloadAsync(
        HubRepository repository, HubFile file, string folder, Action<long>? progress = null, CancellationToken stop = default)
    {
        string target = Inside(folder, file.Path);
        if (File.Exists(target) && new FileInfo(target).Length == file.Size && await HasDigest(target, file, stop))
        {
            progress?.Invoke(file.Size ?? 0);
            return target;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        string partial = target + ".incomplete";
        string url = $"{_endpoint}/{repository.Name}/resolve/{repository.Commit}/{string.Join('/', file.Path.Split('/').Select(Uri.EscapeDataString))}";
        await Retry(repository.Name, async () =>
        {
            await Fetch(url, partial, repository.Name, file, progress, stop);
            return true;
        }, stop);
        if (!await HasDigest(partial, file, stop))
        {
            File.Delete(partial);
            throw new HubException(
                $"{file.Path}: what came differs from what the hub announced (SHA-256). It was thrown away; run the command again.", isRefusal: false);
        }

        File.Move(partial, target, overwrite: true);
        return target;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task Fetch(string url, string partial, string name, HubFile file, Action<long>? progress, CancellationToken stop)
    {
        long have = File.Exists(partial) ? new FileInfo(partial).Length : 0;
        if (file.Size is { } size && have >= size)
        {
            if (have == size)
            {
                return;
            }

            have = 0; // longer than the file: not ours
        }

        using HttpRequestMessage request = new(HttpMethod.Get, url);
        if (have > 0)
        {
            request.Headers.Range = new RangeHeaderValue(have, null);
        }

        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
        Check(response, name, file.Path);
        bool resumed = response.StatusCode == HttpStatusCode.PartialContent;
        await using FileStream output = new(partial, resumed ? FileMode.Append : FileMode.Create, FileAccess.Write);
        await using Stream input = await response.Content.ReadAsStreamAsync(stop);
        byte[] buffer = new byte[1 << 20]; // a megabyte: few calls, little memory
        for (int read; (read = await input.ReadAsync(buffer, stop)) > 0;)
        {
            await output.WriteAsync(buffer.AsMemory(0, read), stop);
            progress?.Invoke(read);
        }

        output.Flush(flushToDisk: true);
        if (file.Size is { } expected && output.Length < expected)
        {
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{file.Path}: the connection ended after {output.Length} of {expected} bytes"));
        }
    }

    private async Task<T> Retry<T>(string name, Func<Task<T>> request, CancellationToken stop)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await request();
            }
            catch (Exception e) when (e is IOException or HttpRequestException or HubException { IsRefusal: false })
            {
                if (attempt == MaxTries)
                {
                    throw e as HubException ?? new HubException(
                        $"{name}: {_endpoint} could not be read: {e.Message.TrimEnd('.')}. Check the connection (and HF_ENDPOINT); what came in is kept, run the command again.",
                        isRefusal: false, e);
                }

                await Task.Delay(_pause * Math.Pow(2, attempt - 1), stop);
            }
        }
    }

    private void Check(HttpResponseMessage response, string name, string what)
    {
        if (response.IsSuccessStatusCode)
        {
            return;
        }

        string token = _hasToken ? "the token given has no right to it" : "no token is given: pass --hf-token or set HF_TOKEN";
        throw response.StatusCode switch
        {
            HttpStatusCode.NotFound => new HubException($"{name}: {what} was not found on {_endpoint}. Check the name and --revision.", isRefusal: true),
            HttpStatusCode.Unauthorized => new HubException($"{name}: does not exist or is private, and {token}.", isRefusal: true),
            HttpStatusCode.Forbidden => new HubException(
                $"{name}: is gated, and {token}. Accept its terms on {_endpoint}/{name} with the account of the token.", isRefusal: true),
            _ => new HubException(string.Create(
                CultureInfo.InvariantCulture, $"{name}: {_endpoint} answered {(int)response.StatusCode} {response.ReasonPhrase} for {what}. Try again later."), isRefusal: false),
        };
    }

    private static HubRepository Read(string name, JsonElement root)
    {
        List<HubFile> files = [];
        foreach (JsonElement sibling in root.GetProperty("siblings").EnumerateArray())
        {
            long? size = sibling.TryGetProperty("size", out JsonElement s) && s.ValueKind == JsonValueKind.Number ? s.GetInt64() : null;
            string? digest = sibling.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object
                && lfs.TryGetProperty("sha256", out JsonElement d) ? d.GetString() : null;
            files.Add(new HubFile(sibling.GetProperty("rfilename").GetString()!, size, digest));
        }

        return new HubRepository(name, root.GetProperty("sha").GetString()!, files);
    }

    private static async Task<bool> HasDigest(string path, HubFile file, CancellationToken stop)
    {
        if (file.Sha256 is null)
        {
            return true;
        }

        await using FileStream stream = File.OpenRead(path);
        return string.Equals(Convert.ToHexString(await SHA256.HashDataAsync(stream, stop)), file.Sha256, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>A name from the server must not lead out of the target folder.</summary>
    private static string Inside(string folder, string path)
    {
        string root = Path.GetFullPath(folder);
        string target = Path.GetFullPath(Path.Combine(root, path));
        bool inside = target.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal);
        return inside && !path.Contains('\\') && !path.Split('/').Any(p => p is "" or "." or "..")
            ? target
            : throw new HubException($"The hub names a file {path}, which would lie outside {folder}. Nothing was written.", isRefusal: true);
    }

    private static string? NonEmpty(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}
