using System.Security.Cryptography;
using System.Text;
using TuneSharp.Hub;

namespace TuneSharp.Data;

/// <summary>A data file before it is here: its name, and how to get it.</summary>
/// <param name="Name">Path or address, for messages and for the format.</param>
/// <param name="FetchAsync">Gives the path on this machine.</param>
internal sealed record DataRef(string Name, Func<Task<string>> FetchAsync)
{
    public static DataRef Local(string path) => new(path, () => Task.FromResult(path));

    public static bool IsUrl(string text) =>
        text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("https://", StringComparison.OrdinalIgnoreCase);

    /// <summary>A file on the web; it is kept, and fetched again only when it changed there.</summary>
    public static DataRef Url(string url, HubSettings settings, string? cache)
    {
        Uri address = Uri.TryCreate(url, UriKind.Absolute, out Uri? parsed) ? parsed : throw new DatasetException($"{url} is not an address. Correct it.");
        string name = Uri.UnescapeDataString(address.Segments[^1].Trim('/'));
        name = name.Length == 0 || name.AsSpan().ContainsAny('/', '\\', ':') || name[0] == '.' ? "data" : name;
        string key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(url)))[..16];
        string folder = Path.Combine(cache ?? Path.Combine(HubSettings.Home, "tunesharp"), "urls", key);
        return new DataRef(Uri.UnescapeDataString(address.AbsolutePath), async () =>
        {
            using HubClient hub = new(settings);
            return await hub.FetchUrlAsync(address, Path.Combine(folder, name));
        });
    }

    /// <summary>Gets files, several at once, in the order given.</summary>
    public static IReadOnlyList<string> Fetch(IReadOnlyList<DataRef> files)
    {
        string[] paths = new string[files.Count];
        try
        {
            Parallel.ForEachAsync(
                Enumerable.Range(0, files.Count),
                new ParallelOptions { MaxDegreeOfParallelism = 4 }, // each in several ranges if it is large
                async (i, _) => paths[i] = await files[i].FetchAsync()).GetAwaiter().GetResult();
        }
        catch (HubException e)
        {
            throw new DatasetException(e.Message, e);
        }

        return paths;
    }
}
