using System.Globalization;
using System.Net.Http.Headers;

namespace TuneSharp.Hub;

/// <summary>Requests to the hub: the token only to the hub itself, redirects followed by hand, troubles waited out.</summary>
internal sealed class HubHttp : IDisposable
{
    private const int MaxTries = 6;       // with pauses of 1, 2, 4, 8 and 16 s: survives a dropped connection, gives up on an outage
    private const int DiskFullOnUnix = 28;
    private const int DiskFullOnWindows = unchecked((int)0x80070070);
    private const int MaxRedirects = 8;
    private const int AnswerPatience = 6; // a commit of many files takes the hub a minute
    private const double SlowestUpload = 20_000; // bytes a second; slower ones are given up
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5); // what a server may ask us to wait
    private readonly HttpClient _http;
    private readonly TimeProvider _time;

    public HubHttp(HubSettings settings, TimeProvider? time = null)
    {
        Settings = settings;
        _time = time ?? TimeProvider.System;
        Origin = Uri.TryCreate(settings.Endpoint, UriKind.Absolute, out Uri? origin) && origin.Scheme is "http" or "https"
            ? origin
            : throw new HubException($"HF_ENDPOINT is '{settings.Endpoint}'. It must be an address such as https://huggingface.co.", isRefusal: true);
        if (settings.Token is { } token && token.Any(c => c is < '!' or > '~'))
        {
            throw new HubException("The access token holds characters that no token has (blanks, line breaks, quotes …). Copy it anew from the hub's settings.", isRefusal: true);
        }

        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        })
        { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("tunesharp", "0.1"));
    }

    public HubSettings Settings { get; }

    public Uri Origin { get; }

    public void Dispose() => _http.Dispose();

    /// <summary>Makes a request, following redirects.</summary>
    /// <param name="make">Makes the request for an address. Called again for each redirect.</param>
    /// <param name="url">Where to.</param>
    /// <param name="stop">Gives up.</param>
    /// <param name="bodyBytes">How much is sent along: the answer may take so much longer.</param>
    /// <returns>The answer, whatever its status, and the address that gave it.</returns>
    public async Task<(HttpResponseMessage Response, Uri Url)> SendAsync(
        Func<Uri, HttpRequestMessage> make, Uri url, CancellationToken stop, long bodyBytes = 0)
    {
        if (Settings.IsOffline)
        {
            throw new HubException($"HF_HUB_OFFLINE is set, so {url.Host} is not asked. Unset it, or have the files in the cache first.", isRefusal: true);
        }

        for (int i = 0; i <= MaxRedirects; i++)
        {
            using HttpRequestMessage request = make(url);
            if (Settings.Token is { } token && IsHub(url))
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            }

            HttpResponseMessage response = await Timed(
                cancel => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel),
                (Settings.Silence * AnswerPatience) + TimeSpan.FromSeconds(bodyBytes / SlowestUpload),
                stop);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
            {
                return (response, url);
            }

            response.Dispose();
            Uri next = new(url, location);
            url = next.Scheme is "http" or "https" && !(url.Scheme == "https" && next.Scheme == "http")
                ? next
                : throw new HubException($"{url.Host} redirects to {next.Scheme}://{next.Host}, which is not safe. Nothing was fetched from there.", isRefusal: true);
        }

        throw new HubException($"{url.Host} redirects in a circle. Try again later.", isRefusal: false);
    }

    /// <summary>Whether an address is the hub's own: only then the token goes along.</summary>
    public bool IsHub(Uri url) => url.Scheme == Origin.Scheme && url.Host == Origin.Host && url.Port == Origin.Port;

    /// <summary>Tries until it succeeds, is refused, or has failed too often; whenever <c>advanced</c> has grown, the count starts anew.</summary>
    public async Task<T> RetryAsync<T>(string name, Func<Task<T>> request, CancellationToken stop, Func<long>? advanced = null)
    {
        long reached = advanced?.Invoke() ?? 0;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await request();
            }
            catch (Exception e) when (e is IOException { HResult: not (DiskFullOnUnix or DiskFullOnWindows) } or HttpRequestException or HubException { IsRefusal: false })
            {
                if (advanced?.Invoke() is { } now && now > reached)
                {
                    (reached, attempt) = (now, 1);
                }

                if (attempt >= MaxTries)
                {
                    throw e as HubException ?? new HubException(
                        $"{name}: {Origin.Host} could not be read: {e.Message.TrimEnd('.')}. Check the connection (and HF_ENDPOINT); what came in is kept, run the command again.",
                        isRefusal: false, e);
                }

                TimeSpan pause = (e as HubException)?.RetryAfter ?? Settings.Pause * Math.Pow(2, attempt - 1);
                await Task.Delay(pause < LongestPause ? pause : LongestPause, _time, stop);
            }
        }
    }

    /// <summary>Turns an answer that is no success into an exception that says what to do.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="name">The repository.</param>
    /// <param name="what">The file or revision that was asked for.</param>
    /// <param name="writes">True when something was to be changed there.</param>
    /// <param name="stop">Gives up.</param>
    public async Task CheckAsync(HttpResponseMessage response, string name, string what, bool writes, CancellationToken stop)
    {
        if (response.IsSuccessStatusCode)
        {
            return;
        }

        bool hasToken = Settings.Token is not null;
        string code = Header(response, "X-Error-Code");
        string said = Clean(Header(response, "X-Error-Message"));
        string more = said.Length > 0 ? $" The hub says: {said}" : "";
        string token = hasToken ? "the token given has no right to it" : "no token is given: pass --hf-token or set HF_TOKEN";
        string page = $"{Settings.Endpoint}/{name}";
        int status = (int)response.StatusCode;
        string body = await Body(response, said, stop);
        string? text = (status, code) switch
        {
            (401 or 403, "GatedRepo") => $"{name}: is gated, and {token}. Accept its terms on {page} with the account of the token.{more}",
            (404, "RevisionNotFound") => $"{name}: revision {what} was not found on {Settings.Endpoint}. Check --revision.",
            (404, "EntryNotFound") => $"{name}: {what} was not found in it. Check the name and --revision.",
            (401 or 404, "RepoNotFound") => $"{name}: does not exist on {Settings.Endpoint} or is private, and {token}. Check the name, owner and --repo-type.",
            (401, _) when writes => $"{name}: the hub asks who you are, and {(hasToken ? "the token given is not valid" : "no token is given: set HF_TOKEN to one with write access")}.",
            (403, _) when writes => $"{name}: you may not write to it with this token. Use a token with write access, and a name under your own account.{more}",
            (401, _) => $"{name}: does not exist or is private, and {token}.",
            (403, _) => $"{name}: is gated, and {token}. Accept its terms on {page} with the account of the token.{more}",
            (404, _) => $"{name}: {what} was not found on {Settings.Endpoint}. Check the name, --repo-type and --revision.",
            (412, _) => $"{name}: somebody changed {what} at the same time. Run the command again.",
            (>= 400 and < 500 and not (408 or 425 or 429 or 409), _) => string.Create(
                CultureInfo.InvariantCulture, $"{name}: {Origin.Host} refused {what} ({status} {response.ReasonPhrase}).{more}{body}"),
            _ => null,
        };
        throw text is not null
            ? new HubException(text, isRefusal: true)
            : new HubException(
                string.Create(CultureInfo.InvariantCulture, $"{name}: {response.RequestMessage?.RequestUri?.Host ?? Origin.Host} answered {status} {response.ReasonPhrase} for {what}. Try again later."),
                isRefusal: false)
            { RetryAfter = RetryAfter(response) };
    }

    /// <summary>Runs a step of a transfer; silence of the other side counts as a broken connection.</summary>
    public static async Task<T> Timed<T>(Func<CancellationToken, Task<T>> step, TimeSpan silence, CancellationToken stop)
    {
        using CancellationTokenSource cancel = CancellationTokenSource.CreateLinkedTokenSource(stop);
        cancel.CancelAfter(silence);
        try
        {
            return await step(cancel.Token);
        }
        catch (OperationCanceledException e) when (!stop.IsCancellationRequested)
        {
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"no answer for {silence.TotalSeconds:0} seconds"), e);
        }
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - _time.GetUtcNow() is { Ticks: > 0 } left ? left : TimeSpan.Zero,
        _ => null,
    };

    private static async Task<string> Body(HttpResponseMessage response, string said, CancellationToken stop)
    {
        if (said.Length > 0)
        {
            return "";
        }

        string body = Clean(await response.Content.ReadAsStringAsync(stop));
        return body.Length == 0 || body.StartsWith('<') ? "" : $" It says: {body}";
    }

    /// <summary>What a server says is shown on one line, not too long, and without control characters that a terminal would obey.</summary>
    private static string Clean(string text)
    {
        string line = new([.. text.Take(300).Select(c => char.IsControl(c) ? ' ' : c)]);
        return line.Trim();
    }

    private static string Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.First() : "";
}
