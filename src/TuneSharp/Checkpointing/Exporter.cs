using TuneSharp.Kernels;

namespace TuneSharp.Checkpointing;

/// <summary>Merges an adapter into its base model, tensor by tensor, and writes a model folder that other tools load.</summary>
/// <remarks>
/// W' = W + scale·B·A; for DoRA, W' = m · (W + scale·B·A) / ‖W + scale·B·A‖ per output row (https://arxiv.org/abs/2402.09353).
/// Computed in fp32 and rounded once, to the weight's dtype. Memory stays near the largest tensor, whatever the model's size.
/// </remarks>
public static class Exporter
{
    private const string Head = "lm_head";

    /// <summary>Merges and writes.</summary>
    /// <param name="baseWeights">The base, in any naming that <see cref="WeightLoader"/> reads; written in Hugging Face's.</param>
    /// <param name="map">The family's table.</param>
    /// <param name="adapter">The adapter's settings; null to write the base alone (in another dtype, or other shards).</param>
    /// <param name="adapterTensors">The adapter's tensors, in PEFT's or our names; null when there is no adapter.</param>
    /// <param name="outDir">A new or empty folder.</param>
    /// <param name="baseDir">The base model's folder: config, tokenizer and generation config are copied from it; null for none.</param>
    /// <param name="dtype">Element type of all floating-point weights; null to keep each one's own.</param>
    /// <param name="shardBytes">Largest shard, in bytes.</param>
    /// <param name="quantization">How the linears are quantised while they are written; null for plain numbers.</param>
    /// <exception cref="CheckpointException">Adapter and base do not fit, or the disk refuses. Nothing is left at <paramref name="outDir"/>.</exception>
    public static void Export(
        ITensorSource baseWeights, WeightMap map, PeftAdapter? adapter, ITensorSource? adapterTensors, string outDir,
        string? baseDir = null, ScalarType? dtype = null, long shardBytes = ShardedWriter.DefaultShardBytes, Quantization? quantization = null)
    {
        if (Directory.Exists(outDir) && Directory.EnumerateFileSystemEntries(outDir).Any())
        {
            throw new CheckpointException($"{outDir}: is not empty, and an export replaces the whole folder. Choose another output_dir, or empty it.");
        }

        HfView weights = new(baseWeights, map);
        HfView? updates = adapterTensors is null ? null : new(adapterTensors, map);
        Dictionary<string, Update> plan = adapter is null || updates is null ? [] : Plan(weights, adapter, updates);
        bool untie = plan.ContainsKey(Head + ".weight") && !weights.Tensors.ContainsKey(Head + ".weight");
        List<TensorInfo> infos = [.. weights.Tensors.Values];
        if (untie)
        {
            // The head alone was adapted: merged, it is no longer the embedding.
            infos.Add(plan[Head + ".weight"].Weight with { Name = Head + ".weight" });
        }

        infos = [.. infos.Select(i => dtype is { } d && IsFloat(i.Dtype) ? i with { Dtype = d } : i)];
        Dictionary<string, TensorInfo> written = infos.ToDictionary(i => i.Name, StringComparer.Ordinal);
        AtomicFolder.Write(outDir, folder =>
        {
            if (baseDir is not null)
            {
                CompanionFiles.Copy(baseDir, folder);
            }

            LazyTensors tensors = new(
                infos,
                name => plan.TryGetValue(name, out Update? u) ? Merge(weights, updates!, u).to_type(written[name].Dtype) : weights.Read(name).to_type(written[name].Dtype));
            tensors = quantization is null ? tensors : BnbWriter.Quantize(tensors, info => IsQuantizable(info, map), quantization);
            ShardedWriter.Write(folder, tensors.Infos, tensors.Read, shardBytes);
            Checkpointer.WriteDtype(folder, infos, untie);
            BnbConfig.Write(folder, quantization);
        });
    }

    /// <summary>bitsandbytes quantises the linears of the layers and leaves embeddings, norms and the head.</summary>
    private static bool IsQuantizable(TensorInfo info, WeightMap map) =>
        info.Shape.Length == 2 && IsFloat(info.Dtype) && info.Name.EndsWith(".weight", StringComparison.Ordinal)
        && map.ToModel(info.Name)?.Name.StartsWith("layers.", StringComparison.Ordinal) == true;

    /// <summary>One merged weight.</summary>
    private sealed record Update(TensorInfo Weight, string A, string B, string? Magnitude, double Scale, bool Transposed = false);

