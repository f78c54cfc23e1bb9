namespace TuneSharp.Checkpointing;

/// <summary>Who named the tensors of a file.</summary>
public enum Naming
{
    /// <summary>Hugging Face or PEFT: <c>model.layers.0.self_attn.q_proj.weight</c>.</summary>
    HuggingFace,

    /// <summary>torchtune, as in our models: <c>layers.0.attn.q_proj.weight</c>.</summary>
    TorchTune,

    /// <summary>Meta's own releases: <c>layers.0.attention.wq.weight</c>.</summary>
    Meta,
}

/// <summary>Recognises whose names a source carries, and translates them to ours.</summary>
internal sealed class SourceNaming
{
    // Meta keeps rotary pairs side by side, as our models do: no rows are reordered.
    private static readonly WeightMap MetaMap = new(
        new WeightRule("tok_embeddings", "tok_embeddings"),
        new("layers.{}.attention.wq", "layers.{}.attn.q_proj"),
        new("layers.{}.attention.wk", "layers.{}.attn.k_proj"),
        new("layers.{}.attention.wv", "layers.{}.attn.v_proj"),
        new("layers.{}.attention.wo", "layers.{}.attn.output_proj"),
        new("layers.{}.feed_forward.w1", "layers.{}.mlp.w1"),
        new("layers.{}.feed_forward.w2", "layers.{}.mlp.w2"),
        new("layers.{}.feed_forward.w3", "layers.{}.mlp.w3"),
        new("layers.{}.attention_norm", "layers.{}.sa_norm", WeightName: "scale"),
        new("layers.{}.ffn_norm", "layers.{}.mlp_norm", WeightName: "scale"),
        new("norm", "norm", WeightName: "scale"),
        new("output", "output"),
        new("rope.freqs", null));

    private readonly WeightMap _map;

    private SourceNaming(Naming naming, WeightMap map)
    {
        Naming = naming;
        _map = map;
    }

    internal Naming Naming { get; }

    /// <summary>The table, where it is the file's naming that it translates; null for our own names.</summary>
    internal WeightMap? Map => Naming == Naming.TorchTune ? null : _map;

    /// <summary>Takes the naming that knows most of the names; Hugging Face's when none knows any.</summary>
    internal static SourceNaming Of(ITensorSource source, WeightMap map)
    {
        int hf = 0, ours = 0, meta = 0;
        foreach (string name in source.Tensors.Keys)
        {
            hf += map.ToModel(name) is not null ? 1 : 0;
            ours += map.ToFile(name) is not null ? 1 : 0;
            meta += MetaMap.ToModel(name) is not null ? 1 : 0;
        }

        return hf >= ours && hf >= meta ? new SourceNaming(Naming.HuggingFace, map)
            : ours >= meta ? new SourceNaming(Naming.TorchTune, map)
            : new SourceNaming(Naming.Meta, MetaMap);
    }

    /// <summary>The naming a checkpointer writes.</summary>
    internal static SourceNaming For(Naming naming, WeightMap map) => new(naming, naming == Naming.Meta ? MetaMap : map);

    /// <summary>Our name; null for an unknown or dropped tensor.</summary>
    internal MappedName? ToModel(string name) => Naming == Naming.TorchTune
        ? _map.ToFile(name) is null ? null : new MappedName(name, null)
        : _map.ToModel(name);

    /// <summary>The file's name of one of our tensors; null when there is none.</summary>
    internal MappedName? ToFile(string modelName) => Naming == Naming.TorchTune ? new MappedName(modelName, null) : _map.ToFile(modelName);

    internal bool IsDropped(string name) => Naming != Naming.TorchTune && _map.IsDropped(name);
}
