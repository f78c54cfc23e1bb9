using TuneSharp.Kernels;

namespace TuneSharp.Checkpointing;

/// <summary>Copies a checkpoint into a model's parameters, after everything was found to fit.</summary>
public static class WeightLoader
{
    private const string Head = "output.weight";
    private const string Embedding = "tok_embeddings.weight";

    /// <summary>Checks all names and shapes, then copies tensor by tensor, converting to each parameter's dtype and device.</summary>
    /// <param name="source">Tensors in Hugging Face's, PEFT's, torchtune's or Meta's names.</param>
    /// <param name="parameters">What is filled, by our names.</param>
    /// <param name="map">The family's table.</param>
    /// <param name="mayBeMissing">True for one of our names that the source need not have (an adapter's, say).</param>
    /// <returns>Our names that the source did not have.</returns>
    /// <exception cref="CheckpointException">Names or shapes do not fit; the message lists every problem. Nothing was copied.</exception>
    public static IReadOnlyList<string> Load(
        ITensorSource source, IReadOnlyDictionary<string, Tensor> parameters, WeightMap map, Func<string, bool> mayBeMissing)
    {
        SourceNaming naming = SourceNaming.Of(source, map);
        List<string> problems = [];
        Dictionary<string, (string File, MappedName Mapped)> plan = new(StringComparer.Ordinal);
        List<string> unexpected = [];
        foreach (string file in source.Tensors.Keys)
        {
            if (naming.ToModel(file) is not { } mapped)
            {
                if (!naming.IsDropped(file))
                {
                    unexpected.Add(file);
                }
            }
            else if (parameters.ContainsKey(mapped.Name))
            {
                if (!plan.TryAdd(mapped.Name, (file, mapped)))
                {
                    problems.Add($"{source.FileOf(file)}: {file} and {plan[mapped.Name].File} are both {mapped.Name}. Keep one.");
                }
            }
            else if (naming.Map?.PartsOf(mapped.Name) is { } parts)
            {
                AddParts(source, parameters, plan, file, parts, problems);
            }
            else if (mapped.Name == Head && parameters.ContainsKey(Embedding))
            {
                CheckTied(source, naming, file, problems);
            }
            else if (!file.Contains(".base_layer.", StringComparison.Ordinal)) // PEFT's copy of a frozen weight
            {
                unexpected.Add(file);
            }
        }

        List<string> missing = [.. parameters.Keys.Where(n => !plan.ContainsKey(n))];
        AddUnexpected(source, unexpected, problems);
        AddMissing(source, naming, [.. missing.Where(n => !mayBeMissing(n))], problems);
        AddShapes(source, parameters, map, plan, problems);
        if (problems.Count > 0)
        {
            throw new CheckpointException(Message(source, parameters, naming, problems));
        }

        Copy(source, parameters, map, naming, plan);
        return missing;
    }

    /// <summary>A weight that the model holds in parts. Adapters that the model does not have on one of them are zeros in the file.</summary>
    private static void AddParts(
        ITensorSource source, IReadOnlyDictionary<string, Tensor> parameters, Dictionary<string, (string File, MappedName Mapped)> plan,
        string file, IReadOnlyList<FusedSlice> parts, List<string> problems)
    {
        long[] whole = source.Tensors[file].Shape;
        foreach (FusedSlice part in parts.Where(p => parameters.ContainsKey(p.Name)))
        {
            long[] wants = parameters[part.Name].shape;
            if (!part.Fits(whole, wants, parts))
            {
                problems.Add(
                    $"{source.FileOf(file)}: {file} is {source.Tensors[file].ShapeText}; the model cuts {part.Name} " +
                    $"[{string.Join(", ", wants)}] out of it, and that does not fit.");
            }
            else if (!plan.TryAdd(part.Name, (file, new MappedName(part.Name, t => part.Cut(t, wants)))))
            {
                problems.Add($"{source.FileOf(file)}: {file} and {plan[part.Name].File} are both {part.Name}. Keep one.");
            }
        }
    }

    private static void Copy(
        ITensorSource source, IReadOnlyDictionary<string, Tensor> parameters, WeightMap map, SourceNaming naming,
        Dictionary<string, (string File, MappedName Mapped)> plan)
    {
        using IDisposable still = no_grad();
        foreach ((string name, (string file, MappedName mapped)) in plan)
        {
            using DisposeScope scope = NewDisposeScope();
            if (MayGrow(map, name, source.Tensors[file].Shape, parameters[name]))
            {
                Grow(parameters[name], mapped.Apply(source.Read(file)));
            }
            else if (parameters[name] is QuantizedParameter quantised)
            {
                FillQuantized(quantised, name, source, file, mapped, map, naming);
            }
            else
            {
                parameters[name].copy_(mapped.Apply(source.Read(file)));
            }
        }
    }

