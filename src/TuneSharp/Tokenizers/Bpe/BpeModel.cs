using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>What a BPE vocabulary says besides its tokens and merges.</summary>
internal sealed record BpeOptions
{
    /// <summary>The token for characters outside the vocabulary; without one they are dropped.</summary>
    internal string? UnknownToken { get; init; }

    /// <summary>Written before every symbol of a word but the first.</summary>
    internal string? ContinuingPrefix { get; init; }

    /// <summary>Written after the last symbol of a word.</summary>
    internal string? EndSuffix { get; init; }

    /// <summary>Neighbouring unknown characters become one token.</summary>
    internal bool FuseUnknown { get; init; }

    /// <summary>Unknown characters are spelt in byte tokens such as &lt;0x0A&gt;.</summary>
    internal bool ByteFallback { get; init; }

    /// <summary>A word that is itself a token is that token, whatever the merges say.</summary>
    internal bool IgnoreMerges { get; init; }
}

/// <summary>Byte-pair encoding: characters, or bytes spelt as characters, merged pair by pair.</summary>
internal sealed class BpeModel : TokenModel
{
    private readonly BpeOptions _options;
    private readonly byte[] _prefix;
    private readonly byte[] _suffix;
    private readonly int _unknown = -1;
    private readonly int[]? _byteTokens;

    [ThreadStatic]
    private static Scratch? _scratch;

    internal BpeModel(TokenTable table, MergeTable merges, BpeOptions options)
        : base(table)
    {
        _options = options;
        Merges = merges;
        _prefix = Encoding.UTF8.GetBytes(options.ContinuingPrefix ?? "");
        _suffix = Encoding.UTF8.GetBytes(options.EndSuffix ?? "");
        if (options.UnknownToken is string unknown)
        {
            _unknown = Require(table, unknown, "unk_token");
        }

        if (options.ByteFallback)
        {
            _byteTokens = new int[256];
            for (int b = 0; b < 256; b++)
            {
                _byteTokens[b] = Find($"<0x{b:X2}>");
            }
        }
    }

    internal MergeTable Merges { get; }

    internal BpeOptions Options => _options;

    internal override void Tokenize(ReadOnlySpan<byte> word, List<ModelToken> tokens)
    {
        if (word.IsEmpty)
        {
            return;
        }

        if (_options.IgnoreMerges && Table.Find(word) is int whole and >= 0)
        {
            tokens.Add(new(whole, 0, word.Length));
            return;
        }

        Scratch scratch = _scratch is { } mine && mine.Owner == this ? mine : _scratch = new(this, Merges);
        int count = Symbols(word, scratch);
        count = scratch.Merger.Merge(scratch.Ids.AsSpan(0, count), scratch.Lengths.AsSpan(0, count));
        int at = 0;
        for (int i = 0; i < count; i++)
        {
            tokens.Add(new(scratch.Ids[i], at, at + scratch.Lengths[i]));
            at += scratch.Lengths[i];
        }
    }

    // The word's characters as ids, before any merge.
    private int Symbols(ReadOnlySpan<byte> word, Scratch scratch)
    {
        scratch.Reserve(word.Length);
        int count = 0;
        int unknownLength = 0;
        for (int i = 0; i < word.Length;)
        {
            int length = Utf8.LengthOf(word[i]);
            ReadOnlySpan<byte> spelt = Spell(word.Slice(i, length), first: i == 0, last: i + length == word.Length, scratch);
            i += length;
            int id = Table.Find(spelt);
            if (id >= 0)
            {
                Flush(ref count);
                scratch.Ids[count] = id;
                scratch.Lengths[count++] = length;
            }
            else if (_byteTokens is not null && AllBytes(spelt))
            {
                // An unknown run before it stays pending, as in the reference.
                scratch.Reserve(count + spelt.Length + word.Length);
                foreach (byte b in spelt)
                {
                    scratch.Ids[count] = _byteTokens[b];
                    scratch.Lengths[count++] = 1;
                }
            }
            else if (_unknown >= 0)
            {
                if (!_options.FuseUnknown)
                {
                    Flush(ref count);
                }

                unknownLength += length;
            }
        }

        Flush(ref count);
        return count;

        void Flush(ref int at)
        {
            if (unknownLength > 0)
            {
                scratch.Ids[at] = _unknown;
                scratch.Lengths[at++] = unknownLength;
                unknownLength = 0;
            }
        }
    }

    private bool AllBytes(ReadOnlySpan<byte> spelt)
    {
        foreach (byte b in spelt)
        {
            if (_byteTokens![b] < 0)
            {
                return false;
            }
        }

        return true;
    }

    private ReadOnlySpan<byte> Spell(ReadOnlySpan<byte> character, bool first, bool last, Scratch scratch)
    {
        bool prefixed = !first && _prefix.Length > 0;
        bool suffixed = last && _suffix.Length > 0;
        if (!prefixed && !suffixed)
        {
            return character;
        }

        scratch.Spelling.Clear();
        scratch.Spelling.AddRange(prefixed ? _prefix : []);
        scratch.Spelling.AddRange(character);
        scratch.Spelling.AddRange(suffixed ? _suffix : []);
        return System.Runtime.InteropServices.CollectionsMarshal.AsSpan(scratch.Spelling);
    }

    private sealed class Scratch(BpeModel owner, MergeTable merges)
    {
        internal int[] Ids = new int[256];
        internal int[] Lengths = new int[256];

        internal BpeModel Owner { get; } = owner;

        internal BpeMerger Merger { get; } = new(merges);

        internal List<byte> Spelling { get; } = [];

        internal void Reserve(int count)
        {
            if (Ids.Length < count)
            {
                Array.Resize(ref Ids, count * 2);
                Array.Resize(ref Lengths, count * 2);
            }
        }
    }
}
