namespace TuneSharp.Data;

/// <summary>The known name that a misspelt one most likely meant.</summary>
internal static class NearestName
{
    /// <summary>A sentence that begins with a blank, or nothing when no name is near.</summary>
    public static string Hint(string name, IEnumerable<string> known) =>
        Of(name, known) is { } near ? $" Did you mean '{near}'?" : "";

    public static string? Of(string name, IEnumerable<string> known)
    {
        string? best = null;
        int bestDistance = Math.Max(2, name.Length / 3) + 1;
        foreach (string candidate in known)
        {
            int distance = Distance(name, candidate);
            if (distance < bestDistance)
            {
                (best, bestDistance) = (candidate, distance);
            }
        }

        return best;
    }

    /// <summary>Levenshtein's distance, upper and lower case being the same.</summary>
    private static int Distance(string a, string b)
    {
        int[] above = [.. Enumerable.Range(0, b.Length + 1)];
        int[] row = new int[b.Length + 1];
        for (int i = 0; i < a.Length; i++)
        {
            row[0] = i + 1;
            for (int j = 0; j < b.Length; j++)
            {
                int change = char.ToUpperInvariant(a[i]) == char.ToUpperInvariant(b[j]) ? 0 : 1;
                row[j + 1] = Math.Min(Math.Min(row[j], above[j + 1]) + 1, above[j] + change);
            }

            (above, row) = (row, above);
        }

        return above[b.Length];
    }
}
