using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TuneSharp.Hub;

/// <summary>Sends large files as Git LFS has it: a question which are missing, the contents in one or many parts, and a check.</summary>
internal sealed class LfsUpload(HubHttp http, string batchUrl, string name, string revision)
{
    private const int BatchFiles = 256;
    private const string MediaType = "application/vnd.git-lfs+json";

    /// <summary>Sends what the server lacks.</summary>
    /// <returns>How many files went over the wire.</returns>
    public async Task<int> RunAsync(IReadOnlyList<UploadFile> files, Action<long>? progress, CancellationToken stop)
    {
        int sent = 0;
        // One content may lie under two names; it is sent once.
        foreach (UploadFile[] some in files.DistinctBy(f => f.Sha256, StringComparer.Ordinal).Chunk(BatchFiles))
        {
            Dictionary<string, UploadFile> byDigest = some.ToDictionary(f => f.Sha256, StringComparer.OrdinalIgnoreCase);
            // An address is signed for a while only, so each file asks for its own just before it goes.
            JsonElement answer = await BatchAsync(some, stop);
            foreach (JsonElement entry in answer.GetProperty("objects").EnumerateArray())
            {
                if (!byDigest.TryGetValue(entry.GetProperty("oid").GetString() ?? "", out UploadFile? file))
                {
                    throw new HubException($"{name}: the hub asks for a file that is not among those announced. Nothing of it was sent.", isRefusal: true);
                }

                sent += await SendAsync(file, entry, progress, stop) ? 1 : 0;
            }
        }

        return sent;
    }

    private async Task<JsonElement> BatchAsync(IEnumerable<UploadFile> files, CancellationToken stop)
    {
        JsonArray objects = [];
        foreach (UploadFile file in files)
        {
            objects.Add(new JsonObject { ["oid"] = file.Sha256, ["size"] = file.Size });
        }

        JsonObject question = new()
        {
            ["operation"] = "upload",
            ["transfers"] = new JsonArray("basic", "multipart"),
            ["objects"] = objects,
            ["hash_algo"] = "sha256",
            ["ref"] = new JsonObject { ["name"] = revision },
        };
        return await PostAsync(batchUrl, question, "the list of large files", null, stop);
    }

    /// <summary>Sends one file, unless the server has it.</summary>
    private async Task<bool> SendAsync(UploadFile file, JsonElement entry, Action<long>? progress, CancellationToken stop)
    {
        if (entry.TryGetProperty("error", out JsonElement error) && error.ValueKind == JsonValueKind.Object)
        {
            string message = error.TryGetProperty("message", out JsonElement m) ? m.ToString() : error.ToString();
            throw new HubException($"{name}: the hub does not take {file.Path}: {message}", isRefusal: true);
        }

        if (!entry.TryGetProperty("actions", out JsonElement actions) || actions.ValueKind != JsonValueKind.Object
            || !actions.TryGetProperty("upload", out JsonElement upload))
        {
            progress?.Invoke(file.Size);
            return false;
        }

        Dictionary<string, string> header = Headers(upload);
        Uri href = Address(upload);
        bool isFirst = true;
        await http.RetryAsync(name, async () =>
        {
            // A signed address may have expired, and a cut one may be used up: each further try asks anew.
            if (!isFirst)
            {
                JsonElement again = (await BatchAsync([file], stop)).GetProperty("objects")[0];
                if (!again.TryGetProperty("actions", out JsonElement now) || !now.TryGetProperty("upload", out upload))
                {
                    return true;
                }

                (header, href) = (Headers(upload), Address(upload));
            }

            isFirst = false;
            await (header.TryGetValue("chunk_size", out string? chunk)
                ? Multipart(file, href, header, long.Parse(chunk, CultureInfo.InvariantCulture), progress, stop)
                : Put(file, href, header, 0, file.Size, progress, stop));
            return true;
        }, stop);
        if (actions.TryGetProperty("verify", out JsonElement verify))
        {
            // The answer is the hub's own word that it holds these bytes; without it nothing is committed.
            await PostAsync(Address(verify).AbsoluteUri, new JsonObject { ["oid"] = file.Sha256, ["size"] = file.Size }, $"the check of {file.Path}", Headers(verify), stop);
        }

        return true;
    }

    private async Task Multipart(UploadFile file, Uri completion, Dictionary<string, string> header, long chunk, Action<long>? progress, CancellationToken stop)
    {
        (int Number, Uri Url)[] parts = [.. header.Where(h => h.Key.All(char.IsAsciiDigit))
            .Select(h => (int.Parse(h.Key, CultureInfo.InvariantCulture), new Uri(completion, h.Value))).OrderBy(p => p.Item1)];
        if (chunk < 1 || parts.Length != (file.Size + chunk - 1) / chunk)
        {
            throw new HubException($"{name}: the hub asks for {file.Path} in {parts.Length} parts of {chunk} bytes, which do not make its {file.Size}. Try again later.", isRefusal: true);
        }

        JsonArray done = [];
        for (int i = 0; i < parts.Length; i++)
        {
            long from = i * chunk;
            Uri url = parts[i].Url;
            string tag = await http.RetryAsync(name, () => Put(file, url, [], from, Math.Min(chunk, file.Size - from), progress, stop), stop);
            done.Add(new JsonObject { ["partNumber"] = parts[i].Number, ["etag"] = tag });
        }

        await PostAsync(completion.AbsoluteUri, new JsonObject { ["oid"] = file.Sha256, ["parts"] = done }, file.Path, null, stop);
    }

