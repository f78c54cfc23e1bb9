namespace TuneSharp.Config;

/// <summary>Finds the name that a user probably meant.</summary>
internal static class NearestName
{
    /// <summary>The nearest of <paramref name="names"/>, or null when none is near.</summary>
    public static string? Find(string word, IEnumerable<string> names)
    {
        string given = Fold(word);
        (string? best, int distance) = (null, int.MaxValue);
        foreach (string name in names)
        {
            int d = Distance(given, Fold(name));
            if (d < distance)
            {
                (best, distance) = (name, d);
            }
        }

        return distance <= Math.Max(2, given.Length / 3) && distance < given.Length ? best : null;
    }

    /// <summary><c> Did you mean x?</c>, or nothing.</summary>
    public static string Hint(string word, IEnumerable<string> names) =>
        Find(word, names) is { } near ? $" Did you mean {near}?" : "";

    /// <summary>Single letters inserted, left out, changed, or two neighbours swapped (restricted Damerau-Levenshtein).</summary>
    public static int Distance(string a, string b)
    {
        int[,] d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            d[i, 0] = i;
        }

        for (int j = 0; j <= b.Length; j++)
        {
            d[0, j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int change = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }

    private static string Fold(string word) => word.ToUpperInvariant().Replace('-', '_');
}
