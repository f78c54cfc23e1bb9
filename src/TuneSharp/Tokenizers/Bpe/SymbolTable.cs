namespace TuneSharp.Tokenizers;

/// <summary>From a word's bytes to the ids that merging begins with, and through the merges.</summary>
internal sealed class SymbolTable
{
    private readonly TokenTable? _characters;
    private readonly TokenTable? _whole;
    private readonly int[] _bytes;
    private readonly int[] _ascii = new int[128];

    private SymbolTable(MergeTable merges, int[] bytes, TokenTable? characters, TokenTable? whole)
    {
        Merges = merges;
        _bytes = bytes;
        _characters = characters;
        _whole = whole;
        for (int c = 0; c < 128; c++)
        {
            _ascii[c] = characters?.Find([(byte)c]) ?? -1;
        }
    }

    internal MergeTable Merges { get; }

    /// <summary>A vocabulary that spells bytes as characters; null if a byte is missing.</summary>
    internal static SymbolTable? OfBytes(BpeModel model)
    {
        int[] bytes = [.. Enumerable.Range(0, 256).Select(b => model.Find(ByteAlphabet.CharOf((byte)b).ToString()))];
        return bytes.Contains(-1) ? null : new SymbolTable(model.Merges, bytes, null, model.Options.IgnoreMerges ? Unspelt(model.Table) : null);
    }

    /// <summary>A vocabulary of characters with a token for every byte; null if one is missing that could be needed.</summary>
    internal static SymbolTable? OfCharacters(BpeModel model)
    {
        int[] bytes = [.. Enumerable.Range(0, 256).Select(b => model.Find($"<0x{b:X2}>"))];
        bool missing = Enumerable.Range(0, 256).Any(b => bytes[b] < 0 && (b >= 0x80 || model.Find(((char)b).ToString()) < 0));
        return missing || !model.Options.ByteFallback || model.Options.IgnoreMerges
            ? null
            : new SymbolTable(model.Merges, bytes, model.Table, null);
    }

    /// <summary>Appends the ids of a word.</summary>
    internal void Encode(ReadOnlySpan<byte> word, FastBpe.State state)
    {
        if (_whole is not null && _whole.Find(word) is int id and >= 0)
        {
            state.Ids.Add(id);
            return;
        }

        state.ReserveSymbols(word.Length);
        int[] symbols = state.Symbols;
        int count = 0;
        if (_characters is null)
        {
            foreach (byte b in word)
            {
                symbols[count++] = _bytes[b];
            }
        }
        else
        {
            for (int at = 0; at < word.Length;)
            {
                int length = Utf8.LengthOf(word[at]);
                int found = length == 1 ? _ascii[word[at]] : _characters.Find(word.Slice(at, length));
                if (found >= 0)
                {
                    symbols[count++] = found;
                }
                else
                {
                    foreach (byte b in word.Slice(at, length))
                    {
                        symbols[count++] = _bytes[b];
                    }
                }

                at += length;
            }
        }

        count = state.Merger.Merge(symbols.AsSpan(0, count), state.Lengths.AsSpan(0, count));
        state.Ids.AddRange(symbols.AsSpan(0, count));
    }

    // The tokens by the bytes they spell.
    private static TokenTable Unspelt(TokenTable table)
    {
        TokenTable result = new(table.Capacity);
        byte[] bytes = new byte[1024];
        for (int id = 0; id < table.Capacity; id++)
        {
            if (!table.Has(id))
            {
                continue;
            }

            ReadOnlySpan<byte> token = table.Bytes(id);
            bytes = bytes.Length < token.Length ? new byte[token.Length] : bytes;
            if (ByteAlphabet.TryGetBytes(token, bytes, out int count))
            {
                result.Add(id, bytes.AsSpan(0, count));
            }
        }

        result.Seal();
        return result;
    }
}
