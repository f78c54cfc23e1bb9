namespace TuneSharp.Checkpointing;

/// <summary>Tensors that are made when they are written, one at a time.</summary>
/// <param name="Infos">Names, shapes and dtypes, in the order in which shards are filled.</param>
/// <param name="Read">Makes or finds a tensor by name; those that it makes are disposed after use.</param>
public sealed record LazyTensors(IReadOnlyList<TensorInfo> Infos, Func<string, Tensor> Read)
{
    /// <summary>No tensors.</summary>
    public static LazyTensors None { get; } = new([], _ => throw new InvalidOperationException("There are no tensors."));

    /// <summary>Tensors that are at hand.</summary>
    /// <param name="tensors">By name; not disposed.</param>
    public static LazyTensors Of(IReadOnlyDictionary<string, Tensor> tensors) =>
        new([.. tensors.Select(t => new TensorInfo(t.Key, t.Value.shape, t.Value.dtype))], name => tensors[name]);

    /// <summary>The same tensors under a file's names, in its row order.</summary>
    /// <exception cref="CheckpointException">The naming has no name for one.</exception>
    internal LazyTensors In(SourceNaming naming, Func<string, MappedName, string>? rename = null)
    {
        List<TensorInfo> infos = [];
        Dictionary<string, (string Ours, MappedName Mapped)> back = new(StringComparer.Ordinal);
        LazyTensors whole = naming.Map is { Fused.Count: > 0 } map ? Joined(map) : this;
        foreach (TensorInfo info in whole.Infos)
        {
            MappedName mapped = naming.ToFile(info.Name)
                ?? throw new CheckpointException($"{info.Name} has no name in {naming.Naming}'s files, so it cannot be saved there.");
            string name = rename?.Invoke(info.Name, mapped) ?? mapped.Name;
            if (!back.TryAdd(name, (info.Name, mapped)))
            {
                throw new CheckpointException($"{info.Name} and {back[name].Ours} would both be saved as {name}.");
            }

            infos.Add(info with { Name = name, Shape = mapped.ShapeOf(info.Shape) });
        }

        return new LazyTensors(infos, name => back[name].Mapped.Apply(whole.Read(back[name].Ours)));
    }

    /// <summary>The same with the parts of each weight that the file holds as one laid row upon row.</summary>
    private LazyTensors Joined(WeightMap map)
    {
        Dictionary<string, TensorInfo> all = Infos.ToDictionary(i => i.Name, StringComparer.Ordinal);
        Dictionary<string, IReadOnlyList<FusedSlice>> wholes = new(StringComparer.Ordinal);
        List<TensorInfo> infos = [];
        foreach (TensorInfo info in Infos)
        {
            if (map.SliceOf(info.Name) is not { } slice)
            {
                infos.Add(info);
            }
            else if (wholes.TryAdd(slice.Whole, map.PartsOf(slice.Whole)!))
            {
                if (wholes[slice.Whole].FirstOrDefault(p => !all.ContainsKey(p.Name)) is { } absent)
                {
                    throw new CheckpointException($"{info.Name} is saved together with {absent.Name}, which is not there.");
                }

                infos.Add(info with { Name = slice.Whole, Shape = [wholes[slice.Whole].Sum(p => p.Part.Rows), .. info.Shape[1..]] });
            }
        }

        return new LazyTensors(infos, name =>
        {
            if (!wholes.TryGetValue(name, out IReadOnlyList<FusedSlice>? parts))
            {
                return Read(name);
            }

            using DisposeScope scope = NewDisposeScope();
            return cat([.. parts.Select(p => p.Part.Order?.ToFile(Read(p.Name)) ?? Read(p.Name))], 0).MoveToOuterDisposeScope();
        });
    }
}