    private static Tensor Merge(HfView weights, HfView updates, Update u)
    {
        using IDisposable still = no_grad();
        using DisposeScope scope = NewDisposeScope();
        if (u.Weight.Shape.Length == 3)
        {
            return MergeExperts(weights, updates, u).MoveToOuterDisposeScope();
        }

        Tensor a_RI = updates.Read(u.A).to_type(ScalarType.Float32);
        Tensor b_OR = updates.Read(u.B).to_type(ScalarType.Float32);
        Tensor base_OI = weights.Read(u.Weight.Name).to_type(ScalarType.Float32);
        Tensor w_OI = b_OR.mm(a_RI).mul_(u.Scale).add_(u.Transposed ? base_OI.t() : base_OI);
        if (u.Magnitude is not null)
        {
            Tensor m_O1 = updates.Read(u.Magnitude).to_type(ScalarType.Float32).reshape(-1, 1);
            w_OI = w_OI.mul_(m_O1 / w_OI.norm(1, keepdim: true, p: 2));
        }

        return (u.Transposed ? w_OI.t() : w_OI).MoveToOuterDisposeScope();
    }

    /// <summary>Experts that share a weight [E, I, O]: A holds E·r rows, expert by expert, and B r·E columns, rank by rank.</summary>
    private static Tensor MergeExperts(HfView weights, HfView updates, Update u)
    {
        long experts = u.Weight.Shape[0];
        Tensor a_ERI = updates.Read(u.A).to_type(ScalarType.Float32).reshape(experts, -1, u.Weight.Shape[1]);
        Tensor b_ORE = updates.Read(u.B).to_type(ScalarType.Float32).reshape(u.Weight.Shape[2], -1, experts);
        Tensor delta_EIO = a_ERI.transpose(1, 2).bmm(b_ORE.permute(2, 1, 0)).mul_(u.Scale);
        return delta_EIO.add_(weights.Read(u.Weight.Name).to_type(ScalarType.Float32));
    }

    private static Dictionary<string, Update> Plan(HfView weights, PeftAdapter adapter, HfView updates)
    {
        Dictionary<string, Dictionary<string, string>> modules = new(StringComparer.Ordinal);
        foreach (string name in updates.Tensors.Keys)
        {
            (string module, string part) = PeftAdapter.Split(name)
                ?? throw new CheckpointException($"{updates.FileOf(name)}: {name} is no part of a LoRA. Merge this adapter with PEFT.");
            if (!modules.TryGetValue(module, out Dictionary<string, string>? parts))
            {
                modules[module] = parts = new(StringComparer.Ordinal);
            }

            parts[part] = name;
        }

        Dictionary<string, Update> plan = new(StringComparer.Ordinal);
        foreach ((string module, Dictionary<string, string> parts) in modules)
        {
            if (parts.Count == 1 && parts.ContainsKey("base_layer"))
            {
                continue; // PEFT's copy of a frozen weight
            }

            Update update = Check(weights, adapter, updates, module, parts);
            plan.Add(update.Weight.Shape.Length == 3 || module != Head ? update.Weight.Name : module + ".weight", update);
        }

        return plan.Count > 0 ? plan : throw new CheckpointException("The adapter has no tensors, so there is nothing to merge. Name the folder of a trained adapter.");
    }

