namespace TuneSharp.Tokenizers;

/// <summary>SentencePiece's own normalisation: character map, blanks to U+2581, extra blanks out, a blank in front.</summary>
internal sealed class SentencePieceNormalizer
{
    private readonly NormalizerSpec _spec;
    private readonly bool _suffix;
    private readonly ByteTrie? _userDefined;
    private readonly CharsMap? _map;

    internal SentencePieceNormalizer(NormalizerSpec spec, bool treatWhitespaceAsSuffix, ByteTrie? userDefined)
    {
        _spec = spec;
        _suffix = treatWhitespaceAsSuffix;
        _userDefined = userDefined;
        _map = spec.CharsMap.Length == 0 ? null : new CharsMap(spec.CharsMap);
    }

    /// <summary>How a blank is written: U+2581.</summary>
    internal static ReadOnlySpan<byte> Blank => "▁"u8;

    /// <summary>Rewrites text.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="origin">For each byte of the result, and one after, the byte of the text it comes from; null if not wanted.</param>
    internal byte[] Apply(ReadOnlySpan<byte> text, List<int>? origin)
    {
        List<byte> result = new(text.Length + 16);
        ReadOnlySpan<byte> blank = _spec.EscapeWhitespaces ? Blank : " "u8;
        int at = 0;
        while (_spec.RemoveExtraWhitespaces && at < text.Length && Prefix(text[at..], out int length) is [(byte)' '])
        {
            at += length;
        }

        if (at == text.Length)
        {
            return [];
        }

        if (_spec.AddDummyPrefix && !_suffix)
        {
            Write(blank, at);
        }

        bool afterBlank = _spec.RemoveExtraWhitespaces;
        while (at < text.Length)
        {
            ReadOnlySpan<byte> part = Prefix(text[at..], out int length);
            part = afterBlank ? part.TrimStart((byte)' ') : part;
            foreach (ref readonly byte b in part)
            {
                Write(b == ' ' ? blank : new ReadOnlySpan<byte>(in b), at);
            }

            afterBlank = _spec.RemoveExtraWhitespaces && (part.IsEmpty ? afterBlank : part[^1] == ' ');
            at += length;
        }

        if (_spec.RemoveExtraWhitespaces)
        {
            while (System.Runtime.InteropServices.CollectionsMarshal.AsSpan(result).EndsWith(blank))
            {
                int end = result.Count - blank.Length;
                at = origin is null ? at : origin[end];
                result.RemoveRange(end, blank.Length);
                origin?.RemoveRange(end, blank.Length);
            }
        }

        if (_spec.AddDummyPrefix && _suffix)
        {
            Write(blank, at);
        }

        origin?.Add(at);
        return [.. result];

        void Write(ReadOnlySpan<byte> bytes, int from)
        {
            result.AddRange(bytes);
            for (int i = 0; origin is not null && i < bytes.Length; i++)
            {
                origin.Add(from);
            }
        }
    }

    // What the next stretch of text becomes: a user-defined symbol as it is, the longest entry of the map, or one character.
    private ReadOnlySpan<byte> Prefix(ReadOnlySpan<byte> text, out int length)
    {
        length = LongestMatch(_userDefined, text);
        if (length > 0)
        {
            return text[..length];
        }

        if (_map is not null && _map.TryLongest(text, out length, out ReadOnlySpan<byte> replacement))
        {
            return replacement;
        }

        length = Utf8.LengthOf(text[0]);
        return text[..length];
    }

    /// <summary>The length of the longest string of a trie that begins a text, or 0.</summary>
    internal static int LongestMatch(ByteTrie? trie, ReadOnlySpan<byte> text)
    {
        int longest = 0;
        int node = 0;
        for (int i = 0; trie is not null && i < text.Length && (node = trie.Step(node, text[i])) >= 0; i++)
        {
            if (trie.Value(node) >= 0)
            {
                longest = i + 1;
            }
        }

        return longest;
    }
}