    private static bool MayGrow(WeightMap map, string name, long[] shape, Tensor parameter) =>
        map.Grows && name is Head or Embedding && parameter is not QuantizedParameter
        && shape.Length == 2 && shape[1] == parameter.shape[1] && shape[0] < parameter.shape[0];

    /// <summary>Rows that the file lacks start as the mean of those it has: a token like no other in particular.</summary>
    private static void Grow(Tensor parameter, Tensor rows)
    {
        long known = rows.shape[0];
        parameter.narrow(0, 0, known).copy_(rows);
        Tensor mean = rows.to_type(ScalarType.Float32).mean([0L], keepdim: true);
        parameter.narrow(0, known, parameter.shape[0] - known).copy_(mean);
    }

    /// <summary>A quantised weight keeps the row order of Hugging Face's files, whoever named this one.</summary>
    private static void FillQuantized(
        QuantizedParameter parameter, string name, ITensorSource source, string file, MappedName mapped, WeightMap map, SourceNaming naming)
    {
        IQuantizedSource? quantised = source as IQuantizedSource;
        if (naming.Map?.SliceOf(name) is { } slice && quantised?.IsQuantized != true)
        {
            Tensor rows = source.Read(file);
            parameter.Fill(rows.shape[0] == slice.Part.Rows ? rows : rows.narrow(0, slice.Start, slice.Part.Rows), slice.Part.Order?.ToModel);
        }
        else if (naming.Naming == Naming.HuggingFace && map.SliceOf(name) is null && quantised?.ReadQuantized(file) is { } value)
        {
            parameter.Fill(value, mapped.Transform);
        }
        else if (quantised?.IsQuantized == true)
        {
            parameter.FillPlain(mapped.Apply(source.Read(file))); // left out when the checkpoint was quantised
        }
        else if (naming.Naming == Naming.HuggingFace)
        {
            parameter.Fill(source.Read(file), mapped.Transform);
        }
        else if (map.ToFile(name) is { Transform: not null } hf)
        {
            parameter.Fill(hf.Apply(mapped.Apply(source.Read(file))), map.ToModel(hf.Name)?.Transform);
        }
        else
        {
            parameter.Fill(mapped.Apply(source.Read(file)), null);
        }
    }

