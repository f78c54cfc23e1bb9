using System.Collections.Concurrent;
using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>
/// Text to ids without offsets, for the BPE files that nearly all models have: byte-level ones, and those that write
/// blanks as U+2581 and fall back on bytes. Same ids as the general way, which tests compare; no allocation a word.
/// </summary>
internal sealed class FastBpe
{
    private readonly WordScanner _scanner;
    private readonly SymbolTable _symbols;
    private readonly TextRewriter _rewriter;
    private readonly AddedTokenMatcher _plain;
    private readonly AddedTokenMatcher _normalized;
    private readonly ConcurrentStack<State> _free = new();

    private FastBpe(WordScanner scanner, SymbolTable symbols, TextRewriter rewriter, AddedTokenMatcher plain, AddedTokenMatcher normalized)
    {
        _scanner = scanner;
        _symbols = symbols;
        _rewriter = rewriter;
        _plain = plain;
        _normalized = normalized;
    }

    /// <summary>The fast way for a tokenizer, or null if it is of another build.</summary>
    internal static FastBpe? Create(TokenizerParts parts, AddedTokenMatcher plain, AddedTokenMatcher normalized)
    {
        if (parts.Model is not BpeModel model || model.Options.ContinuingPrefix is { Length: > 0 } || model.Options.EndSuffix is { Length: > 0 })
        {
            return null;
        }

        TextRewriter? rewriter = TextRewriter.Create(parts.Normalizer);
        if (rewriter is null)
        {
            return null;
        }

        if (ByteLevelScanner(parts.PreTokenizer) is WordScanner scanner)
        {
            return !rewriter.MarksBlanks && SymbolTable.OfBytes(model) is SymbolTable bytes
                ? new FastBpe(scanner, bytes, rewriter, plain, normalized)
                : null;
        }

        // Blanks are gone by then, so cutting at them does nothing.
        bool whole = parts.PreTokenizer is null or SplitPreTokenizer { Pattern: TextPattern { Text: " " } };
        return whole && rewriter.MarksBlanks && SymbolTable.OfCharacters(model) is SymbolTable characters
            ? new FastBpe(new BlankScanner(model.Table), characters, rewriter, plain, normalized)
            : null;
    }

    /// <summary>Appends the ids of a text.</summary>
    internal int[] Encode(string text, bool specialAsText, ReadOnlySpan<int> before, ReadOnlySpan<int> after)
    {
        State state = _free.TryPop(out State? free) ? free : new State(_symbols);
        state.Ids.Clear();
        state.Ids.AddRange(before);
        int length = state.Load(text);
        ReadOnlySpan<byte> bytes = state.Text.AsSpan(0, length);
        if (_plain.IsEmpty)
        {
            Rewritten(state, bytes, specialAsText);
        }
        else
        {
            state.Cuts.Clear();
            _plain.Cut(bytes, specialAsText, state.Cuts);
            foreach ((int start, int end, int id) in state.Cuts)
            {
                if (id >= 0)
                {
                    state.Ids.Add(id);
                }
                else
                {
                    Rewritten(state, bytes[start..end], specialAsText);
                }
            }
        }

        state.Ids.AddRange(after);
        int[] result = state.Ids.Items.ToArray();
        _free.Push(state);
        return result;
    }

    private static WordScanner? ByteLevelScanner(PreTokenizer? preTokenizer)
    {
        IReadOnlyList<PreTokenizer> parts = preTokenizer is PreTokenizerSequence sequence ? sequence.Parts : preTokenizer is null ? [] : [preTokenizer];
        if (parts.Count == 0 || parts[^1] is not ByteLevelPreTokenizer { AddPrefixSpace: false } byteLevel)
        {
            return null;
        }

        WordScanner? scanner = byteLevel.UseRegex ? new Gpt2Scanner() : null;
        for (int i = parts.Count - 2; i >= 0; i--)
        {
            if (parts[i] is not SplitPreTokenizer { Pattern: RegexPattern pattern } split)
            {
                return null;
            }

            // "Removed, inverted" keeps the matches only: the same where the pattern leaves nothing between them.
            bool keepsAll = split.Behavior == SplitBehavior.Isolated
                || (split is { Behavior: SplitBehavior.Removed, Invert: true } && pattern.Regex.Pattern is TiktokenFile.Cl100kPattern or Cl100kScanner.QwenPattern);
            if (!keepsAll)
            {
                return null;
            }

            WordScanner first = WordScanner.For(pattern.Regex);
            scanner = scanner is null ? first : new SequenceScanner(first, scanner);
        }

        return scanner;
    }

