using System.Text.RegularExpressions;

namespace TuneSharp.Hub;

/// <summary>Which kind of repository.</summary>
public enum HubRepositoryType
{
    /// <summary>A model.</summary>
    Model,

    /// <summary>A data set.</summary>
    Dataset,
}

/// <summary>Names that come from a server or a user, before they become paths or addresses.</summary>
internal static partial class HubNames
{
    /// <summary>The word of a type in the API's addresses and the cache's folders: <c>models</c>, <c>datasets</c>.</summary>
    public static string Plural(HubRepositoryType type) => type == HubRepositoryType.Dataset ? "datasets" : "models";

    /// <summary>What goes before a repository's name in addresses of files.</summary>
    public static string Prefix(HubRepositoryType type) => type == HubRepositoryType.Dataset ? "datasets/" : "";

    /// <summary>Whether a text has the form <c>owner/name</c> (or <c>name</c>) that the hub allows.</summary>
    public static bool IsRepository(string name) => Repository().IsMatch(name) && !name.Contains("--", StringComparison.Ordinal) && !name.Contains("..", StringComparison.Ordinal);

    /// <exception cref="HubException">It is no repository's name.</exception>
    public static void CheckRepository(string name)
    {
        if (!IsRepository(name))
        {
            throw new HubException($"'{name}' is not the name of a repository. It looks like owner/name, with letters, digits, '-', '_' and '.'.", isRefusal: true);
        }
    }

    /// <summary>A commit or digest from the server becomes the name of a folder or file, so it must be one.</summary>
    public static string CheckId(string id, string what) => Id().IsMatch(id)
        ? id
        : throw new HubException($"The hub gives {what} the id '{(id.Length > 80 ? id[..80] : id)}', which is none. Nothing was written.", isRefusal: true);

    /// <summary>The path of a server's file in a folder of ours. It must not lead out of the folder.</summary>
    public static string Inside(string folder, string path)
    {
        string root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        bool isSafe = path.Length > 0 && !path.Any(c => c is '\\' or ':' || char.IsControl(c))
            && path.Split('/').All(p => p is not ("" or "." or "..") && p[^1] is not ('.' or ' '));
        string target = isSafe ? Path.GetFullPath(Path.Combine(root, path)) : "";
        return isSafe && target.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? target
            : throw new HubException($"The hub names a file '{Shown(path)}', which would lie outside {folder} or has no safe name. Nothing was written.", isRefusal: true);
    }

    /// <summary>A path with each part escaped, for an address.</summary>
    public static string Escape(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    private static string Shown(string path) => new([.. path.Take(200).Select(c => char.IsControl(c) ? '?' : c)]);

    [GeneratedRegex(@"^([A-Za-z0-9][A-Za-z0-9_.-]{0,95}/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Repository();

    [GeneratedRegex(@"^[0-9A-Za-z]{1,64}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Id();
}