    private async Task<string> Put(
        UploadFile file, Uri url, Dictionary<string, string> header, long from, long length, Action<long>? progress, CancellationToken stop)
    {
        long told = 0;
        try
        {
            (HttpResponseMessage response, _) = await http.SendAsync(
                to =>
                {
                    HttpRequestMessage request = new(HttpMethod.Put, to) { Content = new FilePart(file.Source, from, length, n => Told(n)) };
                    foreach ((string key, string value) in header.Where(h => http.IsHub(to) || url.Host == to.Host))
                    {
                        if (!request.Headers.TryAddWithoutValidation(key, value))
                        {
                            request.Content.Headers.TryAddWithoutValidation(key, value);
                        }
                    }

                    return request;
                },
                url,
                stop,
                length);
            using (response)
            {
                await http.CheckAsync(response, name, file.Path, writes: true, stop);
                return response.Headers.ETag?.ToString() ?? (response.Headers.TryGetValues("ETag", out IEnumerable<string>? tags) ? tags.First() : "");
            }
        }
        catch
        {
            progress?.Invoke(-told);
            throw;
        }

        void Told(long n)
        {
            told += n;
            progress?.Invoke(n);
        }
    }

    private async Task<JsonElement> PostAsync(string url, JsonObject body, string what, Dictionary<string, string>? header, CancellationToken stop)
    {
        string text = body.ToJsonString();
        return await http.RetryAsync(name, async () =>
        {
            (HttpResponseMessage response, _) = await http.SendAsync(
                to =>
                {
                    HttpRequestMessage request = new(HttpMethod.Post, to) { Content = new StringContent(text, Encoding.UTF8, MediaType) };
                    request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(MediaType));
                    foreach ((string key, string value) in header ?? [])
                    {
                        request.Headers.TryAddWithoutValidation(key, value);
                    }

                    return request;
                },
                new Uri(url),
                stop);
            using (response)
            {
                await http.CheckAsync(response, name, what, writes: true, stop);
                byte[] answer = await response.Content.ReadAsByteArrayAsync(stop);
                try
                {
                    using JsonDocument json = JsonDocument.Parse(answer.Length == 0 ? "{}"u8.ToArray() : answer);
                    return json.RootElement.Clone();
                }
                catch (JsonException) when (header is not null || url != batchUrl)
                {
                    using JsonDocument none = JsonDocument.Parse("{}");
                    return none.RootElement.Clone(); // a check or a completion may answer in words
                }
                catch (JsonException e)
                {
                    throw new HubException($"{name}: the hub's LFS server does not answer as one does. Check HF_ENDPOINT.", isRefusal: true, e);
                }
            }
        }, stop);
    }

    private Uri Address(JsonElement action)
    {
        Uri url = new(http.Origin, action.GetProperty("href").GetString());
        return url.Scheme is "http" or "https" && !(http.Origin.Scheme == "https" && url.Scheme == "http")
            ? url
            : throw new HubException($"{name}: the hub wants the files at {url.Scheme}://{url.Host}, which is not safe. Nothing was sent.", isRefusal: true);
    }

    private static Dictionary<string, string> Headers(JsonElement action) =>
        action.TryGetProperty("header", out JsonElement header) && header.ValueKind == JsonValueKind.Object
            ? header.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.ToString(), StringComparer.OrdinalIgnoreCase)
            : new(StringComparer.OrdinalIgnoreCase);

    /// <summary>A piece of a file as the body of a request.</summary>
    private sealed class FilePart : HttpContent
    {
        private readonly string _path;
        private readonly long _from;
        private readonly long _length;
        private readonly Action<long> _sent;

        public FilePart(string path, long from, long length, Action<long> sent)
        {
            (_path, _from, _length, _sent) = (path, from, length, sent);
            Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            await using FileStream file = File.OpenRead(_path);
            file.Position = _from;
            byte[] buffer = new byte[1 << 18];
            for (long left = _length; left > 0;)
            {
                int n = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)));
                if (n == 0)
                {
                    throw new HubException($"{_path} became shorter while it was uploaded. Run the command again.", isRefusal: true);
                }

                await stream.WriteAsync(buffer.AsMemory(0, n));
                left -= n;
                _sent(n);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _length;
            return true;
        }
    }
}
