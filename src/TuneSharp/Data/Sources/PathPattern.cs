using System.Text;
using System.Text.RegularExpressions;

namespace TuneSharp.Data;

/// <summary>File patterns with <c>*</c>, <c>?</c>, <c>[a-z]</c>, <c>[!a]</c> and <c>**</c> (any depth of folders).</summary>
internal static class PathPattern
{
    public static bool IsPattern(string path) => path.AsSpan().ContainsAny('*', '?', '[');

    /// <summary>Whether a path with slashes is one that the pattern means.</summary>
    public static bool Matches(string pattern, string path) =>
        Regex.IsMatch(path, ToRegex(pattern), RegexOptions.CultureInvariant | RegexOptions.Singleline, TimeSpan.FromSeconds(5));

    public static IEnumerable<string> Expand(string pattern)
    {
        string[] parts = pattern.Replace('\\', '/').Split('/');
        int first = Array.FindIndex(parts, IsPattern);
        string folder = first == 0 ? "." : string.Join('/', parts[..first]) + "/";
        if (!Directory.Exists(folder))
        {
            throw new DatasetException($"{pattern}: there is no folder {folder}. Correct the path.");
        }

        string rest = string.Join('/', parts[first..]);
        bool isDeep = rest.Contains('/', StringComparison.Ordinal) || rest.Contains("**", StringComparison.Ordinal);
        return Directory.EnumerateFiles(folder, "*", isDeep ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly)
            .Where(f => Matches(rest, Path.GetRelativePath(folder, f).Replace('\\', '/')));
    }

    private static string ToRegex(string pattern)
    {
        StringBuilder regex = new("^");
        for (int i = 0; i < pattern.Length; i++)
        {
            if (pattern.AsSpan(i).StartsWith("**/", StringComparison.Ordinal))
            {
                regex.Append("(?:.*/)?");
                i += 2;
            }
            else if (pattern.AsSpan(i).StartsWith("**", StringComparison.Ordinal))
            {
                regex.Append(".*");
                i++;
            }
            else if (pattern[i] == '[' && pattern.IndexOf(']', Math.Min(i + 2, pattern.Length)) is > 0 and int close)
            {
                string set = pattern[(i + 1)..close];
                bool isNot = set[0] is '!' or '^';
                regex.Append(isNot ? "[^/" : "[").Append((isNot ? set[1..] : set).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal)).Append(']');
                i = close;
            }
            else
            {
                regex.Append(pattern[i] switch
                {
                    '*' => "[^/]*",
                    '?' => "[^/]",
                    _ => Regex.Escape(pattern[i].ToString()),
                });
            }
        }

        return regex.Append("\\z").ToString();
    }
}
