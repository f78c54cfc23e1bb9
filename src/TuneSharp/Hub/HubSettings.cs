namespace TuneSharp.Hub;

/// <summary>Where the hub is, who asks, and where files are kept: what the environment says, as Hugging Face's own tools read it.</summary>
public sealed record HubSettings
{
    /// <summary>The hub's address, without a slash at its end.</summary>
    /// <value><c>HF_ENDPOINT</c>, or Hugging Face.</value>
    public string Endpoint { get; init; } = (Variable("HF_ENDPOINT") ?? "https://huggingface.co").TrimEnd('/');

    /// <summary>The access token, or null. It is sent to <see cref="Endpoint"/> alone.</summary>
    /// <value><c>HF_TOKEN</c>, else the file that <c>huggingface-cli login</c> wrote (<c>HF_TOKEN_PATH</c>, <c>HF_HOME/token</c>).</value>
    public string? Token { get; init; } = StoredToken();

    /// <summary>The folder with one folder per repository.</summary>
    /// <value><c>HF_HUB_CACHE</c>, else <c>HF_HOME/hub</c>, else <c>~/.cache/huggingface/hub</c>.</value>
    public string Cache { get; init; } = Variable("HF_HUB_CACHE") ?? Variable("HUGGINGFACE_HUB_CACHE") ?? Path.Combine(Home, "hub");

    /// <summary>No request is made; what is in the cache must do.</summary>
    /// <value><c>HF_HUB_OFFLINE</c>.</value>
    public bool IsOffline { get; init; } = IsOn("HF_HUB_OFFLINE") || IsOn("TRANSFORMERS_OFFLINE") || IsOn("HF_DATASETS_OFFLINE");

    /// <summary>The first pause before a request is tried again; each next one is twice as long, unless the server says how long.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a server may be silent in mid-file before the connection is given up (and tried again); an answer may take six times as long.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(20); // longer than a busy disk or a lost packet takes

    /// <summary>A file larger than this is fetched in ranges of this size, several at once.</summary>
    public long RangeBytes { get; init; } = 16 << 20; // 16 MiB: a request costs little beside it, and little is lost if one fails

    /// <summary>How many ranges or files are fetched at once.</summary>
    public int Connections { get; init; } = 8; // more gains nothing on the hub's CDN and troubles small links

    /// <summary>Hugging Face's folder of the user: <c>HF_HOME</c>, else <c>huggingface</c> in the user's cache.</summary>
    internal static string Home => Variable("HF_HOME") is { } home
        ? Expand(home)
        : Path.Combine(Variable("XDG_CACHE_HOME") ?? Path.Combine(UserProfile, ".cache"), "huggingface");

    /// <summary>Never shows the token.</summary>
    public override string ToString() => $"{Endpoint}{(Token is null ? "" : " with a token")}, cache {Cache}";

    private static string UserProfile => Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    private static string Expand(string path) => path.StartsWith("~/", StringComparison.Ordinal) ? UserProfile + path[1..] : path;

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static bool IsOn(string name) => Variable(name)?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";

    private static string? StoredToken()
    {
        if ((Variable("HF_TOKEN") ?? Variable("HUGGING_FACE_HUB_TOKEN"))?.Trim() is { Length: > 0 } given)
        {
            return given;
        }

        string file = Variable("HF_TOKEN_PATH") is { } path ? Expand(path) : Path.Combine(Home, "token");
        try
        {
            return File.Exists(file) && File.ReadAllText(file).Trim() is { Length: > 0 } token ? token : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // a token that may not be read is none; a repository that needs one says so
        }
    }
}
