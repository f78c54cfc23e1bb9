using TuneSharp.Config;
using TuneSharp.Kernels;

namespace TuneSharp.Training.Optimizers;

/// <summary>torchao's optimizers under their own names and arguments. Reference: https://github.com/pytorch/ao/tree/main/torchao/optim.</summary>
public static class TorchaoOptimizers
{
    /// <summary>torchao's AdamW with its state in 8 bits: the same state, the decay before the step.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="betas">Decay of the running means; null for (0.9, 0.999).</param>
    /// <param name="eps">Added to the root.</param>
    /// <param name="weightDecay">Each step multiplies a weight by 1 − lr·decay first.</param>
    /// <param name="amsgrad">Must be false.</param>
    /// <param name="blockSize">Must be 256.</param>
    /// <param name="bf16StochasticRound">Must be false.</param>
    [Component("torchao.optim.AdamW8bit")]
    [Component("torchao.prototype.low_bit_optim.AdamW8bit")]
    public static Optimizer AdamW8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 1e-2,
        bool amsgrad = false, int blockSize = Blockwise8Step.Block, [ConfigKey("bf16_stochastic_round")] bool bf16StochasticRound = false)
    {
        BitsAndBytesOptimizers.Must("AdamW8bit", !amsgrad, "amsgrad", "False");
        BitsAndBytesOptimizers.Must("AdamW8bit", blockSize == Blockwise8Step.Block, "block_size", "256");
        BitsAndBytesOptimizers.Must("AdamW8bit", !bf16StochasticRound, "bf16_stochastic_round", "False");
        (double beta1, double beta2) = BitsAndBytesOptimizers.Pair("AdamW8bit", betas, (0.9, 0.999));
        return new BlockwiseOptimizer(
            parameters, Rule8.Adam, new(lr, beta1, beta2, eps, weightDecay, 8, BlockwiseSettings.DefaultMin8BitSize, false, DecaysFirst: true));
    }
}
