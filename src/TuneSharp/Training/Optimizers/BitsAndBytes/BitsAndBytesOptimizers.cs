using TuneSharp.Config;
using TuneSharp.Kernels;

namespace TuneSharp.Training.Optimizers;

/// <summary>bitsandbytes' optimizers under their own names and arguments.</summary>
/// <remarks>
/// <c>8bit</c> holds the state in 8 bits, the others in fp32; <c>Paged</c> keeps it in the machine's memory while training on a GPU. In
/// bitsandbytes Adam decays weights as AdamW does; only the default differs. Reference: https://github.com/bitsandbytes-foundation/bitsandbytes.
/// </remarks>
public static class BitsAndBytesOptimizers
{
    /// <summary>AdamW with its state in 8 bits.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="betas">Decay of the running means; null for (0.9, 0.999).</param>
    /// <param name="eps">Added to the root.</param>
    /// <param name="weightDecay">After each step a weight is multiplied by 1 − lr·decay.</param>
    /// <param name="amsgrad">Must be false.</param>
    /// <param name="optimBits">8; accepted, the name says it.</param>
    /// <param name="min8BitSize">Weights with fewer elements keep their state in fp32.</param>
    /// <param name="percentileClipping">Must be 100: off.</param>
    /// <param name="blockWise">Must be true.</param>
    /// <param name="isPaged">Keep the state in the machine's memory.</param>
    [Component("bitsandbytes.optim.AdamW8bit")]
    public static Optimizer AdamW8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 1e-2,
        bool amsgrad = false, int optimBits = 8, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true, bool isPaged = false) =>
        Adam("AdamW8bit", parameters, lr, betas, eps, weightDecay, amsgrad, 8, min8BitSize, percentileClipping, blockWise, isPaged);

    /// <summary>Adam with its state in 8 bits.</summary>
    /// <inheritdoc cref="AdamW8bit"/>
    [Component("bitsandbytes.optim.Adam8bit")]
    public static Optimizer Adam8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 0,
        bool amsgrad = false, int optimBits = 8, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true, bool isPaged = false) =>
        Adam("Adam8bit", parameters, lr, betas, eps, weightDecay, amsgrad, 8, min8BitSize, percentileClipping, blockWise, isPaged);

    /// <summary>AdamW with its state in 8 bits and in the machine's memory.</summary>
    /// <inheritdoc cref="AdamW8bit"/>
    [Component("bitsandbytes.optim.PagedAdamW8bit")]
    public static Optimizer PagedAdamW8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 1e-2,
        bool amsgrad = false, int optimBits = 8, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true) =>
        Adam("PagedAdamW8bit", parameters, lr, betas, eps, weightDecay, amsgrad, 8, min8BitSize, percentileClipping, blockWise, isPaged: true);

    /// <summary>Adam with its state in 8 bits and in the machine's memory.</summary>
    /// <inheritdoc cref="AdamW8bit"/>
    [Component("bitsandbytes.optim.PagedAdam8bit")]
    public static Optimizer PagedAdam8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 0,
        bool amsgrad = false, int optimBits = 8, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true) =>
        Adam("PagedAdam8bit", parameters, lr, betas, eps, weightDecay, amsgrad, 8, min8BitSize, percentileClipping, blockWise, isPaged: true);

    /// <summary>AdamW with its state in fp32 (or, with optim_bits 8, in 8 bits).</summary>
    /// <inheritdoc cref="AdamW8bit"/>
    [Component("bitsandbytes.optim.AdamW")]
    public static Optimizer AdamW(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 1e-2,
        bool amsgrad = false, int optimBits = 32, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true, bool isPaged = false) =>
        Adam("AdamW", parameters, lr, betas, eps, weightDecay, amsgrad, optimBits, min8BitSize, percentileClipping, blockWise, isPaged);

    /// <summary>Adam with its state in fp32 (or, with optim_bits 8, in 8 bits).</summary>
    /// <inheritdoc cref="AdamW8bit"/>
    [Component("bitsandbytes.optim.Adam")]
    public static Optimizer Adam(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 0,
        bool amsgrad = false, int optimBits = 32, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true, bool isPaged = false) =>
        Adam("Adam", parameters, lr, betas, eps, weightDecay, amsgrad, optimBits, min8BitSize, percentileClipping, blockWise, isPaged);

    /// <summary>AdamW with its state in fp32 and in the machine's memory.</summary>
    /// <inheritdoc cref="AdamW8bit"/>
    [Component("bitsandbytes.optim.PagedAdamW")]
    public static Optimizer PagedAdamW(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 1e-2,
        bool amsgrad = false, int optimBits = 32, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true) =>
        Adam("PagedAdamW", parameters, lr, betas, eps, weightDecay, amsgrad, optimBits, min8BitSize, percentileClipping, blockWise, isPaged: true);

    /// <summary>Adam with its state in fp32 and in the machine's memory.</summary>
    /// <inheritdoc cref="AdamW8bit"/>
    [Component("bitsandbytes.optim.PagedAdam")]
    public static Optimizer PagedAdam(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-3, double[]? betas = null, double eps = 1e-8, double weightDecay = 0,
        bool amsgrad = false, int optimBits = 32, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true) =>
        Adam("PagedAdam", parameters, lr, betas, eps, weightDecay, amsgrad, optimBits, min8BitSize, percentileClipping, blockWise, isPaged: true);

    /// <summary>Lion with its state in 8 bits. Paper: https://arxiv.org/abs/2302.06675.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="betas">Decay of the mean that gives the sign, and of the one that is kept; null for (0.9, 0.99).</param>
    /// <param name="weightDecay">Before each step a weight is multiplied by 1 − lr·decay.</param>
    /// <param name="min8BitSize">Weights with fewer elements keep their state in fp32.</param>
    /// <param name="percentileClipping">Must be 100: off.</param>
    /// <param name="blockWise">Must be true.</param>
    /// <param name="isPaged">Keep the state in the machine's memory.</param>
    [Component("bitsandbytes.optim.Lion8bit")]
    public static Optimizer Lion8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-4, double[]? betas = null, double weightDecay = 0,
        [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize, int percentileClipping = 100, bool blockWise = true,
        bool isPaged = false) => Lion("Lion8bit", parameters, lr, betas, weightDecay, 8, min8BitSize, percentileClipping, blockWise, isPaged);

    /// <summary>Lion with its state in 8 bits and in the machine's memory.</summary>
    /// <inheritdoc cref="Lion8bit"/>
    [Component("bitsandbytes.optim.PagedLion8bit")]
    public static Optimizer PagedLion8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-4, double[]? betas = null, double weightDecay = 0,
        [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize, int percentileClipping = 100, bool blockWise = true) =>
        Lion("PagedLion8bit", parameters, lr, betas, weightDecay, 8, min8BitSize, percentileClipping, blockWise, isPaged: true);

    /// <summary>Lion with its state in fp32.</summary>
    /// <inheritdoc cref="Lion8bit"/>
    [Component("bitsandbytes.optim.Lion")]
    public static Optimizer Lion(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-4, double[]? betas = null, double weightDecay = 0, int optimBits = 32,
        [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize, int percentileClipping = 100, bool blockWise = true,
        bool isPaged = false) => Lion("Lion", parameters, lr, betas, weightDecay, optimBits, min8BitSize, percentileClipping, blockWise, isPaged);

    /// <summary>Gradient descent with momentum, its state in 8 bits.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="momentum">Decay of the momentum buffer, above 0.</param>
    /// <param name="dampening">Must be 0.</param>
    /// <param name="weightDecay">Weight of the L2 term.</param>
    /// <param name="nesterov">Must be false.</param>
    /// <param name="min8BitSize">Weights with fewer elements keep their state in fp32.</param>
    /// <param name="percentileClipping">Must be 100: off.</param>
    /// <param name="blockWise">Must be true.</param>
    [Component("bitsandbytes.optim.SGD8bit")]
    public static Optimizer SGD8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr, double momentum = 0, double dampening = 0, double weightDecay = 0,
        bool nesterov = false, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize, int percentileClipping = 100,
        bool blockWise = true)
    {
        Must("SGD8bit", momentum > 0, "momentum", "above 0, as in 0.9; without momentum there is no state to save, use torch.optim.SGD");
        Must("SGD8bit", dampening == 0, "dampening", "0");
        Must("SGD8bit", !nesterov, "nesterov", "False");
        return New("SGD8bit", parameters, Rule8.Momentum, percentileClipping, blockWise, new(lr, momentum, 0, 0, weightDecay, 8, min8BitSize, false));
    }

    /// <summary>RMSprop with its state in 8 bits.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="alpha">Decay of the running mean of squares, above 0.</param>
    /// <param name="eps">Added to its root.</param>
    /// <param name="weightDecay">Weight of the L2 term.</param>
    /// <param name="momentum">Must be 0.</param>
    /// <param name="centered">Must be false.</param>
    /// <param name="min8BitSize">Weights with fewer elements keep their state in fp32.</param>
    /// <param name="percentileClipping">Must be 100: off.</param>
    /// <param name="blockWise">Must be true.</param>
    [Component("bitsandbytes.optim.RMSprop8bit")]
    public static Optimizer RMSprop8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-2, double alpha = 0.99, double eps = 1e-8, double weightDecay = 0,
        double momentum = 0, bool centered = false, [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize,
        int percentileClipping = 100, bool blockWise = true)
    {
        Must("RMSprop8bit", alpha > 0, "alpha", "above 0");
        Must("RMSprop8bit", momentum == 0, "momentum", "0; bitsandbytes passes it over");
        Must("RMSprop8bit", !centered, "centered", "False");
        return New("RMSprop8bit", parameters, Rule8.RmsProp, percentileClipping, blockWise, new(lr, alpha, 0, eps, weightDecay, 8, min8BitSize, false));
    }

    /// <summary>Adagrad with its state in 8 bits.</summary>
    /// <param name="parameters">What it trains.</param>
    /// <param name="lr">Learning rate.</param>
    /// <param name="lrDecay">Must be 0.</param>
    /// <param name="weightDecay">Weight of the L2 term.</param>
    /// <param name="initialAccumulatorValue">Must be 0.</param>
    /// <param name="eps">Added to the root.</param>
    /// <param name="optimBits">8; accepted, the name says it.</param>
    /// <param name="min8BitSize">Weights with fewer elements keep their state in fp32.</param>
    /// <param name="percentileClipping">Must be 100: off.</param>
    /// <param name="blockWise">Must be true.</param>
    [Component("bitsandbytes.optim.Adagrad8bit")]
    public static Optimizer Adagrad8bit(
        [Runtime] IReadOnlyList<NamedParameter> parameters, double lr = 1e-2, double lrDecay = 0, double weightDecay = 0,
        double initialAccumulatorValue = 0, double eps = 1e-10, int optimBits = 8,
        [ConfigKey("min_8bit_size")] int min8BitSize = BlockwiseSettings.DefaultMin8BitSize, int percentileClipping = 100, bool blockWise = true)
    {
        Must("Adagrad8bit", lrDecay == 0, "lr_decay", "0");
        Must("Adagrad8bit", initialAccumulatorValue == 0, "initial_accumulator_value", "0");
        Must("Adagrad8bit", optimBits == 8, "optim_bits", "8");
        return New("Adagrad8bit", parameters, Rule8.Adagrad, percentileClipping, blockWise, new(lr, 0, 0, eps, weightDecay, 8, min8BitSize, false));
    }

    private static BlockwiseOptimizer Adam(
        string name, IReadOnlyList<NamedParameter> parameters, double lr, double[]? betas, double eps, double weightDecay, bool amsgrad, int bits,
        int min8BitSize, int percentileClipping, bool blockWise, bool isPaged)
    {
        Must(name, !amsgrad, "amsgrad", "False; bitsandbytes has no such rule");
        (double beta1, double beta2) = Pair(name, betas, (0.9, 0.999));
        return New(name, parameters, Rule8.Adam, percentileClipping, blockWise, new(lr, beta1, beta2, eps, weightDecay, bits, min8BitSize, isPaged));
    }

    private static BlockwiseOptimizer Lion(
        string name, IReadOnlyList<NamedParameter> parameters, double lr, double[]? betas, double weightDecay, int bits, int min8BitSize,
        int percentileClipping, bool blockWise, bool isPaged)
    {
        (double beta1, double beta2) = Pair(name, betas, (0.9, 0.99));
        return New(name, parameters, Rule8.Lion, percentileClipping, blockWise, new(lr, beta1, beta2, 0, weightDecay, bits, min8BitSize, isPaged));
    }

    private static BlockwiseOptimizer New(
        string name, IReadOnlyList<NamedParameter> parameters, Rule8 rule, int percentileClipping, bool blockWise, BlockwiseSettings settings)
    {
        Must(name, percentileClipping == 100, "percentile_clipping", "100, which is off; use clip_grad_norm of the recipe");
        Must(name, blockWise, "block_wise", "True");
        return new BlockwiseOptimizer(parameters, rule, settings);
    }

    internal static (double, double) Pair(string name, double[]? betas, (double, double) otherwise)
    {
        Must(name, betas is null or { Length: 2 }, "betas", "two numbers, as in [0.9, 0.999]");
        return betas is null ? otherwise : (betas[0], betas[1]);
    }

    internal static void Must(string name, bool valid, string key, string range)
    {
        if (!valid)
        {
            throw new ArgumentException($"{name}: {key} must be {range}.");
        }
    }
}
