using System.Text;
using System.Text.RegularExpressions;

namespace TuneSharp.Data;

/// <summary>File patterns with <c>*</c>, <c>?</c> and <c>**</c> (any depth of folders).</summary>
internal static class PathPattern
{
    public static bool IsPattern(string path) => path.AsSpan().ContainsAny('*', '?');

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
        Regex regex = new(ToRegex(rest), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
        SearchOption depth = rest.Contains('/', StringComparison.Ordinal) ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly;
        return Directory.EnumerateFiles(folder, "*", depth)
            .Where(f => regex.IsMatch(Path.GetRelativePath(folder, f).Replace('\\', '/')));
    }

    private static string ToRegex(string pattern)
    {
        StringBuilder regex = new("^");
        for (int i = 0; i < pattern.Length; i++)
        {
            if (pattern.AsSpan(i).StartsWith("**/", StringComparison.Ordinal))
            {
                regex.Append("(.*/)?");
                i += 2;
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

        return regex.Append('$').ToString();
    }
}