    /// <summary>A file may hold the head of a tied model as well; dropping one that differs would change the model in silence.</summary>
    private static void CheckTied(ITensorSource source, SourceNaming naming, string head, List<string> problems)
    {
        string? embedding = source.Tensors.Keys.FirstOrDefault(n => naming.ToModel(n)?.Name == Embedding);
        if (embedding is null)
        {
            return; // reported as missing
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor a = source.Read(head), b = source.Read(embedding);
        if (a.dtype != b.dtype || !a.shape.AsSpan().SequenceEqual(b.shape) || !a.eq(b).all().ToBoolean())
        {
            problems.Add($"{source.FileOf(head)}: {head} differs from {embedding}, and the model uses one weight for both. "
                + "Choose a builder whose output head is its own.");
        }
    }

    private static void AddUnexpected(ITensorSource source, List<string> names, List<string> problems)
    {
        if (names.Count == 0)
        {
            return;
        }

        names.Sort(StringComparer.Ordinal);
        string where = source.FileOf(names[0]);
        problems.Add(names.Exists(IsQuantised)
            ? $"{where}: the checkpoint is quantised ({CheckpointReader.Join(names.Where(IsQuantised).Take(3))} …). Use the original, unquantised one."
            : $"{where}: the model has no place for {CheckpointReader.Join(names)}.");
    }

    private static bool IsQuantised(string name) =>
        name.EndsWith(".absmax", StringComparison.Ordinal) || name.EndsWith(".qweight", StringComparison.Ordinal)
        || name.EndsWith(".weight_scale", StringComparison.Ordinal) || name.EndsWith(".weight_scale_inv", StringComparison.Ordinal)
        || name.EndsWith(".quant_map", StringComparison.Ordinal) || name.EndsWith(".SCB", StringComparison.Ordinal);

    private static void AddMissing(ITensorSource source, SourceNaming naming, List<string> names, List<string> problems)
    {
        string where = source.Tensors.Count > 0 ? source.FileOf(source.Tensors.Keys.First()) : "checkpoint";
        if (names.Remove(Head) && source.Tensors.Count > 0)
        {
            problems.Add(
                $"{where}: has no {naming.ToFile(Head)?.Name ?? Head}, and the model's output head is its own. "
                + "The checkpoint ties its head to the embedding: choose a builder that does (llama3_2_1b does), or another checkpoint.");
        }

        if (names.Count > 0)
        {
            problems.Add($"{where}: lacks {CheckpointReader.Join(names.Select(n => Both(naming, n)))}.");
        }
    }

    private static string Both(SourceNaming naming, string name) =>
        naming.ToFile(name)?.Name is { } file && file != name ? $"{file} ({name} in the model)" : name;

    private static void AddShapes(
        ITensorSource source, IReadOnlyDictionary<string, Tensor> parameters, WeightMap map,
        Dictionary<string, (string File, MappedName Mapped)> plan, List<string> problems)
    {
        int wrong = 0;
        foreach ((string name, (string file, MappedName mapped)) in plan)
        {
            TensorInfo info = source.Tensors[file];
            long[] wants = mapped.ShapeOf(parameters[name].shape);
            if (map.SliceOf(name) is null && !MayGrow(map, name, info.Shape, parameters[name]) && !info.Shape.AsSpan().SequenceEqual(wants) && ++wrong <= 5)
            {
                problems.Add($"{source.FileOf(file)}: {file} is {info.ShapeText}, the model wants [{string.Join(", ", wants)}].");
            }
        }

        if (wrong > 5)
        {
            problems.Add($"{wrong - 5} more tensors have another shape than the model wants.");
        }
    }

    private static string Message(
        ITensorSource source, IReadOnlyDictionary<string, Tensor> parameters, SourceNaming naming, List<string> problems)
    {
        string guesses = string.Join(' ', Guesses(source, parameters, naming));
        return string.Join('\n', (IEnumerable<string>)
            [.. problems, guesses.Length > 0 ? guesses : "Choose the model that the checkpoint was saved from; its config.json says which."]);
    }

    /// <summary>What the sizes suggest; each is marked as a guess by its wording.</summary>
    private static IEnumerable<string> Guesses(ITensorSource source, IReadOnlyDictionary<string, Tensor> parameters, SourceNaming naming)
    {
        Dictionary<string, long[]> file = new(StringComparer.Ordinal);
        foreach (TensorInfo info in source.Tensors.Values)
        {
            if (naming.ToModel(info.Name) is { } mapped)
            {
                file.TryAdd(mapped.Name, info.Shape);
            }
        }

        int fileLayers = Layers(file.Keys), modelLayers = Layers(parameters.Keys);
        if (fileLayers > 0 && modelLayers > 0 && fileLayers != modelLayers)
        {
            yield return $"The file has {fileLayers} layers, the model {modelLayers}: is it another size of the family?";
        }

        if (Two(file, Embedding) is { } ours && parameters.TryGetValue(Embedding, out Tensor? e) && e.shape.Length == 2)
        {
            if (ours[0] != e.shape[0])
            {
                yield return $"The file's vocabulary has {ours[0]} tokens, the model's {e.shape[0]}: is it another family, or was it extended?";
            }

            if (ours[1] != e.shape[1])
            {
                yield return $"The file's embeddings are {ours[1]} wide, the model's {e.shape[1]}: is it another size of the family?";
            }
        }

        const string key = "layers.0.attn.k_proj.weight", query = "layers.0.attn.q_proj.weight";
        if (Two(file, key) is { } k && Two(file, query) is { } q && parameters.TryGetValue(key, out Tensor? want) && want.shape[0] != k[0])
        {
            yield return k[0] < q[0]
                ? $"The file looks like a GQA model (its keys have {k[0]} rows, its queries {q[0]}); the model's keys have {want.shape[0]}."
                : $"The file looks like a model without GQA (keys and queries have {q[0]} rows); the model's keys have {want.shape[0]}.";
        }
    }

    private static long[]? Two(Dictionary<string, long[]> shapes, string name) =>
        shapes.TryGetValue(name, out long[]? shape) && shape.Length == 2 ? shape : null;

    private static int Layers(IEnumerable<string> names)
    {
        int count = 0;
        foreach (string name in names)
        {
            string[] parts = name.Split('.', 3);
            if (parts[0] == "layers" && parts.Length == 3
                && int.TryParse(parts[1], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int i))
            {
                count = Math.Max(count, i + 1);
            }
        }

        return count;
    }
}
