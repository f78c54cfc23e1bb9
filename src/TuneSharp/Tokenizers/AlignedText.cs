using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>
/// A stretch of text on its way to the model: UTF-8 bytes, and for each byte the span of original code points it stands
/// for. Normalisers rewrite it, pre-tokenizers slice it; slices share arrays until they are rewritten.
/// </summary>
/// <remarks>What changes offsets how follows the alignment rules of Hugging Face's NormalizedString.</remarks>
internal sealed class AlignedText
{
    private readonly int _shift;
    private byte[] _bytes;
    private Range32[] _spans;
    private int _from;

    private AlignedText(byte[] bytes, Range32[] spans, int from, int length, int shift)
    {
        _bytes = bytes;
        _spans = spans;
        _from = from;
        Length = length;
        _shift = shift;
    }

    internal AlignedText(string text)
    {
        _bytes = Encoding.UTF8.GetBytes(text);
        _spans = new Range32[_bytes.Length];
        Length = _bytes.Length;
        int count = 0;
        for (int i = 0; i < _bytes.Length; count++)
        {
            int length = Utf8.LengthOf(_bytes[i]);
            _spans.AsSpan(i, length).Fill(new Range32(count, count + 1));
            i += length;
        }
    }

    /// <summary>Set when this stretch is an added token: its id.</summary>
    internal int? AddedId { get; init; }

    /// <summary>Bytes.</summary>
    internal int Length { get; private set; }

    /// <summary>Where in the original text this stretch begins, in code points.</summary>
    internal int OriginalStart => _shift;

    internal ReadOnlySpan<byte> Bytes => _bytes.AsSpan(_from, Length);

    /// <summary>The original code points behind a range of bytes.</summary>
    internal Range32 Original(int from, int to) =>
        from >= to || to > Length ? new(_shift, _shift) : new(_spans[_from + from].Start, _spans[_from + to - 1].End);

    internal AlignedText Slice(int from, int to, int? addedId = null) =>
        new(_bytes, _spans, _from + from, to - from, Original(from, to).Start) { AddedId = addedId };

    internal List<int> CodePoints()
    {
        List<int> result = new(Length);
        ReadOnlySpan<byte> bytes = Bytes;
        for (int i = 0; i < bytes.Length;)
        {
            result.Add(Utf8.Decode(bytes, i, out int length));
            i += length;
        }

        return result;
    }

    /// <summary>
    /// Rewrites everything. Each new character says what it stands for: 0 replaces the next old one, 1 is new and takes
    /// its left neighbour's span, -n replaces one and swallows the n after it.
    /// </summary>
    /// <param name="result">The new characters.</param>
    /// <param name="removedAtStart">Old characters dropped before the first.</param>
    internal void Rewrite(IReadOnlyList<(int CodePoint, int Change)> result, int removedAtStart = 0)
    {
        ReadOnlySpan<byte> old = Bytes;
        byte[] bytes = new byte[result.Count * 4];
        Range32[] spans = new Range32[result.Count * 4];
        int write = 0;
        int read = Skip(old, 0, removedAtStart);
        foreach ((int codePoint, int change) in result)
        {
            Range32 span = change > 0
                ? read > 0 ? _spans[_from + read - 1] : new(_shift, _shift)
                : _spans[_from + read];
            if (change <= 0)
            {
                read = Skip(old, read, 1 - change);
            }

            int length = Utf8.Encode(codePoint, bytes.AsSpan(write));
            spans.AsSpan(write, length).Fill(span);
            write += length;
        }

        (_bytes, _spans, _from, Length) = (bytes, spans, 0, write);
    }

    /// <summary>Keeps the characters that pass; the rest is swallowed by their left neighbours.</summary>
    internal void Filter(Func<int, bool> keep)
    {
        List<(int CodePoint, int Change)> result = new(Length);
        int removedAtStart = 0;
        foreach (int c in CodePoints())
        {
            if (keep(c))
            {
                result.Add((c, 0));
            }
            else if (result.Count == 0)
            {
                removedAtStart++;
            }
            else
            {
                result[^1] = (result[^1].CodePoint, result[^1].Change - 1);
            }
        }

        Rewrite(result, removedAtStart);
    }

    /// <summary>Replaces characters one by one.</summary>
    internal void Map(Func<int, int> map) => Rewrite([.. CodePoints().Select(c => (map(c), 0))]);

    /// <summary>Puts text before the first character; nothing before nothing.</summary>
    internal void Prepend(string text)
    {
        if (Length == 0)
        {
            return;
        }

        List<(int CodePoint, int Change)> result = [];
        foreach (Rune rune in text.EnumerateRunes())
        {
            result.Add((rune.Value, result.Count == 0 ? 0 : 1));
        }

        // The first new character takes the old first one's place, which itself comes back as new.
        List<int> old = CodePoints();
        result.Add((old[0], 1));
        for (int i = 1; i < old.Count; i++)
        {
            result.Add((old[i], 0));
        }

        Rewrite(result);
    }

    /// <summary>Replaces each byte by its printable stand-in, as byte-level tokenizers spell bytes.</summary>
    internal void MapBytes()
    {
        byte[] bytes = new byte[Length * 2];
        Range32[] spans = new Range32[Length * 2];
        int write = 0;
        for (int i = _from; i < _from + Length; i++)
        {
            int length = Utf8.Encode(ByteAlphabet.CharOf(_bytes[i]), bytes.AsSpan(write));
            spans.AsSpan(write, length).Fill(_spans[i]);
            write += length;
        }

        (_bytes, _spans, _from, Length) = (bytes, spans, 0, write);
    }

    /// <summary>Replaces ranges of bytes, in order, by the same text.</summary>
    internal void Replace(List<Range32> matches, ReadOnlySpan<byte> content)
    {
        if (matches.Count == 0)
        {
            return;
        }

        int size = Length + (matches.Count * content.Length);
        byte[] bytes = new byte[size];
        Range32[] spans = new Range32[size];
        int write = 0;
        int read = 0;
        foreach (Range32 match in matches)
        {
            Copy(match.Start);
            content.CopyTo(bytes.AsSpan(write));
            spans.AsSpan(write, content.Length).Fill(match.End > 0 ? _spans[_from + match.End - 1] : new(_shift, _shift));
            write += content.Length;
            read = match.End;
        }

        Copy(Length);
        (_bytes, _spans, _from, Length) = (bytes, spans, 0, write);

        void Copy(int until)
        {
            int count = until - read;
            _bytes.AsSpan(_from + read, count).CopyTo(bytes.AsSpan(write));
            _spans.AsSpan(_from + read, count).CopyTo(spans.AsSpan(write));
            write += count;
        }
    }

    private static int Skip(ReadOnlySpan<byte> text, int at, int count)
    {
        for (; count > 0 && at < text.Length; count--)
        {
            at += Utf8.LengthOf(text[at]);
        }

        return at;
    }
}

/// <summary>From a start up to, not including, an end.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct Range32(int Start, int End);
