using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TuneSharp.Hub;

/// <summary>What goes where.</summary>
/// <param name="Name"><c>owner/name</c>, or a name under the token's own account.</param>
/// <param name="Folder">The folder whose files are uploaded, without hidden ones.</param>
public sealed record HubUploadRequest(string Name, string Folder)
{
    /// <summary>Whether a repository that is made now can be seen by its owner only.</summary>
    public bool IsPrivate { get; init; }

    /// <summary>The branch; it is made if it is missing.</summary>
    public string Revision { get; init; } = "main";

    /// <summary>The commit's first line.</summary>
    public string Message { get; init; } = "Upload with TuneSharp";

    /// <summary>Model or data set.</summary>
    public HubRepositoryType Type { get; init; } = HubRepositoryType.Model;
}

/// <summary>What an upload did.</summary>
/// <param name="Name">The repository's full name.</param>
/// <param name="Url">Its page, or the commit's.</param>
/// <param name="Commit">The commit, or null when nothing had changed.</param>
/// <param name="Uploaded">Files whose content went over the wire.</param>
/// <param name="Present">Files whose content the hub had already.</param>
public sealed record HubUploadResult(string Name, string Url, string? Commit, int Uploaded, int Present);

/// <summary>Puts a folder into a repository in one commit: large files first, through LFS, then all names at once.</summary>
/// <remarks>Until the commit nobody sees anything; a cut upload is run again, and what the hub has already is not sent twice.</remarks>
public sealed class HubUpload
{
    private const int PreuploadFiles = 256; // what the hub takes in one question
    private const int SampleBytes = 512;    // it looks at so many to tell text from binary
    private readonly HubClient _hub;
    private readonly HubHttp _http;

    /// <summary>Creates an uploader.</summary>
    /// <param name="hub">The hub; its token needs write access.</param>
    public HubUpload(HubClient hub)
    {
        _hub = hub;
        _http = hub.Http;
    }

    /// <summary>Uploads a folder.</summary>
    /// <param name="request">What goes where.</param>
    /// <param name="progress">Is told how many bytes went out; less than zero when some go again.</param>
    /// <param name="stop">Gives up; what the hub has by then is not sent again next time.</param>
    /// <exception cref="HubException">The token may not write, the name is taken or wrong, or the hub is out of reach.</exception>
    public async Task<HubUploadResult> RunAsync(HubUploadRequest request, Action<long>? progress = null, CancellationToken stop = default)
    {
        Check(request, _hub.Settings);
        try
        {
            return await UploadAsync(request, progress, stop);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or UriFormatException)
        {
            throw new HubException($"{request.Name}: {_hub.Settings.Endpoint} does not answer as a hub does ({e.Message}). Check HF_ENDPOINT.", isRefusal: true, e);
        }
    }

    /// <summary>Finds what can be known to be wrong before a long export begins.</summary>
    /// <param name="request">What goes where.</param>
    /// <param name="settings">The hub and its token.</param>
    /// <exception cref="HubException">The name is none, or there is no token.</exception>
    public static void Check(HubUploadRequest request, HubSettings settings)
    {
        HubNames.CheckRepository(request.Name);
        if (settings.Token is null)
        {
            throw new HubException("No token is given, and a hub takes files from its users only: set HF_TOKEN to one with write access.", isRefusal: true);
        }

        if (settings.IsOffline)
        {
            throw new HubException("HF_HUB_OFFLINE is set, so nothing can be uploaded. Unset it.", isRefusal: true);
        }
    }

    private async Task<HubUploadResult> UploadAsync(HubUploadRequest request, Action<long>? progress, CancellationToken stop)
    {
        List<UploadFile> files = await Files(request.Folder, stop);
        string name = await CreateAsync(request, stop);
        await CreateBranchAsync(request, name, stop);
        await AskModesAsync(request, name, files, stop);
        files.RemoveAll(f => f.IsIgnored);
        int present = files.RemoveAll(f => f.IsUnchanged);
        UploadFile[] large = [.. files.Where(f => f.IsLfs)];
        int sent = await new LfsUpload(_http, $"{_hub.Settings.Endpoint}/{HubNames.Prefix(request.Type)}{name}.git/info/lfs/objects/batch", name, request.Revision)
            .RunAsync(large, progress, stop);
        if (files.Count == 0)
        {
            return new(name, PageOf(request, name), null, 0, present);
        }

        (string commit, string url) = await CommitAsync(request, name, files, stop);
        return new(name, url, commit, sent + files.Count - large.Length, present + large.Length - sent);
    }

