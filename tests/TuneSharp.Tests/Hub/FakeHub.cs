using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

#pragma warning disable CA5350 // git names contents by SHA-1

namespace TuneSharp.Tests.Hub;

/// <summary>A server on this machine that speaks the hub's protocol, and a second one that plays its CDN.</summary>
internal sealed class FakeHub : IDisposable
{
    internal const string Commit = "c0ffee0000000000000000000000000000000000";
    private readonly HttpListener _hub = new();
    private readonly HttpListener _cdn = new();

    internal FakeHub()
    {
        Endpoint = Start(_hub, ServeHub);
        Cdn = Start(_cdn, ServeCdn);
    }

    internal string Endpoint { get; }

    internal string Cdn { get; }

    /// <summary>Files of the repository.</summary>
    internal Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>Files of the repository's other branches.</summary>
    internal Dictionary<string, Dictionary<string, byte[]>> Branches { get; } = [];

    internal HashSet<string> Lfs { get; } = [];

    internal Dictionary<string, string> WrongDigests { get; } = [];

    /// <summary>Answers to give before the real ones: a status, or 0 to cut the connection in mid-file.</summary>
    internal ConcurrentQueue<int> Troubles { get; } = new();

    /// <summary>Sent with a trouble's answer.</summary>
    internal Dictionary<string, string> TroubleHeaders { get; } = [];

    /// <summary>The same for the CDN alone.</summary>
    internal ConcurrentQueue<int> CdnTroubles { get; } = new();

    internal ConcurrentQueue<string> Requests { get; } = new();

    internal bool KnowsRanges { get; set; } = true;

    /// <summary>What uploads put there: LFS contents by digest.</summary>
    internal ConcurrentDictionary<string, byte[]> Stored { get; } = [];

    internal ConcurrentDictionary<string, byte[]> Parts { get; } = [];

    internal List<JsonNode> Committed { get; } = [];

    internal HashSet<string> Repositories { get; } = [];

    /// <summary>Bytes of a part of a multipart upload; 0: basic uploads.</summary>
    internal int ChunkSize { get; set; }

    /// <summary>Files larger than this go through LFS.</summary>
    internal int LfsFrom { get; set; } = 1000;

    internal JsonNode? Created { get; private set; }

    public void Dispose()
    {
        _hub.Close();
        _cdn.Close();
    }

