using System.Text;
using TuneSharp.Hub;
using TuneSharp.Tests.Checkpointing;

namespace TuneSharp.Tests.Hub;

public sealed class HubClientTests : IDisposable
{
    private readonly FakeHub _hub = new();
    private readonly TemporaryFolder _folder = new();

    public HubClientTests()
    {
        _hub.Files["config.json"] = Encoding.UTF8.GetBytes("{}");
        _hub.Files["original/tokenizer.model"] = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 31))];
        _hub.Lfs.Add("original/tokenizer.model");
    }

    public void Dispose()
    {
        _hub.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(1 << 24)]
    [InlineData(10_000)]
    public async Task A_repository_arrives_whole(int rangeBytes)
    {
        await DownloadAll(Settings() with { RangeBytes = rangeBytes });
        AssertWhole(Target);
        Assert.Empty(Directory.EnumerateFiles(Target, "*.incomplete*", SearchOption.AllDirectories));
        Assert.Equal(rangeBytes == 10_000 ? 30 : 1, _hub.Requests.Count(r => r.StartsWith("CDN GET", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_large_file_comes_in_ranges_without_asking_the_hub_for_each()
    {
        await DownloadAll(Settings() with { RangeBytes = 10_000, Connections = 2 });
        Assert.InRange(_hub.Requests.Count(r => r.Contains("GET /o/n/resolve") && r.Contains("tokenizer.model")), 1, 2);
    }

    [Fact]
    public async Task What_is_there_already_is_not_fetched_again()
    {
        await DownloadAll();
        int before = _hub.Requests.Count(r => r.Contains("/resolve/"));
        await DownloadAll();
        Assert.Equal(before, _hub.Requests.Count(r => r.Contains("/resolve/")));
        File.WriteAllText(Path.Combine(Target, "config.json"), "[]"); // as long, but other
        await DownloadAll();
        AssertWhole(Target);
    }

    [Theory]
    [InlineData(1 << 24)]
    [InlineData(100_000)]
    public async Task A_cut_connection_goes_on_where_it_ended(int rangeBytes)
    {
        _hub.Files.Remove("config.json");
        _hub.CdnTroubles.Enqueue(0);
        await DownloadAll(Settings() with { RangeBytes = rangeBytes });
        AssertWhole(Target);
        string[] ranges = [.. _hub.Requests.Where(r => r.StartsWith("CDN GET", StringComparison.Ordinal)).Select(r => r.Split("bytes=").Skip(1).FirstOrDefault()?.Trim().Split('-')[0] ?? "0")];
        Assert.Contains(ranges, r => int.Parse(r) % 100_000 != 0 || (rangeBytes > 100_000 && int.Parse(r) > 0));
    }

    [Theory]
    [InlineData(1 << 24)]
    [InlineData(60_000)]
    public async Task A_later_process_goes_on_where_an_earlier_one_ended(int rangeBytes)
    {
        _hub.Files.Remove("config.json");
        HubSettings settings = Settings() with { RangeBytes = rangeBytes, Connections = 1 };
        _hub.CdnTroubles.Enqueue(0);
        for (int i = 0; i < 30; i++)
        {
            _hub.CdnTroubles.Enqueue(503);
        }

        await Assert.ThrowsAsync<HubException>(() => DownloadAll(settings));
        Assert.True(File.Exists(Path.Combine(Target, "original/tokenizer.model.incomplete")));
        _hub.CdnTroubles.Clear();
        _hub.Requests.Clear();
        await DownloadAll(settings);
        AssertWhole(Target);
        Assert.Contains(_hub.Requests, r => r.StartsWith("CDN GET", StringComparison.Ordinal) && r.Contains($"bytes={Math.Min(rangeBytes, 300_000) / 2}-"));
    }

    [Fact]
    public async Task A_server_without_ranges_sends_all()
    {
        _hub.KnowsRanges = false;
        _hub.CdnTroubles.Enqueue(0);
        await DownloadAll(Settings() with { RangeBytes = 50_000 });
        AssertWhole(Target);
    }

    [Theory]
    [InlineData(503)]
    [InlineData(429)]
    [InlineData(500)]
    public async Task A_busy_hub_is_asked_again(int status)
    {
        _hub.Troubles.Enqueue(status);
        _hub.Troubles.Enqueue(status);
        _hub.CdnTroubles.Enqueue(status);
        await DownloadAll();
        AssertWhole(Target);
    }

    [Fact]
    public async Task The_hub_says_how_long_to_wait()
    {
        _hub.TroubleHeaders["Retry-After"] = "1";
        _hub.Troubles.Enqueue(429);
        long start = Environment.TickCount64;
        await DownloadAll();
        Assert.InRange(Environment.TickCount64 - start, 950, 60_000);
    }

    [Theory]
    [InlineData(401, "", "HF_TOKEN")]
    [InlineData(401, "RepoNotFound", "does not exist")]
    [InlineData(403, "", "gated")]
    [InlineData(403, "GatedRepo", "Accept its terms on")]
    [InlineData(404, "", "not found")]
    [InlineData(404, "RevisionNotFound", "revision main was not found")]
    public async Task A_refusal_is_told_at_once(int status, string code, string word)
    {
        _hub.TroubleHeaders["X-Error-Code"] = code;
        _hub.Troubles.Enqueue(status);
        HubException e = await Assert.ThrowsAsync<HubException>(() => DownloadAll());
        Assert.True(e.IsRefusal);
        Assert.Contains(word, e.Message);
        Assert.Single(_hub.Requests);
    }

    [Theory]
    [InlineData("config.json", "SHA-1")]
    [InlineData("original/tokenizer.model", "SHA-256")]
    public async Task A_damaged_file_is_thrown_away(string name, string kind)
    {
        _hub.WrongDigests[name] = new string('0', kind == "SHA-1" ? 40 : 64);
        HubException e = await Assert.ThrowsAsync<HubException>(() => DownloadAll());
        Assert.Contains(kind, e.Message);
        Assert.False(File.Exists(Path.Combine(Target, name)));
        Assert.False(File.Exists(Path.Combine(Target, name + ".incomplete")));
    }

    [Theory]
    [InlineData("../evil")]
    [InlineData("a/../../evil")]
    [InlineData("/etc/evil")]
    [InlineData("a\\..\\evil")]
    [InlineData("C:/evil")]
    [InlineData("a//evil")]
    [InlineData("a/./evil")]
    [InlineData("evil\0.txt")]
    [InlineData("..")]
    [InlineData("")]
    public async Task A_name_cannot_leave_the_folder(string name)
    {
        using HubClient client = new(Settings());
        HubRepository repository = new("o/n", FakeHub.Commit, []);
        await Assert.ThrowsAsync<HubException>(() => client.DownloadAsync(repository, new HubFile(name, 1, null), Target, null, Stop));
        await Assert.ThrowsAsync<HubException>(() => client.CacheAsync(repository, new HubFile(name, 1, null), null, Stop));
        await Assert.ThrowsAsync<HubException>(() => client.CacheAsync(repository, new HubFile("fine", 1, null, "../" + name), null, Stop));
        await Assert.ThrowsAsync<HubException>(() => client.CacheAsync(repository with { Commit = "../" + name }, new HubFile("fine", 1, null, "abc"), null, Stop));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_alone_and_is_never_told()
    {
        await DownloadAll(Settings() with { Token = "hf_secret" });
        Assert.All(_hub.Requests, r => Assert.Equal(!r.StartsWith("CDN", StringComparison.Ordinal), r.EndsWith("Bearer hf_secret", StringComparison.Ordinal)));
        Assert.Contains(_hub.Requests, r => r.StartsWith("CDN", StringComparison.Ordinal));
        _hub.Troubles.Enqueue(403);
        using HubClient client = new(Settings() with { Token = "hf_secret" });
        HubException e = await Assert.ThrowsAsync<HubException>(() => client.ListAsync("o/n", stop: Stop));
        Assert.DoesNotContain("hf_secret", e.ToString());
        Assert.DoesNotContain("hf_secret", client.Settings.ToString());
    }

    [Fact]
    public async Task The_cache_is_laid_out_as_python_does()
    {
        string snapshot = await CacheAll();
        AssertWhole(snapshot);
        string folder = Path.Combine(Settings().Cache, "models--o--n");
        Assert.Equal(FakeHub.Commit, File.ReadAllText(Path.Combine(folder, "refs/main")));
        Assert.Equal(Path.Combine(folder, "snapshots", FakeHub.Commit), snapshot);
        Assert.Equal(
            new[] { FakeHub.Git(_hub.Files["config.json"]), FakeHub.Sha(_hub.Files["original/tokenizer.model"]) }.Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(Path.Combine(folder, "blobs")).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal));
        Assert.Equal($"../../../blobs/{FakeHub.Sha(_hub.Files["original/tokenizer.model"])}", new FileInfo(Path.Combine(snapshot, "original/tokenizer.model")).LinkTarget);
        Assert.Equal(snapshot, HubCache.Find(Settings(), "o/n"));
        Assert.Null(HubCache.Find(Settings(), "o/n", "../../main"));
        Assert.Null(HubCache.Find(Settings(), "o/other"));
        _hub.Requests.Clear();
        await CacheAll();
        Assert.DoesNotContain(_hub.Requests, r => r.Contains("/resolve/"));
        await DownloadAll(); // into a folder: from the cache
        Assert.DoesNotContain(_hub.Requests, r => r.Contains("/resolve/"));
        AssertWhole(Target);
    }

    [Fact]
    public async Task Offline_nobody_is_asked()
    {
        HubException e = await Assert.ThrowsAsync<HubException>(() => DownloadAll(Settings() with { IsOffline = true }));
        Assert.Contains("HF_HUB_OFFLINE", e.Message);
        Assert.Empty(_hub.Requests);
    }

    [Fact]
    public async Task A_file_of_the_web_is_kept_until_it_changes()
    {
        using HubClient client = new(Settings() with { Token = "hf_secret" });
        Uri url = new($"{_hub.Cdn}/signed/config.json?key=1");
        string path = await client.FetchUrlAsync(url, Path.Combine(_folder.Path, "web/config.json"), Stop);
        await client.FetchUrlAsync(url, path, Stop);
        Assert.Single(_hub.Requests, r => r.StartsWith("CDN GET", StringComparison.Ordinal));
        Assert.DoesNotContain(_hub.Requests, r => r.Contains("hf_secret"));
        _hub.Files["config.json"] = "[1]"u8.ToArray();
        await client.FetchUrlAsync(url, path, Stop);
        Assert.Equal("[1]", File.ReadAllText(path));
    }

    [Theory]
    [InlineData("o/n/m")]
    [InlineData("../n")]
    [InlineData("o/n?x=1")]
    [InlineData("")]
    [InlineData("o--n/m")]
    public async Task A_bad_name_is_refused_before_anything_is_asked(string name)
    {
        using HubClient client = new(Settings());
        await Assert.ThrowsAsync<HubException>(() => client.ListAsync(name, stop: Stop));
        Assert.Empty(_hub.Requests);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Target => Path.Combine(_folder.Path, "target");

    private HubSettings Settings() => new()
    {
        Endpoint = _hub.Endpoint,
        Token = null,
        IsOffline = false,
        Cache = Path.Combine(_folder.Path, "cache"),
        Pause = TimeSpan.FromMilliseconds(1),
    };

    private void AssertWhole(string folder)
    {
        foreach ((string name, byte[] bytes) in _hub.Files)
        {
            Assert.Equal(bytes, File.ReadAllBytes(Path.Combine(folder, name)));
        }
    }

    private async Task DownloadAll(HubSettings? settings = null)
    {
        using HubClient client = new(settings ?? Settings());
        HubRepository repository = await client.ListAsync("o/n", stop: Stop);
        foreach (HubFile file in repository.Files)
        {
            await client.DownloadAsync(repository, file, Target, null, Stop);
        }
    }

    private async Task<string> CacheAll()
    {
        using HubClient client = new(Settings());
        HubRepository repository = await client.ListAsync("o/n", stop: Stop);
        string path = "";
        foreach (HubFile file in repository.Files)
        {
            string cached = await client.CacheAsync(repository, file, null, Stop);
            path = file.Path == "config.json" ? Path.GetDirectoryName(cached)! : path;
        }

        return path;
    }
}