    private static async Task<List<UploadFile>> Files(string folder, CancellationToken stop)
    {
        List<UploadFile> files = [];
        string root = Path.GetFullPath(folder);
        foreach (string path in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string relative = Path.GetRelativePath(root, path).Replace('\\', '/');
            if (!relative.Split('/').Any(p => p[0] == '.' && p != ".gitattributes"))
            {
                files.Add(new UploadFile(relative, path, new FileInfo(path).Length, await HubDigest.Sha256Async(path, stop)));
            }
        }

        return files.Count > 0 ? files : throw new HubException($"{folder} holds no file to upload.", isRefusal: true);
    }

    private string PageOf(HubUploadRequest request, string name) => $"{_hub.Settings.Endpoint}/{HubNames.Prefix(request.Type)}{name}";

    private string Api(HubUploadRequest request, string name) => $"{_hub.Settings.Endpoint}/api/{HubNames.Plural(request.Type)}/{name}";

    /// <summary>Makes the repository, or finds that it is there.</summary>
    /// <returns>Its full name: the hub adds the account to a bare one.</returns>
    private async Task<string> CreateAsync(HubUploadRequest request, CancellationToken stop)
    {
        string[] parts = request.Name.Split('/');
        JsonObject body = new() { ["name"] = parts[^1], ["private"] = request.IsPrivate };
        if (parts.Length == 2)
        {
            body["organization"] = parts[0];
        }

        body["type"] = request.Type == HubRepositoryType.Dataset ? "dataset" : "model";
        JsonElement? answer = await PostAsync($"{_hub.Settings.Endpoint}/api/repos/create", Json(body), request.Name, "the new repository", stop, HttpStatusCode.Conflict);
        string[] url = answer is { } a && a.ValueKind == JsonValueKind.Object && a.TryGetProperty("url", out JsonElement u) && u.GetString() is { } text
            ? text.TrimEnd('/').Split('/')
            : [];
        string full = parts.Length == 2 || url.Length < 2 ? request.Name : $"{url[^2]}/{url[^1]}";
        HubNames.CheckRepository(full);
        return full;
    }

    private async Task CreateBranchAsync(HubUploadRequest request, string name, CancellationToken stop)
    {
        if (request.Revision != "main")
        {
            await PostAsync($"{Api(request, name)}/branch/{Uri.EscapeDataString(request.Revision)}", Json([]), name, request.Revision, stop, HttpStatusCode.Conflict);
        }
    }

    /// <summary>Asks of each file whether it goes through LFS, into the commit itself, or need not go.</summary>
    private async Task AskModesAsync(HubUploadRequest request, string name, List<UploadFile> files, CancellationToken stop)
    {
        string? attributes = files.Find(f => f.Path == ".gitattributes") is { } own ? await File.ReadAllTextAsync(own.Source, stop) : null;
        foreach (UploadFile[] some in files.Chunk(PreuploadFiles))
        {
            JsonArray list = [];
            foreach (UploadFile file in some)
            {
                list.Add(new JsonObject
                {
                    ["path"] = file.Path,
                    ["sample"] = Convert.ToBase64String(await Head(file.Source, stop)),
                    ["size"] = file.Size,
                });
            }

            JsonObject question = new() { ["files"] = list };
            if (attributes is not null)
            {
                question["gitAttributes"] = attributes;
            }

            JsonElement answer = (await PostAsync($"{Api(request, name)}/preupload/{Uri.EscapeDataString(request.Revision)}", Json(question), name, "the list of files", stop))!.Value;
            Dictionary<string, UploadFile> byPath = some.ToDictionary(f => f.Path, StringComparer.Ordinal);
            foreach (JsonElement entry in answer.GetProperty("files").EnumerateArray())
            {
                if (byPath.Remove(entry.GetProperty("path").GetString() ?? "", out UploadFile? file))
                {
                    file.IsLfs = entry.GetProperty("uploadMode").GetString() == "lfs";
                    file.IsIgnored = entry.TryGetProperty("shouldIgnore", out JsonElement ignore) && ignore.ValueKind == JsonValueKind.True;
                    string? there = entry.TryGetProperty("oid", out JsonElement oid) && oid.ValueKind == JsonValueKind.String ? oid.GetString() : null;
                    file.IsUnchanged = there is not null
                        && string.Equals(there, file.IsLfs ? file.Sha256 : await HubDigest.GitAsync(file.Source, stop), StringComparison.OrdinalIgnoreCase);
                }
            }

            if (byPath.Count > 0)
            {
                throw new HubException($"{name}: the hub did not say how {byPath.Keys.First()} is to be uploaded. Try again later.", isRefusal: true);
            }
        }
    }