    private static Update Check(HfView weights, PeftAdapter adapter, HfView updates, string module, Dictionary<string, string> parts)
    {
        string file = updates.FileOf(parts.Values.First());
        if (!parts.TryGetValue("lora_A", out string? a) || !parts.TryGetValue("lora_B", out string? b))
        {
            throw new CheckpointException($"{file}: {module} has no {(parts.ContainsKey("lora_A") ? "lora_B" : "lora_A")}. Save or download the adapter again.");
        }

        string? magnitude = parts.GetValueOrDefault("lora_magnitude_vector");
        if (adapter.UseDora != magnitude is not null)
        {
            throw new CheckpointException(
                $"{file}: use_dora is {(adapter.UseDora ? "true" : "false")}, and {module} has {(magnitude is null ? "no" : "a")} lora_magnitude_vector. "
                + "Settings and weights do not belong together.");
        }

        TensorInfo? weight = weights.Tensors.GetValueOrDefault(module + ".weight")
            ?? ExpertWeight(weights, module, updates.Tensors[b].Shape)
            ?? (module == Head ? weights.Tensors.GetValueOrDefault("model.embed_tokens.weight") : null);
        if (weight is null)
        {
            throw new CheckpointException($"{file}: adapts {module}, which the base model does not have. Choose the base that the adapter was trained on"
                + (adapter.BaseModelNameOrPath is { } name ? $": {name}." : "."));
        }

        long[] sa = updates.Tensors[a].Shape, sb = updates.Tensors[b].Shape;
        bool transposed = weights.IsTransposed(weight.Name);
        if (weight.Shape.Length == 3 && sa.Length == 2 && sb.Length == 2 && sa[1] == weight.Shape[1] && sb[0] == weight.Shape[2]
            && sa[0] == sb[1] && sa[0] == adapter.RankOf(module) * weight.Shape[0])
        {
            return new Update(weight, a, b, null, adapter.ScaleOf(module));
        }

        (long rows, long columns) = weight.Shape.Length != 2 ? (-1, -1)
            : transposed ? (weight.Shape[1], weight.Shape[0]) : (weight.Shape[0], weight.Shape[1]);
        bool fits = weight.Shape.Length == 2 && sa.Length == 2 && sb.Length == 2 && sb[0] == rows && sa[1] == columns && sa[0] == sb[1]
            && (magnitude is null || updates.Tensors[magnitude].Count == rows);
        if (!fits)
        {
            throw new CheckpointException(
                $"{file}: {module} has B {updates.Tensors[b].ShapeText} and A {updates.Tensors[a].ShapeText}, and the base's weight is {weight.ShapeText}. "
                + "Choose the base that the adapter was trained on" + (adapter.BaseModelNameOrPath is { } name ? $": {name}." : "."));
        }

        int rank = adapter.RankOf(module);
        return rank == sa[0] ? new Update(weight, a, b, magnitude, adapter.ScaleOf(module), transposed)
            : throw new CheckpointException($"{file}: {module} has rank {sa[0]}, and {PeftAdapter.ConfigName} says {rank}. They do not belong together.");
    }

    /// <summary>
    /// The weight that PEFT's wrappers mean: <c>experts</c> and <c>experts.base_layer</c>, one inside the other, without saying which weight
    /// is whose. The number of outputs does: gate and up together have another than down.
    /// </summary>
    private static TensorInfo? ExpertWeight(HfView weights, string module, long[] b)
    {
        string experts = module.EndsWith(".base_layer", StringComparison.Ordinal) ? module[..^".base_layer".Length] : module;
        return ((string[])["gate_up_proj", "down_proj"]).Select(part => weights.Tensors.GetValueOrDefault($"{experts}.{part}"))
            .FirstOrDefault(w => w is { Shape.Length: 3 } && b.Length == 2 && w.Shape[2] == b[0]);
    }

    private static bool IsFloat(ScalarType type) => type is ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64;

    /// <summary>A source under Hugging Face's (for adapters, PEFT's) names and row order, whatever its own are.</summary>
    private sealed class HfView
    {
        private readonly ITensorSource _source;
        private readonly WeightMap _map;
        private readonly IReadOnlyDictionary<string, TensorInfo> _tensors;
        private readonly Func<string, Tensor> _read;

        internal HfView(ITensorSource source, WeightMap map)
        {
            (_source, _map) = (source, map);
            SourceNaming naming = SourceNaming.Of(source, map);
            if (naming.Naming == Naming.HuggingFace)
            {
                // All of it, known to the family or not: an export loses nothing.
                _tensors = source.Tensors;
                _read = source.Read;
                return;
            }

            Dictionary<string, (string File, MappedName Mapped)> ours = new(StringComparer.Ordinal);
            foreach (string file in source.Tensors.Keys.Where(f => !naming.IsDropped(f)))
            {
                MappedName mapped = naming.ToModel(file)
                    ?? throw new CheckpointException($"{source.FileOf(file)}: {file} has no name in Hugging Face's files of this family.");
                ours.Add(mapped.Name, (file, mapped));
            }

            LazyTensors renamed = new LazyTensors(
                [.. ours.Select(o => source.Tensors[o.Value.File] with { Name = o.Key })],
                name => ours[name].Mapped.Apply(source.Read(ours[name].File))).In(SourceNaming.For(Naming.HuggingFace, map));
            _tensors = renamed.Infos.ToDictionary(i => i.Name, StringComparer.Ordinal);
            _read = renamed.Read;
        }

        internal IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

        /// <summary>Whether the files hold a weight as [in, out].</summary>
        internal bool IsTransposed(string name) => _map.ToModel(name)?.Transposed == true;

        internal string FileOf(string name) => _source.FileOf(_source.Tensors.ContainsKey(name) ? name : _source.Tensors.Keys.First());

        internal Tensor Read(string name) => _read(name);
    }
}
