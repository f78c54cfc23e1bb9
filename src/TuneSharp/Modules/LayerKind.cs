namespace TuneSharp.Modules;

/// <summary>What the queries of a layer see and how they are turned. Layers of one kind share masks and rotary angles.</summary>
/// <param name="Rope">Rotary positions; null for a layer without any (NoPE).</param>
/// <param name="Window">Keys a query sees, itself included, counted back from itself; null for all.</param>
/// <param name="Chunk">Positions are cut into pieces of this length, and a query sees only its own piece; null for one piece.</param>
/// <param name="Temperature">Growth of the queries with their position, or null.</param>
/// <param name="Causal">A query sees no later key.</param>
public sealed record LayerKind(Rope? Rope, long? Window = null, long? Chunk = null, QueryTemperature? Temperature = null, bool Causal = true);

/// <summary>Queries are multiplied by 1 + <paramref name="Scale"/> · ln(1 + ⌊(p + <paramref name="Shift"/>) / <paramref name="Floor"/>⌋) at position p.</summary>
/// <remarks>Llama 4 has shift 1, Ministral 3 shift 0. Attention stays sharp over contexts longer than those trained on.</remarks>
/// <param name="Scale">Strength.</param>
/// <param name="Floor">Positions between two steps.</param>
/// <param name="Shift">Added to the position.</param>
public sealed record QueryTemperature(double Scale, double Floor, long Shift = 1)
{
    /// <summary>The factors.</summary>
    /// <param name="positions">[T] or [B, T], int64.</param>
    /// <returns>[T, 1, 1] or [B, T, 1, 1], fp32: broadcasts over heads.</returns>
    public Tensor Factors(Tensor positions)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor steps = ((positions + Shift).to(ScalarType.Float32) / Floor).floor();
        return ((steps.log1p() * Scale) + 1).unsqueeze(-1).unsqueeze(-1).MoveToOuterDisposeScope();
    }
}
