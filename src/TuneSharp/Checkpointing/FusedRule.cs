namespace TuneSharp.Checkpointing;

/// <summary>One weight in the file that is several in the model, laid row upon row (Phi-3's <c>qkv_proj</c>).</summary>
/// <param name="Model">What the whole is called here; a <see cref="WeightRule"/> has the same name. No module carries it.</param>
/// <param name="Parts">The model's weights, in the order of their rows.</param>
public sealed record FusedRule(string Model, IReadOnlyList<FusedPart> Parts);

/// <summary>A part of a fused weight.</summary>
/// <param name="Model">Our name, <c>{}</c> for the layer number.</param>
/// <param name="Rows">How many of the rows.</param>
/// <param name="Order">Their reordering, or null.</param>
public sealed record FusedPart(string Model, long Rows, RowOrder? Order = null);

/// <summary>A part of a fused tensor, found by name.</summary>
/// <param name="Whole">Our name of the whole.</param>
/// <param name="Name">Our name of the part.</param>
/// <param name="Part">Its rows.</param>
/// <param name="Start">The first of them in the whole.</param>
/// <param name="Index">Its number among the parts.</param>
public sealed record FusedSlice(string Whole, string Name, FusedPart Part, long Start, int Index)
{
    /// <summary>Whether it is LoRA's A, whose rows are ranks: the parts of a whole share one, or have one each below the other.</summary>
    public bool IsLoraA => Name.EndsWith(".lora_a.weight", StringComparison.Ordinal);

    /// <summary>Whether it is LoRA's B.</summary>
    public bool IsLoraB => Name.EndsWith(".lora_b.weight", StringComparison.Ordinal);

    /// <summary>This part's tensor out of the whole's.</summary>
    /// <param name="whole">As in the file.</param>
    /// <param name="shape">What the model wants.</param>
    public Tensor Cut(Tensor whole, IReadOnlyList<long> shape)
    {
        if (IsLoraA)
        {
            return whole.shape[0] == shape[0] ? whole : whole.narrow(0, Index * shape[0], shape[0]);
        }

        Tensor rows = whole.narrow(0, Start, Part.Rows);
        if (IsLoraB && rows.shape[1] != shape[1])
        {
            rows = rows.narrow(1, Index * shape[1], shape[1]);
        }

        return Part.Order?.ToModel(rows) ?? rows;
    }

    /// <summary>Whether the whole's tensor has a place for what the model wants.</summary>
    /// <param name="whole">Extents in the file.</param>
    /// <param name="shape">What the model wants.</param>
    /// <param name="parts">Parts of the whole.</param>
    public bool Fits(IReadOnlyList<long> whole, IReadOnlyList<long> shape, IReadOnlyList<FusedSlice> parts)
    {
        long rows = parts.Sum(p => p.Part.Rows);
        return whole.Count == shape.Count
            && (IsLoraA ? whole[1] == shape[1] && (whole[0] == shape[0] || whole[0] == shape[0] * parts.Count)
            : IsLoraB ? whole[0] == rows && (whole[1] == shape[1] || whole[1] == shape[1] * parts.Count)
            : whole[0] == rows && shape[0] == Part.Rows && whole.Skip(1).SequenceEqual(shape.Skip(1)));
    }
}
