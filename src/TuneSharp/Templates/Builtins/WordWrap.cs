namespace TuneSharp.Templates;

/// <summary>The filter <c>wordwrap</c>: Python's <c>textwrap</c>, paragraph by paragraph.</summary>
internal static class WordWrap
{
    public static string Wrap(string text, int width, bool breakWords, string between, bool breakHyphens)
    {
        if (width <= 0)
        {
            throw TemplateException.Value($"invalid width {width} (must be > 0)");
        }

        Budget.Text((long)text.Length * Math.Max(1, between.Length));
        return string.Join(between, StringMethods.Lines(text).Select(l => string.Join(between, Lines(l, width, breakWords, breakHyphens))));
    }

    private static List<string> Lines(string text, int width, bool breakWords, bool breakHyphens)
    {
        List<string> chunks = Chunks(text, breakHyphens);
        List<string> lines = [];
        int at = 0;
        while (at < chunks.Count)
        {
            if (lines.Count > 0 && IsBlank(chunks[at]))
            {
                at++; // blanks at the start of a line
                continue;
            }

            List<string> line = [];
            int length = 0;
            while (at < chunks.Count && length + CodePoints.Count(chunks[at]) <= width)
            {
                length += CodePoints.Count(chunks[at]);
                line.Add(chunks[at++]);
            }

            if (at < chunks.Count && CodePoints.Count(chunks[at]) > width)
            {
                if (breakWords)
                {
                    int space = Math.Max(1, width - length);
                    int cut = CodePoints.Offset(chunks[at], space);
                    int hyphen = breakHyphens ? chunks[at].LastIndexOf('-', Math.Max(0, cut - 1)) : -1;
                    cut = hyphen > 0 && chunks[at][..hyphen].Any(c => c != '-') ? hyphen + 1 : cut;
                    line.Add(chunks[at][..cut]);
                    chunks[at] = chunks[at][cut..];
                }
                else if (line.Count == 0)
                {
                    line.Add(chunks[at++]);
                }
            }

            if (line.Count > 0 && IsBlank(line[^1]))
            {
                line.RemoveAt(line.Count - 1);
            }

            if (line.Count > 0)
            {
                lines.Add(string.Concat(line));
            }
        }

        return lines;
    }

    private static bool IsBlank(string chunk) => chunk.All(c => c is '\t' or '\n' or '\v' or '\f' or '\r' or ' ');

    /// <summary>Words, the blanks between them, and parts of words that end with a hyphen between letters.</summary>
    private static List<string> Chunks(string text, bool breakHyphens)
    {
        List<string> chunks = [];
        int start = 0;
        for (int i = 1; i <= text.Length; i++)
        {
            bool cut = i == text.Length || IsBlank(text[i].ToString()) != IsBlank(text[i - 1].ToString())
                || (breakHyphens && text[i - 1] == '-' && i >= 3 && i + 1 < text.Length && text[i] != '-'
                    && char.IsLetter(text[i - 2]) && char.IsLetterOrDigit(text[i - 3]) && char.IsLetter(text[i]) && char.IsLetterOrDigit(text[i + 1]));
            if (cut)
            {
                chunks.Add(text[start..i]);
                start = i;
            }
        }

        return chunks;
    }
}
