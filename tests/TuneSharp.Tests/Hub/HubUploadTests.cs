using System.Text;
using TuneSharp.Hub;
using TuneSharp.Tests.Checkpointing;

namespace TuneSharp.Tests.Hub;

public sealed class HubUploadTests : IDisposable
{
    private readonly FakeHub _hub = new();
    private readonly TemporaryFolder _folder = new();
    private readonly byte[] _weights = [.. Enumerable.Range(0, 50_000).Select(i => (byte)(i * 7))];

    public HubUploadTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder.Path, "m/sub"));
        File.WriteAllText(Path.Combine(_folder.Path, "m/config.json"), "{\"é\": 1}");
        File.WriteAllText(Path.Combine(_folder.Path, "m/sub/notes.txt"), "");
        File.WriteAllText(Path.Combine(_folder.Path, "m/.hidden"), "no");
        File.WriteAllText(Path.Combine(_folder.Path, "m/x.pyc"), "ignored by the hub");
        File.WriteAllBytes(Path.Combine(_folder.Path, "m/model.safetensors"), _weights);
    }

    public void Dispose()
    {
        _hub.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7_000)]
    public async Task A_folder_arrives_in_one_commit(int chunk)
    {
        _hub.ChunkSize = chunk;
        HubUploadResult result = await Upload(new HubUploadRequest("me/x", Folder) { IsPrivate = true, Message = "First" });
        Assert.Equal(("f00d", 3, 0), (result.Commit, result.Uploaded, result.Present));
        Assert.Equal(["config.json", "model.safetensors", "sub/notes.txt"], _hub.Files.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(_weights, _hub.Files["model.safetensors"]);
        Assert.Equal("{\"é\": 1}", Encoding.UTF8.GetString(_hub.Files["config.json"]));
        Assert.True((bool)_hub.Created!["private"]!);
        Assert.Equal("First", (string)_hub.Committed[0]["value"]!["summary"]!);
        Assert.Contains(_hub.Requests, r => r.Contains("/lfs/verify"));
        Assert.DoesNotContain(_hub.Requests, r => r.StartsWith("CDN", StringComparison.Ordinal) && r.Contains("hf_write"));

        // Again: nothing has changed, so nothing goes.
        HubUploadResult again = await Upload(new HubUploadRequest("me/x", Folder));
        Assert.Equal((null, 0, 3), (again.Commit, again.Uploaded, again.Present));
    }

    [Fact]
    public async Task A_bare_name_is_put_under_the_account()
    {
        HubUploadResult result = await Upload(new HubUploadRequest("x", Folder));
        Assert.Equal("me/x", result.Name);
        Assert.Contains(_hub.Requests, r => r.Contains("/api/models/me/x/commit/main"));
    }

    [Fact]
    public async Task A_content_that_the_hub_has_is_not_sent()
    {
        _hub.Stored[FakeHub.Sha(_weights)] = _weights;
        HubUploadResult result = await Upload(new HubUploadRequest("me/x", Folder));
        Assert.Equal((2, 1), (result.Uploaded, result.Present));
        Assert.DoesNotContain(_hub.Requests, r => r.StartsWith("CDN PUT", StringComparison.Ordinal));
        Assert.Equal(_weights, _hub.Files["model.safetensors"]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7_000)]
    public async Task Troubles_are_waited_out(int chunk)
    {
        _hub.ChunkSize = chunk;
        foreach (int trouble in new[] { 503, 429, 500 })
        {
            _hub.Troubles.Enqueue(trouble);
        }

        foreach (int trouble in new[] { 0, 503, 0 })
        {
            _hub.CdnTroubles.Enqueue(trouble);
        }

        await Upload(new HubUploadRequest("me/x", Folder));
        Assert.Equal(_weights, _hub.Files["model.safetensors"]);
    }

    [Fact]
    public async Task A_branch_is_made_first()
    {
        await Upload(new HubUploadRequest("me/x", Folder) { Revision = "try/1" });
        Assert.Contains(_hub.Requests, r => r.Contains("/api/models/me/x/branch/try/1"));
        Assert.Contains(_hub.Requests, r => r.Contains("/api/models/me/x/commit/try/1"));
    }

    [Fact]
    public async Task A_data_set_has_addresses_of_its_own()
    {
        await Upload(new HubUploadRequest("me/x", Folder) { Type = HubRepositoryType.Dataset });
        Assert.Contains(_hub.Requests, r => r.Contains("/datasets/me/x.git/info/lfs/objects/batch"));
        Assert.Equal("dataset", (string)_hub.Created!["type"]!);
    }

    [Theory]
    [InlineData(401, "not valid")]
    [InlineData(403, "write access")]
    public async Task A_refusal_says_what_to_do(int status, string words)
    {
        _hub.Troubles.Enqueue(status);
        HubException e = await Assert.ThrowsAsync<HubException>(() => Upload(new HubUploadRequest("me/x", Folder)));
        Assert.Contains(words, e.Message);
        Assert.DoesNotContain("hf_write", e.ToString());
        Assert.Single(_hub.Requests);
    }

    [Fact]
    public async Task Without_a_token_nothing_is_asked()
    {
        using HubClient client = new(Settings() with { Token = null });
        HubException e = await Assert.ThrowsAsync<HubException>(() => new HubUpload(client).RunAsync(new HubUploadRequest("me/x", Folder), null, TestContext.Current.CancellationToken));
        Assert.Contains("HF_TOKEN", e.Message);
        Assert.Empty(_hub.Requests);
    }

    private string Folder => Path.Combine(_folder.Path, "m");

    private HubSettings Settings() => new()
    {
        Endpoint = _hub.Endpoint,
        Token = "hf_write",
        IsOffline = false,
        Cache = Path.Combine(_folder.Path, "cache"),
        Pause = TimeSpan.FromMilliseconds(1),
    };

    private async Task<HubUploadResult> Upload(HubUploadRequest request)
    {
        using HubClient client = new(Settings());
        return await new HubUpload(client).RunAsync(request, null, TestContext.Current.CancellationToken);
    }
}
