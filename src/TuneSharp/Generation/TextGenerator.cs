using TuneSharp.Modules;

namespace TuneSharp.Generation;

/// <summary>Continues token sequences, many rows at once, with a KV cache.</summary>
/// <remarks>
/// Rows of unequal length are padded on the left, masked, and keep their own positions, so a row's result does not depend on its
/// neighbours. torchtune counterpart: <c>torchtune/generation/_generation.py</c>. Letters: B rows, P longest prompt, S tokens so far.
/// </remarks>
public static class TextGenerator
{
    /// <summary>Generates.</summary>
    /// <param name="model">The model; its training flag is put back afterwards.</param>
    /// <param name="prompts">Token ids of each row; none empty.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="onToken">Called with (row, id) for each new token as it comes, or null.</param>
    /// <param name="stop">Ends the generation early; what there is by then is returned.</param>
    /// <returns>New ids of each row, without the stop token.</returns>
    /// <exception cref="ArgumentException">An empty prompt, an id outside the vocabulary, or more tokens than the model takes.</exception>
    public static int[][] Generate(
        TransformerDecoder model, IReadOnlyList<int[]> prompts, GenerationOptions options, Action<int, int>? onToken = null,
        CancellationToken stop = default)
    {
        Check(model, prompts, options.Checked());
        if (prompts.Count == 0)
        {
            return [];
        }

        bool wasTraining = model.training;
        model.eval();
        try
        {
            using IDisposable off = no_grad(); // not inference mode: rotary tables made here are read by later training
            using DisposeScope scope = NewDisposeScope();
            return new Run(model, prompts, options).ToEnd(onToken, stop);
        }
        finally
        {
            model.train(wasTraining);
        }
    }

    private static void Check(TransformerDecoder model, IReadOnlyList<int[]> prompts, GenerationOptions options)
    {
        foreach (int[] prompt in prompts)
        {
            if (prompt.Length == 0)
            {
                throw new ArgumentException("A prompt is empty: give at least one token (the BOS id, say).");
            }

            if (prompt.Length + options.MaxNewTokens > model.Shape.MaxSeqLen)
            {
                throw new ArgumentException(
                    $"The prompt has {prompt.Length} tokens and max_new_tokens is {options.MaxNewTokens}; together they exceed the model's " +
                    $"{model.Shape.MaxSeqLen}. Lower max_new_tokens to {Math.Max(0, model.Shape.MaxSeqLen - prompt.Length)} or shorten the prompt.");
            }

            foreach (int id in prompt)
            {
                if (id < 0 || id >= model.Shape.VocabSize)
                {
                    throw new ArgumentException(
                        $"Token id {id} is outside the model's vocabulary of {model.Shape.VocabSize}. Does the tokenizer belong to this model?");
                }
            }
        }
    }

    /// <summary>One generation under way.</summary>
    private sealed class Run
    {
        private readonly TransformerDecoder _model;
        private readonly IReadOnlyList<int[]> _prompts;
        private readonly GenerationOptions _options;
        private readonly List<int>[] _made; // all rows grow together; an ended row is filled up and its surplus thrown away
        private readonly int?[] _end; // how many of a row's tokens count, once it has ended
        private readonly int _longest;
        private readonly bool _ragged;

        public Run(TransformerDecoder model, IReadOnlyList<int[]> prompts, GenerationOptions options)
        {
            (_model, _prompts, _options) = (model, prompts, options);
            _made = [.. prompts.Select(_ => new List<int>())];
            _end = new int?[prompts.Count];
            _longest = prompts.Max(p => p.Length);
            _ragged = prompts.Any(p => p.Length != _longest);
        }

