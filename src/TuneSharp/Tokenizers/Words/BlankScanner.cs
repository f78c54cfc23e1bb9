namespace TuneSharp.Tokenizers;

/// <summary>
/// Cuts before U+2581 where no token of the vocabulary reaches across: merging the parts apart then gives what merging
/// the whole text would.
/// </summary>
internal sealed class BlankScanner : WordScanner
{
    private readonly HashSet<int> _joined = [];

    internal BlankScanner(TokenTable table)
    {
        for (int id = 0; id < table.Capacity; id++)
        {
            if (!table.Has(id))
            {
                continue;
            }

            ReadOnlySpan<byte> token = table.Bytes(id);
            int before = -1;
            for (int at = 0; at < token.Length;)
            {
                int c = Utf8.Decode(token, at, out int length);
                if (c == '▁' && before >= 0 && before != '▁')
                {
                    _joined.Add(before);
                }

                before = c;
                at += length;
            }
        }
    }

    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        ReadOnlySpan<byte> mark = "▁"u8;
        for (int next = 0; next < text.Length; ends.Add(offset + next))
        {
            do
            {
                // Past a run of marks, then to the next mark.
                while (text[next..].StartsWith(mark))
                {
                    next += mark.Length;
                }

                int skip = text[next..].IndexOf(mark);
                next = skip < 0 ? text.Length : next + skip;
            }
            while (next < text.Length && IsJoined(text, next));
        }
    }

    // Some token has this character before a mark.
    private bool IsJoined(ReadOnlySpan<byte> text, int mark) =>
        _joined.Count > 0 && _joined.Contains(Utf8.Decode(text, Utf8.Before(text, mark), out _));
}