    private async Task<(string Commit, string Url)> CommitAsync(HubUploadRequest request, string name, List<UploadFile> files, CancellationToken stop)
    {
        // Written to a file: small files are few as a rule, but nobody promises it.
        string lines = Path.GetTempFileName();
        try
        {
            await using (StreamWriter writer = new(lines, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { NewLine = "\n" })
            {
                await writer.WriteLineAsync(Line("header", new JsonObject { ["summary"] = request.Message, ["description"] = "" }));
                foreach (UploadFile file in files)
                {
                    await writer.WriteLineAsync(file.IsLfs
                        ? Line("lfsFile", new JsonObject { ["path"] = file.Path, ["algo"] = "sha256", ["oid"] = file.Sha256, ["size"] = file.Size })
                        : Line("file", new JsonObject
                        {
                            ["content"] = Convert.ToBase64String(await File.ReadAllBytesAsync(file.Source, stop)),
                            ["path"] = file.Path,
                            ["encoding"] = "base64",
                        }));
                }
            }

            JsonElement answer = (await PostAsync(
                $"{Api(request, name)}/commit/{Uri.EscapeDataString(request.Revision)}",
                () => new StreamContent(File.OpenRead(lines)) { Headers = { ContentType = new MediaTypeHeaderValue("application/x-ndjson") } },
                name,
                request.Revision,
                stop))!.Value;
            string? commit = answer.TryGetProperty("commitOid", out JsonElement oid) ? oid.GetString() : null;
            string? url = answer.TryGetProperty("commitUrl", out JsonElement u) ? u.GetString() : null;
            return (commit ?? "", url ?? PageOf(request, name));
        }
        finally
        {
            File.Delete(lines);
        }
    }

    private static string Line(string key, JsonObject value) => new JsonObject { ["key"] = key, ["value"] = value }.ToJsonString();

    private static Func<HttpContent> Json(JsonObject body)
    {
        string text = body.ToJsonString();
        return () => new StringContent(text, Encoding.UTF8, "application/json");
    }

    private static async Task<byte[]> Head(string path, CancellationToken stop)
    {
        await using FileStream file = File.OpenRead(path);
        byte[] head = new byte[SampleBytes];
        int n = await file.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, stop);
        return head[..n];
    }

    private async Task<JsonElement?> PostAsync(
        string url, Func<HttpContent> content, string name, string what, CancellationToken stop, HttpStatusCode? alsoFine = null) =>
        await _http.RetryAsync<JsonElement?>(name, async () =>
        {
            (HttpResponseMessage response, _) = await _http.SendAsync(
                to => new HttpRequestMessage(HttpMethod.Post, to) { Content = content() }, new Uri(url), stop);
            using (response)
            {
                if (response.StatusCode != alsoFine)
                {
                    await _http.CheckAsync(response, name, what, writes: true, stop);
                }

                byte[] body = await response.Content.ReadAsByteArrayAsync(stop);
                try
                {
                    using JsonDocument json = JsonDocument.Parse(body.Length == 0 ? "null"u8.ToArray() : body);
                    return json.RootElement.Clone();
                }
                catch (JsonException) when (response.StatusCode == alsoFine)
                {
                    return null;
                }
                catch (JsonException e)
                {
                    throw new HubException($"{name}: {_hub.Settings.Endpoint} does not answer as a hub does. Check HF_ENDPOINT.", isRefusal: true, e);
                }
            }
        }, stop);
}

/// <summary>A file on its way to the hub.</summary>
internal sealed class UploadFile(string path, string source, long size, string sha256)
{
    /// <summary>Path in the repository.</summary>
    public string Path => path;

    /// <summary>The file here.</summary>
    public string Source => source;

    public long Size => size;

    public string Sha256 => sha256;

    public bool IsLfs { get; set; }

    public bool IsIgnored { get; set; }

    /// <summary>The branch has this very content under this name.</summary>
    public bool IsUnchanged { get; set; }
}
