using TuneSharp.Modules;

namespace TuneSharp.Recipes;

/// <summary>One change of a config that saves memory.</summary>
/// <param name="Change">The words of the command line that make it.</param>
/// <param name="Cost">What it costs.</param>
/// <param name="After">The memory with it.</param>
internal sealed record Remedy(string Change, string Cost, MemoryEstimate After);

/// <summary>What a run can give up for memory, cheapest first.</summary>
internal static class Remedies
{
    /// <summary>Bits that a weight takes in NF4 with its two levels of scales.</summary>
    private const double Nf4Bits = 4.127;

    /// <summary>Bytes of 8-bit AdamW's state for each weight.</summary>
    private const double EightBitState = 2 + (8.0 / 256);

    /// <summary>The changes that save something, each alone, cheapest first.</summary>
    public static IReadOnlyList<Remedy> For(MemoryInputs i)
    {
        long now = MemoryEstimate.Of(i).Total;
        return [.. All(i).Where(r => r.After.Total < now - (now / 100))];
    }

    /// <summary>The fewest changes, cheapest first, that fit a budget; all of them if none do.</summary>
    public static (IReadOnlyList<Remedy> Steps, bool Fits) ToFit(MemoryInputs inputs, long budget)
    {
        List<Remedy> steps = [];
        MemoryInputs at = inputs;
        while (MemoryEstimate.Of(at).Total > budget)
        {
            (Remedy Remedy, MemoryInputs Inputs)[] open = [.. Changes(at).Select(c => (new Remedy(c.Change, c.Cost, MemoryEstimate.Of(c.Inputs)), c.Inputs))
                .Where(c => c.Item1.After.Total < MemoryEstimate.Of(at).Total)];
            if (open.Length == 0)
            {
                return (steps, false);
            }

            // A change that is enough by itself comes before one that is cheaper and not enough.
            (Remedy Remedy, MemoryInputs Inputs) next = open.FirstOrDefault(c => c.Remedy.After.Total <= budget, open[0]);
            steps.Add(next.Remedy);
            at = next.Inputs;
        }

        return (steps, true);
    }

    private static IEnumerable<Remedy> All(MemoryInputs i) => Changes(i).Select(c => new Remedy(c.Change, c.Cost, MemoryEstimate.Of(c.Inputs)));

    private static IEnumerable<(string Change, string Cost, MemoryInputs Inputs)> Changes(MemoryInputs i)
    {
        if (i.Batch > 1)
        {
            yield return (
                FormattableString.Invariant($"batch_size=1 gradient_accumulation_steps={i.Batch * i.Accumulation}"),
                "the same result, often slower",
                i with { Batch = 1, Accumulation = (int)(i.Batch * i.Accumulation) });
        }

        if (i.Activations is not { Recompute: RecomputedPart.Full, EveryNth: 1 })
        {
            yield return (
                "enable_activation_checkpointing=True", "the same result, about a third more time",
                i with { Activations = i.Activations with { Recompute = RecomputedPart.Full, EveryNth = 1 } });
        }
        else if (!i.Offloading && i.IsGpu)
        {
            yield return (
                "enable_activation_offloading=True", "the same result, a little more time",
                i with { Activations = i.Activations with { Offload = true } });
        }

        if (i.Activations.TileTokens == 0 && i.Tokens > 4 * i.Shape.EmbedDim)
        {
            yield return (
                "tiled_mlp=True", "the same result, feed-forward blocks computed once more",
                i with { Activations = i.Activations with { TileTokens = i.Shape.EmbedDim } });
        }

        long eightBit = (long)(i.Trained * EightBitState);
        if (i.Optimizer > eightBit * 3 / 2 && i.Optimizer > 256L << 20)
        {
            yield return ("optimizer=bitsandbytes.optim.AdamW8bit", "optimizer state rounded to 8 bits", i with { Optimizer = eightBit });
        }

        if (!i.IsLora && !i.OptimizerInBackward && i.Accumulation == 1)
        {
            yield return ("optimizer_in_bwd=True", "no gradient clipping, no accumulation", i with { OptimizerInBackward = true });
        }

        if (i.IsLora && i.PlainLinears > 0)
        {
            long packed = (long)(i.PlainLinears * Nf4Bits / 8);
            yield return (
                "model.quantize_base=True", "frozen weights rounded to 4 bits (QLoRA), about a tenth more time",
                i with
                {
                    Weights = i.Weights - (i.PlainLinears * i.Element) + packed,
                    PlainLinears = 0,
                    LargestQuantised = i.Shape.EmbedDim * i.Shape.HiddenDim,
                });
        }

        if (i.Length > 512)
        {
            yield return (
                FormattableString.Invariant($"tokenizer.max_seq_len={i.Length / 2}"), "longer samples are cut", i with { Length = i.Length / 2 });
        }
    }
}
