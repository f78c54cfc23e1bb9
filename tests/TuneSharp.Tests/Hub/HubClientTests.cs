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
    }

    public void Dispose()
    {
        _hub.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_repository_arrives_whole()
    {
        await DownloadAll();
        foreach ((string name, byte[] bytes) in _hub.Files)
        {
            Assert.Equal(bytes, File.ReadAllBytes(Path.Combine(_folder.Path, name)));
        }

        Assert.Empty(Directory.EnumerateFiles(_folder.Path, "*.incomplete", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task What_is_there_already_is_not_fetched_again()
    {
        await DownloadAll();
        int before = _hub.Requests.Count(r => r.Contains("/resolve/"));
        await DownloadAll();
        Assert.Equal(before, _hub.Requests.Count(r => r.Contains("/resolve/")));
    }

    [Fact]
    public async Task A_cut_connection_goes_on_where_it_ended()
    {
        _hub.Files.Remove("config.json");
        _hub.Troubles.Enqueue(0);
        await DownloadAll();
        Assert.Equal(_hub.Files.Single().Value, File.ReadAllBytes(Path.Combine(_folder.Path, _hub.Files.Single().Key)));
        Assert.Contains(_hub.Requests, r => r.Contains("bytes="));
    }

    [Fact]
    public async Task A_busy_hub_is_asked_again()
    {
        _hub.Troubles.Enqueue(503);
        _hub.Troubles.Enqueue(429);
        await DownloadAll();
        Assert.True(File.Exists(Path.Combine(_folder.Path, "config.json")));
    }

    [Theory]
    [InlineData(401, "HF_TOKEN")]
    [InlineData(403, "gated")]
    [InlineData(404, "not found")]
    public async Task A_refusal_is_told_at_once(int status, string word)
    {
        _hub.Troubles.Enqueue(status);
        HubException e = await Assert.ThrowsAsync<HubException>(DownloadAll);
        Assert.True(e.IsRefusal);
        Assert.Contains(word, e.Message);
        Assert.Single(_hub.Requests);
    }

    [Fact]
    public async Task A_damaged_file_is_thrown_away()
    {
        _hub.WrongDigests["config.json"] = new string('0', 64);
        HubException e = await Assert.ThrowsAsync<HubException>(DownloadAll);
        Assert.Contains("SHA-256", e.Message);
        Assert.False(File.Exists(Path.Combine(_folder.Path, "config.json")));
    }

    [Theory]
    [InlineData("../evil")]
    [InlineData("a/../../evil")]
    [InlineData("/etc/evil")]
    [InlineData("a\\..\\evil")]
    public async Task A_name_cannot_leave_the_folder(string name)
    {
        using HubClient client = Client();
        HubRepository repository = new("o/n", "c0ffee", []);
        await Assert.ThrowsAsync<HubException>(() => client.DownloadAsync(repository, new HubFile(name, 1, null), _folder.Path, null, Stop));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task The_token_is_sent_and_never_told()
    {
        _hub.Troubles.Enqueue(403);
        using HubClient client = new(_hub.Endpoint, "hf_secret", TimeSpan.Zero);
        HubException e = await Assert.ThrowsAsync<HubException>(() => client.ListAsync("o/n", "main", Stop));
        Assert.Contains(_hub.Requests, r => r.EndsWith("Bearer hf_secret", StringComparison.Ordinal));
        Assert.DoesNotContain("hf_secret", e.ToString());
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private HubClient Client() => new(_hub.Endpoint, "", TimeSpan.FromMilliseconds(1));

    private async Task DownloadAll()
    {
        using HubClient client = Client();
        HubRepository repository = await client.ListAsync("o/n", "main", Stop);
        foreach (HubFile file in repository.Files)
        {
            await client.DownloadAsync(repository, file, _folder.Path, null, Stop);
        }
    }
}
