using TuneSharp.Checkpointing;
using TuneSharp.Kernels;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;

namespace TuneSharp.Models;

/// <summary>Adapters on weights that are one in Hugging Face's files and several here (Phi-3's <c>qkv_proj</c>), in PEFT's form.</summary>
/// <remarks>
/// n adapters of rank r become one of rank n·r on the whole: A lies row upon row, B is block-diagonal, and a part without an adapter is
/// zeros. The file's rank_pattern and alpha_pattern say so, and PEFT computes the same. Read back, each part takes its own block; an
/// adapter that PEFT trained (one A of rank r for all parts) gives each part a copy of A.
/// </remarks>
internal static class FusedAdapters
{
    /// <summary>Ranks and alphas of the wholes, by their name in the file.</summary>
    /// <param name="lora">The model's adapters.</param>
    /// <param name="map">The family's weight names.</param>
    public static IEnumerable<(FusedRule Rule, string Target, double Rank, double Alpha)> Patterns(LoraConfig lora, WeightMap map) =>
        map.Fused.Select(f => (
            f,
            map.Rules.First(r => r.Model == f.Model).File.Split('.')[^1],
            (double)lora.Rank * f.Parts.Count,
            lora.Alpha * (lora.UseRslora ? Math.Sqrt(f.Parts.Count) : f.Parts.Count)));

    /// <summary>Whether a PEFT file's own ranks for some modules are those that we write.</summary>
    /// <param name="adapter">PEFT's settings.</param>
    /// <param name="map">The family's weight names.</param>
    public static bool AreOurs(PeftAdapter adapter, WeightMap map)
    {
        LoraConfig lora = new() { AttnModules = [], Rank = adapter.R, Alpha = adapter.LoraAlpha, UseRslora = adapter.UseRslora };
        var ours = Patterns(lora, map).ToDictionary(p => p.Target, p => (p.Rank, p.Alpha), StringComparer.Ordinal);
        return adapter.RankPattern.Keys.Order(StringComparer.Ordinal).SequenceEqual(adapter.AlphaPattern.Keys.Order(StringComparer.Ordinal), StringComparer.Ordinal)
            && adapter.RankPattern.All(p => ours.TryGetValue(p.Key, out var o) && o.Rank == p.Value
                && Math.Abs(adapter.AlphaPattern[p.Key] - o.Alpha) <= 1e-9 * o.Alpha);
    }

    /// <summary>The same tensors with the parts of each whole put together.</summary>
    /// <param name="tensors">Adapters by our names.</param>
    /// <param name="model">Their model.</param>
    public static LazyTensors Join(IReadOnlyDictionary<string, Tensor> tensors, TransformerDecoder model)
    {
        WeightMap map = model.Weights;
        Dictionary<string, IReadOnlyList<FusedSlice>> wholes = new(StringComparer.Ordinal);
        List<TensorInfo> infos = [];
        foreach ((string name, Tensor t) in tensors)
        {
            if (map.SliceOf(name) is not { } slice)
            {
                infos.Add(new TensorInfo(name, t.shape, t.dtype));
            }
            else if (wholes.TryAdd(slice.Whole, map.PartsOf(slice.Whole)!))
            {
                IReadOnlyList<FusedSlice> parts = wholes[slice.Whole];
                long rows = parts.Sum(p => p.Part.Rows);
                long[] shape = slice.IsLoraA ? [t.shape[0] * parts.Count, t.shape[1]]
                    : slice.IsLoraB ? [rows, t.shape[1] * parts.Count] : [rows];
                infos.Add(new TensorInfo(slice.Whole, shape, t.dtype));
            }
        }

        return new LazyTensors(infos, name => wholes.TryGetValue(name, out IReadOnlyList<FusedSlice>? parts) ? Whole(parts, tensors, model) : tensors[name]);
    }

    private static Tensor Whole(IReadOnlyList<FusedSlice> parts, IReadOnlyDictionary<string, Tensor> tensors, TransformerDecoder model)
    {
        using IDisposable off = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor some = tensors[parts.First(p => tensors.ContainsKey(p.Name)).Name];
        Tensor Rows(FusedSlice p, Tensor t) => p.Part.Order?.ToFile(t) ?? t;
        Tensor Part(FusedSlice p) => tensors.GetValueOrDefault(p.Name) is { } t
            ? p.IsLoraA ? t : Rows(p, t)
            : p.IsLoraA ? zeros_like(some)
            : p.IsLoraB ? zeros([p.Part.Rows, some.shape[1]], some.dtype, some.device)
            : Rows(p, BaseNorms(p, model)).to(some.dtype);
        Tensor[] blocks = [.. parts.Select(Part)];
        Tensor whole = parts[0].IsLoraB ? block_diag(blocks) : cat(blocks, 0);
        return whole.MoveToOuterDisposeScope();
    }

    /// <summary>What DoRA's magnitude is where nothing was trained: the lengths of the weight's rows.</summary>
    private static Tensor BaseNorms(FusedSlice part, TransformerDecoder model)
    {
        Tensor weight = model.NamedParameters()[part.Name[..part.Name.LastIndexOf('.')] + ".weight"];
        Tensor dense = weight is QuantizedParameter quantised ? quantised.Dense() : weight;
        return dense.to(ScalarType.Float32).square().sum(dim: 1).sqrt();
    }
}
