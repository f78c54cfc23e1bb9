using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace TuneSharp.Tests.Hub;

/// <summary>A server on this machine that speaks the hub's protocol: listing, files, ranges, and what can go wrong.</summary>
internal sealed class FakeHub : IDisposable
{
    private readonly HttpListener _listener = new();

    internal FakeHub()
    {
        using (TcpListener probe = new(IPAddress.Loopback, 0))
        {
            probe.Start();
            Endpoint = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
        }

        _listener.Prefixes.Add(Endpoint + "/");
        _listener.Start();
        _ = Task.Run(ServeAsync);
    }

    internal string Endpoint { get; }

    internal Dictionary<string, byte[]> Files { get; } = [];

    internal Dictionary<string, string> WrongDigests { get; } = [];

    /// <summary>Answers to give before the real ones: a status, or 0 to cut the connection in mid-file.</summary>
    internal ConcurrentQueue<int> Troubles { get; } = new();

    internal ConcurrentQueue<string> Requests { get; } = new();

    public void Dispose() => _listener.Close();

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            try
            {
                HttpListenerContext context = await _listener.GetContextAsync();
                Serve(context);
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                // Closed by the test, or by the client in mid-answer.
            }
        }
    }

    private void Serve(HttpListenerContext context)
    {
        string path = Uri.UnescapeDataString(context.Request.Url!.AbsolutePath);
        string? range = context.Request.Headers["Range"];
        Requests.Enqueue($"{path} {range} {context.Request.Headers["Authorization"]}");
        bool isFile = path.Contains("/resolve/", StringComparison.Ordinal);
        if (Troubles.TryPeek(out int trouble) && (trouble != 0 || isFile))
        {
            Troubles.TryDequeue(out _);
            if (trouble != 0)
            {
                context.Response.StatusCode = trouble;
                context.Response.Close();
                return;
            }
        }
        else
        {
            trouble = -1;
        }

        byte[] body = isFile ? Files[path.Split('/', 6)[^1]] : Listing();
        int from = range is null ? 0 : int.Parse(range["bytes=".Length..].TrimEnd('-'));
        context.Response.StatusCode = from > 0 ? 206 : 200;
        context.Response.ContentLength64 = body.Length - from;
        if (trouble == 0)
        {
            context.Response.OutputStream.Write(body, from, (body.Length - from) / 2);
            context.Response.OutputStream.Flush();
            context.Response.Abort();
            return;
        }

        context.Response.OutputStream.Write(body, from, body.Length - from);
        context.Response.Close();
    }

    private byte[] Listing() => Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new
    {
        sha = "c0ffee",
        siblings = Files.Select(f => new
        {
            rfilename = f.Key,
            size = f.Value.Length,
            lfs = new { sha256 = WrongDigests.GetValueOrDefault(f.Key, Convert.ToHexString(SHA256.HashData(f.Value))) },
        }),
    }));
}