    private void Rewritten(State state, ReadOnlySpan<byte> text, bool specialAsText)
    {
        ReadOnlySpan<byte> rewritten = _rewriter.Apply(text, state);
        if (_normalized.IsEmpty)
        {
            Words(state, rewritten);
            return;
        }

        List<(int Start, int End, int Id)> cuts = [];
        _normalized.Cut(rewritten, specialAsText, cuts);
        foreach ((int start, int end, int id) in cuts)
        {
            if (id >= 0)
            {
                state.Ids.Add(id);
            }
            else
            {
                Words(state, rewritten[start..end]);
            }
        }
    }

    private void Words(State state, ReadOnlySpan<byte> text)
    {
        IntBuffer ends = state.Ends;
        ends.Clear();
        _scanner.Scan(text, 0, ends);
        int start = 0;
        foreach (int end in ends.Items)
        {
            int length = end - start;
            if (length <= WordCache.ShortLength && start + 16 <= text.Length)
            {
                Short(state, WordCache.Key(text[start..], length), text[start..end]);
            }
            else
            {
                Other(state, text[start..end]);
            }

            start = end;
        }
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveInlining)]
    private void Short(State state, (ulong Low, ulong High) key, ReadOnlySpan<byte> word)
    {
        if (!state.Cache.TryAppend(key, state.Ids))
        {
            int count = state.Ids.Count;
            _symbols.Encode(word, state);
            state.Cache.Keep(key, state.Ids.Items[count..]);
        }
    }

    // Long words, and those near the end of the text: they are copied, so that their keys can be read past them.
    private void Other(State state, ReadOnlySpan<byte> word)
    {
        if (word.Length <= WordCache.ShortLength)
        {
            Span<byte> copy = stackalloc byte[16];
            copy.Clear();
            word.CopyTo(copy);
            Short(state, WordCache.Key(copy, word.Length), word);
            return;
        }

        if (word.Length > WordCache.MaxLength)
        {
            _symbols.Encode(word, state);
            return;
        }

        WordCache.LongKey key = WordCache.KeyOfLong(word);
        if (!state.Cache.TryAppend(in key, state.Ids))
        {
            int count = state.Ids.Count;
            _symbols.Encode(word, state);
            state.Cache.Keep(in key, state.Ids.Items[count..]);
        }
    }

    /// <summary>What one encoding at a time needs; used again by the next.</summary>
    internal sealed class State(SymbolTable symbols)
    {
        internal byte[] Text { get; private set; } = new byte[4096];

        internal byte[] Rewritten { get; private set; } = new byte[4096];

        internal int[] Symbols { get; private set; } = new int[256];

        internal int[] Lengths { get; private set; } = new int[256];

        internal IntBuffer Ids { get; } = new();

        internal IntBuffer Ends { get; } = new();

        internal WordCache Cache { get; } = new();

        internal List<(int Start, int End, int Id)> Cuts { get; } = [];

        internal BpeMerger Merger { get; } = new(symbols.Merges);

        internal int Load(string text)
        {
            int most = Encoding.UTF8.GetMaxByteCount(text.Length);
            if (Text.Length < most)
            {
                Text = new byte[most];
            }

            return Encoding.UTF8.GetBytes(text, Text);
        }

        internal byte[] ReserveRewritten(int size)
        {
            if (Rewritten.Length < size)
            {
                Rewritten = new byte[size * 2];
            }

            return Rewritten;
        }

        internal void ReserveSymbols(int count)
        {
            if (Symbols.Length < count)
            {
                Symbols = new int[count * 2];
                Lengths = new int[count * 2];
            }
        }
    }
}
