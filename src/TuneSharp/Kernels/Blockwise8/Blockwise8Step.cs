namespace TuneSharp.Kernels;

/// <summary>What an optimizer with 8-bit state does with a gradient.</summary>
internal enum Rule8
{
    /// <summary>Two states: running means of gradient and square.</summary>
    Adam,

    /// <summary>One state: the momentum buffer; the first step fills it.</summary>
    Momentum,

    /// <summary>One state: running mean of squares.</summary>
    RmsProp,

    /// <summary>One state: sum of squares.</summary>
    Adagrad,

    /// <summary>One state: running mean of the gradient; the weight moves by the sign of another mean.</summary>
    Lion,
}

/// <summary>One step of an 8-bit optimizer over one weight: all that kernels need.</summary>
/// <remarks>
/// The state is held in blocks of 256: uint8 codes of the dynamic maps (first state signed; second unsigned) and one fp32 scale a block.
/// A step reads a block with its old scales, updates in fp32, moves the weight by the unquantised state, and codes the state with new
/// scales. If a code's sign is not its number's, it goes one further. Where a gradient is not finite, the state becomes 0 and the weight
/// stays. Rules and their order are bitsandbytes': decoupled decay comes after Adam's step and before Lion's.
/// </remarks>
/// <param name="Rule">The rule.</param>
/// <param name="Weight">fp32, bf16 or fp16; updated in place.</param>
/// <param name="Gradient">Of the same dtype and layout.</param>
/// <param name="Codes1">First state: uint8, or fp32 for a state that is not coded.</param>
/// <param name="Absmax1">Its scales; null for fp32.</param>
/// <param name="Codes2">Second state, or null.</param>
/// <param name="Absmax2">Its scales.</param>
/// <param name="Beta1">First decay.</param>
/// <param name="Beta2">Second decay.</param>
/// <param name="Eps">Added to the root.</param>
/// <param name="WeightDecay">Decay.</param>
/// <param name="Lr">Learning rate.</param>
/// <param name="Count">Number of this step, from 1.</param>
internal readonly record struct Blockwise8Step(
    Rule8 Rule, Tensor Weight, Tensor Gradient, Tensor Codes1, Tensor? Absmax1, Tensor? Codes2, Tensor? Absmax2,
    float Beta1, float Beta2, float Eps, float WeightDecay, float Lr, long Count)
{
    /// <summary>Elements that share a scale.</summary>
    public const int Block = 256;

    /// <summary>√(1 − β₂^t), Adam's correction of the second mean.</summary>
    public float Correction2 => MathF.Sqrt(1 - FastPower.Of(Beta2, Count));

    /// <summary>Adam's rate with both corrections in it.</summary>
    public float StepSize => Lr * Correction2 / (1 - FastPower.Of(Beta1, Count));

    /// <summary>Takes the step, by the fastest way there is.</summary>
    public void Run()
    {
        if (Absmax1 is null)
        {
            Blockwise8Plain.Run(this);
        }
        else if (KernelChoice.Fused && KernelChoice.FitsCpu(Weight) && Gradient.dtype == Weight.dtype)
        {
            Blockwise8Cpu.Run(this);
        }
        else if (QuantKernels.For(Weight)?.Step(this) != true)
        {
            Blockwise8Plain.Run(this);
        }
    }
}