        public int[][] ToEnd(Action<int, int>? onToken, CancellationToken stop)
        {
            using Sampler sampler = new(_options);
            using KvCache? cache = _options.EnableKvCache ? _model.NewCache(_prompts.Count, _longest + _options.MaxNewTokens) : null;
            for (int made = 0; made < _options.MaxNewTokens && _end.Any(e => e is null) && !stop.IsCancellationRequested; made++)
            {
                using DisposeScope step = NewDisposeScope();
                int length = _longest + made;
                bool all = made == 0 || cache is null || _model.MustRecompute(length - 1, length);
                Tensor logits_BV = all ? ForwardAll(length, cache) : ForwardLast(cache!);
                Accept(sampler.Choose(logits_BV).cpu().data<long>().ToArray(), onToken);
            }

            return [.. _made.Select((ids, row) => ids.Take(_end[row] ?? ids.Count).ToArray())];
        }

        private void Accept(long[] next, Action<int, int>? onToken)
        {
            for (int row = 0; row < next.Length; row++)
            {
                int id = (int)next[row];
                if (_end[row] is null && _options.StopTokens.Contains(id))
                {
                    _end[row] = _made[row].Count;
                }

                if (_end[row] is null)
                {
                    onToken?.Invoke(row, id);
                }

                _made[row].Add(id);
            }
        }

        /// <summary>Prompts and what was made so far, padded on the left (with id 0, which the mask hides).</summary>
        private long[] Rows(int length)
        {
            long[] ids = new long[_prompts.Count * length];
            for (int row = 0; row < _prompts.Count; row++)
            {
                int start = (row * length) + _longest - _prompts[row].Length;
                foreach (int id in _prompts[row].Concat(_made[row]))
                {
                    ids[start++] = id;
                }
            }

            return ids;
        }

        /// <summary>All tokens at once: the prompt, or every step when there is no cache.</summary>
        private Tensor ForwardAll(int length, KvCache? cache)
        {
            cache?.Reset();
            Tensor tokens_BS = tensor(Rows(length)).reshape(_prompts.Count, length).to(_model.Device);
            Tensor? mask = _ragged ? CausalMask(length) : null;
            Tensor h_BSD = _model.Hidden(tokens_BS, _ragged ? Positions(0, length) : null, mask, null, cache);
            return _model.Unembed(h_BSD.narrow(1, length - 1, 1)).squeeze(1);
        }

        /// <summary>One new token a row.</summary>
        private Tensor ForwardLast(KvCache cache)
        {
            long seen = cache.Length;
            Tensor tokens_B1 = tensor([.. _made.Select(ids => (long)ids[^1])]).reshape(-1, 1).to(_model.Device);
            Tensor? mask = _ragged ? KeyMask(seen + 1).unsqueeze(1).unsqueeze(1) : null;
            return _model.Logits(tokens_B1, _ragged ? Positions(seen, 1) : null, mask, cache).squeeze(1);
        }

        /// <summary>Positions that start at 0 with each row's first real token, [B, count].</summary>
        private Tensor Positions(long start, long count)
        {
            Tensor pads_B1 = tensor([.. _prompts.Select(p => (long)(_longest - p.Length))]).unsqueeze(1);
            return (arange(start, start + count, ScalarType.Int64).unsqueeze(0) - pads_B1).clamp_min(0).to(_model.Device);
        }

        /// <summary>True for real tokens, [B, length].</summary>
        private Tensor KeyMask(long length)
        {
            Tensor pads_B1 = tensor([.. _prompts.Select(p => (long)(_longest - p.Length))]).unsqueeze(1);
            return arange(length, ScalarType.Int64).unsqueeze(0).ge(pads_B1).to(_model.Device);
        }

        /// <summary>Causal, and blind to padding; a padding query sees itself, or its softmax would be 0/0. [B, 1, S, S].</summary>
        private Tensor CausalMask(long length)
        {
            Tensor causal = ones([length, length], ScalarType.Bool, _model.Device).tril();
            Tensor self = eye(length, dtype: ScalarType.Bool, device: _model.Device);
            return causal.logical_and(KeyMask(length).unsqueeze(1)).logical_or(self).unsqueeze(1);
        }
    }
}
