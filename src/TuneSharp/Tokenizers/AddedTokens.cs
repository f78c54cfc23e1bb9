using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>A token that is found in the text before the model sees it.</summary>
internal sealed record AddedToken(string Content)
{
    /// <summary>Its id where the file gives one; otherwise that of the vocabulary, or the next free one.</summary>
    internal int? Id { get; init; }

    internal bool SingleWord { get; init; }

    internal bool LeftStrip { get; init; }

    internal bool RightStrip { get; init; }

    internal bool Normalized { get; init; }

    internal bool Special { get; init; }
}

/// <summary>Finds added tokens in text: leftmost first, longest first, through a trie of bytes.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<long, int> _steps = [];
    private readonly List<int> _ids = [-1];
    private readonly bool[] _firstBytes = new bool[256];
    private readonly Func<int, AddedToken> _token;
    private System.Buffers.SearchValues<byte>? _first;

    internal AddedTokenMatcher(IEnumerable<(string Text, int Id)> tokens, Func<int, AddedToken> token)
    {
        _token = token;
        foreach ((string text, int id) in tokens)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            int node = 0;
            foreach (byte b in bytes)
            {
                long key = ((long)node << 8) | b;
                if (!_steps.TryGetValue(key, out int next))
                {
                    next = _ids.Count;
                    _ids.Add(-1);
                    _steps[key] = next;
                }

                node = next;
            }

            if (node != 0)
            {
                _ids[node] = id;
                _firstBytes[bytes[0]] = true;
            }
        }

        byte[] firsts = [.. Enumerable.Range(0, 256).Where(b => _firstBytes[b]).Select(b => (byte)b)];
        _first = System.Buffers.SearchValues.Create(firsts);
        IsEmpty = firsts.Length == 0;
    }

    internal bool IsEmpty { get; }

    /// <summary>The next token at or after a position, whatever its rules say of its neighbours.</summary>
    internal bool Next(ReadOnlySpan<byte> text, int from, out int start, out int end, out int id)
    {
        for (start = from; ; start++)
        {
            int skip = text[start..].IndexOfAny(_first!);
            if (skip < 0)
            {
                end = id = -1;
                return false;
            }

            start += skip;
            if (Longest(text, start, out end, out id))
            {
                return true;
            }
        }
    }

    /// <summary>Cuts text at its tokens. A stretch without a token has the id -1; together they cover the text.</summary>
    internal void Cut(ReadOnlySpan<byte> text, bool specialAsText, List<(int Start, int End, int Id)> cuts)
    {
        int covered = 0;
        for (int at = 0; !IsEmpty && Next(text, at, out int start, out int end, out int id);)
        {
            at = end;
            AddedToken token = _token(id);
            if ((specialAsText && token.Special) || (token.SingleWord && !Stands(text, start, end)))
            {
                continue;
            }

            if (token.LeftStrip)
            {
                while (start > 0 && Unicode.IsWhiteSpace(Utf8.Decode(text, Utf8.Before(text, start), out _)))
                {
                    start = Utf8.Before(text, start);
                }

                start = Math.Max(start, covered);
            }

            while (token.RightStrip && end < text.Length && Unicode.IsWhiteSpace(Utf8.Decode(text, end, out int length)))
            {
                end += length;
            }

            if (covered < start)
            {
                cuts.Add((covered, start, -1));
            }

            cuts.Add((start, end, id));
            covered = end;
        }

        if (covered != text.Length)
        {
            cuts.Add((covered, text.Length, -1));
        }
    }

    private static bool Stands(ReadOnlySpan<byte> text, int start, int end) =>
        (start == 0 || !Unicode.IsRustWord(Utf8.Decode(text, Utf8.Before(text, start), out _)))
        && (end == text.Length || !Unicode.IsRustWord(Utf8.Decode(text, end, out _)));

    private bool Longest(ReadOnlySpan<byte> text, int start, out int end, out int id)
    {
        int node = 0;
        end = id = -1;
        for (int i = start; i < text.Length && _steps.TryGetValue(((long)node << 8) | text[i], out node); i++)
        {
            if (_ids[node] >= 0)
            {
                id = _ids[node];
                end = i + 1;
            }
        }

        return id >= 0;
    }
}
