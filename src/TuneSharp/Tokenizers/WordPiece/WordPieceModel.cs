using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>BERT's: the longest token first, then the longest that continues it; a word that does not fit is unknown.</summary>
internal sealed class WordPieceModel(TokenTable table, string unknownToken, string continuingPrefix, int maxCharsPerWord) : TokenModel(table)
{
    private readonly int _unknown = Require(table, unknownToken, "unk_token");
    private readonly byte[] _prefix = Encoding.UTF8.GetBytes(continuingPrefix);

    internal override void Tokenize(ReadOnlySpan<byte> word, List<ModelToken> tokens)
    {
        int first = tokens.Count;
        int chars = 0;
        foreach (byte b in word)
        {
            chars += (b & 0xC0) == 0x80 ? 0 : 1;
        }

        // One buffer holds the prefix and, after it, what is left of the word.
        byte[] spelt = [.. _prefix, .. word];
        bool fits = chars <= maxCharsPerWord;
        for (int start = 0; fits && start < word.Length;)
        {
            int end = word.Length;
            int id = -1;
            while (end > start && (id = Table.Find(Spelling(start, end))) < 0)
            {
                end = Utf8.Before(word, end);
            }

            fits = id >= 0;
            tokens.Add(new(id, start, end));
            start = end;
        }

        if (!fits)
        {
            tokens.RemoveRange(first, tokens.Count - first);
            tokens.Add(new(_unknown, 0, word.Length));
        }

        ReadOnlySpan<byte> Spelling(int start, int end)
        {
            if (start == 0)
            {
                return spelt.AsSpan(_prefix.Length, end);
            }

            _prefix.CopyTo(spelt, start);
            return spelt.AsSpan(start, _prefix.Length + end - start);
        }
    }
}

/// <summary>Whole words only.</summary>
internal sealed class WordLevelModel(TokenTable table, string unknownToken) : TokenModel(table)
{
    private readonly int _unknown = table.Find(Encoding.UTF8.GetBytes(unknownToken));

    internal override void Tokenize(ReadOnlySpan<byte> word, List<ModelToken> tokens)
    {
        int id = Table.Find(word);
        id = id >= 0 ? id : _unknown;
        tokens.Add(new(id >= 0 ? id : throw new ArgumentException(
            $"The word {Encoding.UTF8.GetString(word)} is not in the vocabulary, and neither is {unknownToken}."), 0, word.Length));
    }
}