    internal static string Git(byte[] content) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));

    internal static string Sha(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static string Start(HttpListener listener, Action<HttpListenerContext> serve)
    {
        string endpoint;
        using (TcpListener probe = new(IPAddress.Loopback, 0))
        {
            probe.Start();
            endpoint = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
        }

        listener.Prefixes.Add(endpoint + "/");
        listener.Start();
        _ = Task.Run(async () =>
        {
            while (listener.IsListening)
            {
                HttpListenerContext context;
                try
                {
                    context = await listener.GetContextAsync();
                }
                catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
                {
                    return; // closed by the test
                }

                _ = Task.Run(() =>
                {
                    try
                    {
                        serve(context);
                    }
                    catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException)
                    {
                        // The client went away in mid-answer.
                    }
                    catch (Exception e) when (e is KeyNotFoundException or NullReferenceException or InvalidOperationException or FormatException)
                    {
                        context.Response.StatusCode = 400; // a request that no hub understands; nobody waits for an answer in vain
                        context.Response.Close();
                    }
                });
            }
        });
        return endpoint;
    }

    private void ServeHub(HttpListenerContext context)
    {
        string path = Uri.UnescapeDataString(context.Request.Url!.AbsolutePath);
        Note("", context, path);
        bool isFile = path.Contains("/resolve/", StringComparison.Ordinal);
        int? trouble = Trouble(context, Troubles, isFile);
        if (trouble is not (null or 0))
        {
            return;
        }

        bool isCut = trouble == 0;
        if (isFile)
        {
            string[] parts = path.Split("/resolve/", 2)[1].Split('/', 2);
            Dictionary<string, byte[]> files = FilesOf(parts[0]);
            if (!files.TryGetValue(parts[1], out byte[]? content))
            {
                Refuse(context, 404, "EntryNotFound");
            }
            else if (Lfs.Contains(parts[1]))
            {
                context.Response.Redirect($"{Cdn}/signed/{parts[1]}?secret=1");
                context.Response.Close();
            }
            else
            {
                Send(context, content, isCut);
            }
        }
        else if (path.StartsWith("/api/", StringComparison.Ordinal) && path.Split("/revision/", 2) is [_, var revision])
        {
            if (revision is "main" or Commit || Branches.ContainsKey(revision))
            {
                Answer(context, Listing(revision));
            }
            else
            {
                Refuse(context, 404, "RevisionNotFound");
            }
        }
        else
        {
            ServeUpload(context, path);
        }
    }

    private void ServeUpload(HttpListenerContext context, string path)
    {
        JsonNode? body = path.Contains("/commit/") ? null : JsonNode.Parse(Encoding.UTF8.GetString(Body(context)) is { Length: > 0 } t ? t : "null");
        if (path == "/api/repos/create")
        {
            Created = body;
            string name = $"{body!["organization"] ?? "me"}/{body["name"]}";
            bool isNew = Repositories.Add(name);
            context.Response.StatusCode = isNew ? 200 : 409;
            Answer(context, new JsonObject { ["url"] = $"{Endpoint}/{name}" }, keepStatus: true);
        }
        else if (path.Contains("/preupload/"))
        {
            JsonArray files = [];
            foreach (JsonNode? file in body!["files"]!.AsArray())
            {
                string name = (string)file!["path"]!;
                bool isLfs = (long)file["size"]! > LfsFrom;
                files.Add(new JsonObject
                {
                    ["path"] = name,
                    ["uploadMode"] = isLfs ? "lfs" : "regular",
                    ["shouldIgnore"] = name.EndsWith(".pyc", StringComparison.Ordinal),
                    ["oid"] = Files.TryGetValue(name, out byte[]? there) ? isLfs ? Sha(there) : Git(there) : null,
                });
            }

            Answer(context, new JsonObject { ["files"] = files });
        }
        else if (path.EndsWith(".git/info/lfs/objects/batch", StringComparison.Ordinal))
        {
            Answer(context, Batch(body!));
        }
        else if (path == "/lfs/verify")
        {
            bool isRight = Stored.TryGetValue((string)body!["oid"]!, out byte[]? content) && content.Length == (long)body["size"]!;
            context.Response.StatusCode = isRight ? 200 : 422;
            context.Response.Close();
        }
        else if (path == "/lfs/complete")
        {
            Stored[(string)body!["oid"]!] = [.. body["parts"]!.AsArray().OrderBy(p => (int)p!["partNumber"]!)
                .SelectMany(p => Parts[$"{(string)body["oid"]!}/{(int)p!["partNumber"]!}"])];
            Answer(context, new JsonObject());
        }
        else if (path.Contains("/commit/"))
        {
            string[] lines = Encoding.UTF8.GetString(Body(context)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Committed.AddRange(lines.Select(l => JsonNode.Parse(l)!));
            foreach (JsonNode line in Committed.Where(l => (string)l["key"]! == "file"))
            {
                Files[(string)line["value"]!["path"]!] = Convert.FromBase64String((string)line["value"]!["content"]!);
            }

            foreach (JsonNode line in Committed.Where(l => (string)l["key"]! == "lfsFile"))
            {
                Files[(string)line["value"]!["path"]!] = Stored[(string)line["value"]!["oid"]!];
                Lfs.Add((string)line["value"]!["path"]!);
            }

            Answer(context, new JsonObject { ["success"] = true, ["commitOid"] = "f00d", ["commitUrl"] = $"{Endpoint}/me/x/commit/f00d" });
        }
        else if (path.Contains("/branch/"))
        {
            Answer(context, new JsonObject());
        }
        else
        {
            Refuse(context, 404, "RepoNotFound");
        }
    }

    private JsonObject Batch(JsonNode body)
    {
        JsonArray objects = [];
        foreach (JsonNode? o in body["objects"]!.AsArray())
        {
            string oid = (string)o!["oid"]!;
            long size = (long)o["size"]!;
            JsonObject answer = new() { ["oid"] = oid, ["size"] = size };
            if (!Stored.ContainsKey(oid))
            {
                JsonObject upload = new() { ["href"] = $"{Cdn}/put/{oid}", ["header"] = new JsonObject { ["X-Signed"] = "yes" } };
                if (ChunkSize > 0)
                {
                    JsonObject header = new() { ["chunk_size"] = ChunkSize.ToString(CultureInfo.InvariantCulture) };
                    for (int i = 1; i <= (size + ChunkSize - 1) / ChunkSize; i++)
                    {
                        header[i.ToString("00000", CultureInfo.InvariantCulture)] = $"{Cdn}/part/{oid}/{i}";
                    }

                    upload = new JsonObject { ["href"] = $"{Endpoint}/lfs/complete", ["header"] = header };
                }

                answer["actions"] = new JsonObject { ["upload"] = upload, ["verify"] = new JsonObject { ["href"] = $"{Endpoint}/lfs/verify" } };
            }

            objects.Add(answer);
        }

        return new JsonObject { ["transfer"] = ChunkSize > 0 ? "multipart" : "basic", ["objects"] = objects };
    }

    private void ServeCdn(HttpListenerContext context)
    {
        string path = Uri.UnescapeDataString(context.Request.Url!.AbsolutePath);
        Note("CDN ", context, path);
        int? trouble = Trouble(context, CdnTroubles, isFile: true);
        if (trouble is not (null or 0))
        {
            return;
        }

        if (context.Request.HttpMethod == "PUT")
        {
            if (trouble == 0)
            {
                context.Response.StatusCode = 502; // an aborted answer would still go out, as a success
                context.Response.Abort();
                return;
            }

            byte[] body = Body(context);
            if (path.StartsWith("/put/", StringComparison.Ordinal))
            {
                Stored[path["/put/".Length..]] = body;
            }
            else
            {
                Parts[path["/part/".Length..]] = body;
            }

            context.Response.Headers["ETag"] = "\"" + Sha(body)[..8] + "\"";
            context.Response.Close();
            return;
        }

        Send(context, Files[path["/signed/".Length..]], trouble == 0);
    }

    private void Send(HttpListenerContext context, byte[] body, bool isCut)
    {
        string? range = KnowsRanges ? context.Request.Headers["Range"] : null;
        (int from, int end) = (0, body.Length);
        if (range is not null)
        {
            string[] bounds = range["bytes=".Length..].Split('-');
            from = int.Parse(bounds[0]);
            end = bounds[1].Length > 0 ? int.Parse(bounds[1]) + 1 : body.Length;
            context.Response.Headers["Content-Range"] = $"bytes {from}-{end - 1}/{body.Length}";
        }

        context.Response.StatusCode = range is null ? 200 : 206;
        context.Response.Headers["ETag"] = "\"" + Git(body) + "\"";
        context.Response.ContentLength64 = end - from;
        if (context.Request.HttpMethod == "HEAD")
        {
            context.Response.Close();
            return;
        }

        if (isCut)
        {
            context.Response.OutputStream.Write(body, from, (end - from) / 2);
            context.Response.OutputStream.Flush();
            context.Response.Abort();
            return;
        }

        context.Response.OutputStream.Write(body, from, end - from);
        context.Response.Close();
    }

    private int? Trouble(HttpListenerContext context, ConcurrentQueue<int> troubles, bool isFile)
    {
        if (!troubles.TryPeek(out int trouble) || (trouble == 0 && !isFile) || !troubles.TryDequeue(out trouble))
        {
            return null;
        }

        if (trouble != 0)
        {
            foreach ((string name, string value) in TroubleHeaders)
            {
                context.Response.Headers[name] = value;
            }

            context.Response.StatusCode = trouble;
            context.Response.Close();
        }

        return trouble;
    }

    private Dictionary<string, byte[]> FilesOf(string revision) => revision is "main" or Commit
        ? Files
        : Branches[Branches.Keys.First(b => b == revision || Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(b))) == revision)];

    private JsonObject Listing(string revision)
    {
        JsonArray siblings = [];
        foreach ((string name, byte[] content) in FilesOf(revision))
        {
            JsonObject file = new() { ["rfilename"] = name, ["size"] = content.Length, ["blobId"] = WrongDigests.GetValueOrDefault(name, Git(content)) };
            if (Lfs.Contains(name))
            {
                file["lfs"] = new JsonObject { ["sha256"] = WrongDigests.GetValueOrDefault(name, Sha(content)), ["size"] = content.Length };
            }

            siblings.Add(file);
        }

        string sha = revision is "main" or Commit ? Commit : Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(revision)));
        return new JsonObject { ["sha"] = sha, ["siblings"] = siblings };
    }

    private void Note(string who, HttpListenerContext context, string path) => Requests.Enqueue(
        $"{who}{context.Request.HttpMethod} {path} {context.Request.Headers["Range"]} {context.Request.Headers["Authorization"]}");

    private static void Refuse(HttpListenerContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        context.Response.Headers["X-Error-Code"] = code;
        context.Response.Close();
    }

    private static void Answer(HttpListenerContext context, JsonNode body, bool keepStatus = false)
    {
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(body);
        context.Response.StatusCode = keepStatus ? context.Response.StatusCode : 200;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength64 = bytes.Length;
        context.Response.OutputStream.Write(bytes);
        context.Response.Close();
    }

    private static byte[] Body(HttpListenerContext context)
    {
        using MemoryStream body = new();
        context.Request.InputStream.CopyTo(body);
        return body.ToArray();
    }
}
