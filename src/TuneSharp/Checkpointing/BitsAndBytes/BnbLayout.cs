using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using TuneSharp.Backend;
using TuneSharp.Kernels;

namespace TuneSharp.Checkpointing;

/// <summary>How bitsandbytes lays quantised weights out in a file: the codes under the weight's own name, the rest beside them.</summary>
/// <remarks>
/// 4 bits: <c>W</c>, <c>W.absmax</c>, <c>W.quant_map</c>, with double quantisation <c>W.nested_absmax</c> and <c>W.nested_quant_map</c>, and
/// <c>W.quant_state.bitsandbytes__nf4</c> (or <c>fp4</c>), a JSON text as uint8. int8: <c>W</c>, and <c>SCB</c> and <c>weight_format</c> of its module.
/// </remarks>
internal static class BnbLayout
{
    private const string State = ".quant_state.bitsandbytes__";
    private const string RowScales = ".SCB";
    private const string RowFormat = ".weight_format";
    private const string Weight = ".weight";

    /// <summary>The quantised weights among a file's tensors, and the names that belong to them.</summary>
    /// <param name="tensors">All tensors.</param>
    /// <param name="read">Reads one.</param>
    public static BnbWeights Find(IReadOnlyDictionary<string, TensorInfo> tensors, Func<string, Tensor> read)
    {
        Dictionary<string, TensorInfo> weights = new(StringComparer.Ordinal);
        HashSet<string> parts = new(StringComparer.Ordinal);
        foreach (string name in tensors.Keys)
        {
            int at = name.IndexOf(State, StringComparison.Ordinal);
            if (at > 0)
            {
                string weight = name[..at];
                BnbState state = ReadState(name, read);
                weights[weight] = new TensorInfo(weight, state.Shape, state.Dtype);
                foreach (string part in new[] { ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", name[at..] })
                {
                    parts.Add(weight + part);
                }
            }
            else if (name.EndsWith(RowScales, StringComparison.Ordinal)
                && tensors.GetValueOrDefault(name[..^RowScales.Length] + Weight) is { Dtype: ScalarType.Int8 } rows)
            {
                weights[rows.Name] = rows with { Dtype = ScalarType.Float16 };
                parts.Add(name);
                parts.Add(name[..^RowScales.Length] + RowFormat);
            }
        }

        return new BnbWeights(weights, parts);
    }

    /// <summary>Reads a quantised weight.</summary>
    /// <param name="weight">Its name.</param>
    /// <param name="tensors">All tensors of the file.</param>
    /// <param name="read">Reads one.</param>
    /// <exception cref="CheckpointException">A part is missing, or has another size or table than it should.</exception>
    public static QuantizedTensor Read(string weight, IReadOnlyDictionary<string, TensorInfo> tensors, Func<string, Tensor> read)
    {
        using DisposeScope scope = NewDisposeScope();
        if (tensors[weight].Dtype == ScalarType.Int8)
        {
            Tensor scales = read(weight[..^Weight.Length] + RowScales).to(ScalarType.Float32);
            return new QuantizedTensor(new Quantization(QuantType.Int8), tensors[weight].Shape, ScalarType.Float16, read(weight).clone(), scales.clone());
        }

        string key = tensors.Keys.First(n => n.StartsWith(weight + State, StringComparison.Ordinal));
        BnbState state = ReadState(key, read);
        Tensor Part(string suffix) => tensors.ContainsKey(weight + suffix) ? read(weight + suffix)
            : throw new CheckpointException($"{weight}{suffix} is missing beside {key}. Download the checkpoint again.");
        QuantType type = key.EndsWith("fp4", StringComparison.Ordinal) && !key.EndsWith("nf4", StringComparison.Ordinal) ? QuantType.Fp4 : QuantType.Nf4;
        CheckTable(weight + ".quant_map", Part(".quant_map"), CodeBook.Of(type));
        Tensor codes = read(weight);
        codes = codes.dtype == ScalarType.Byte ? codes.clone() : Aten.ViewAs(codes.clone(), ScalarType.Byte);
        long count = state.Shape.Aggregate(1L, (a, b) => a * b);
        if (codes.numel() != Quantization.Ceil(count, 2))
        {
            throw new CheckpointException(
                $"{weight}: has {codes.numel()} bytes of codes, and [{string.Join(", ", state.Shape)}] needs {Quantization.Ceil(count, 2)}. Download the checkpoint again.");
        }

        codes = codes.reshape(-1, 1);
        if (state.NestedOffset is not { } offset)
        {
            return new QuantizedTensor(new(type, false, state.BlockSize), state.Shape, state.Dtype, codes, Part(".absmax").to(ScalarType.Float32).clone());
        }

        if (state.NestedBlockSize != Quantization.NestedBlockSize)
        {
            throw new CheckpointException($"{key}: nested_blocksize is {state.NestedBlockSize}; only {Quantization.NestedBlockSize}, bitsandbytes' own, is read.");
        }

        CheckTable(weight + ".nested_quant_map", Part(".nested_quant_map"), CodeBook.Dynamic);
        return new QuantizedTensor(
            new(type, true, state.BlockSize), state.Shape, state.Dtype, codes, Part(".absmax").clone(), Part(".nested_absmax").clone(), offset);
    }

    /// <summary>The tensors that a weight is written as, by name.</summary>
    /// <param name="weight">Its name.</param>
    /// <param name="q">The weight; its tensors are not copied.</param>
    public static IEnumerable<(string Name, Func<Tensor> Read, TensorInfo Info)> Tensors(string weight, QuantizedTensor q)
    {
        static (string, Func<Tensor>, TensorInfo) Entry(string name, Tensor t) => (name, () => t, new TensorInfo(name, t.shape, t.dtype));
        (string, Func<Tensor>, TensorInfo) Made(string name, ScalarType dtype, long count, Func<Tensor> make) => (name, make, new TensorInfo(name, [count], dtype));
        yield return Entry(weight, q.Codes);
        if (q.Format.Type == QuantType.Int8)
        {
            string module = weight[..^Weight.Length];
            yield return Entry(module + RowScales, q.Absmax);
            string format = module + RowFormat;
            yield return (format, () => zeros([], ScalarType.Byte), new TensorInfo(format, [], ScalarType.Byte));
            yield break;
        }

        CodeBook book = CodeBook.Of(q.Format.Type);
        yield return Entry(weight + ".absmax", q.Absmax);
        yield return Made(weight + ".quant_map", ScalarType.Float32, book.Values.Length, () => tensor(book.Values.ToArray()));
        if (q.NestedAbsmax is not null)
        {
            yield return Entry(weight + ".nested_absmax", q.NestedAbsmax);
            yield return Made(weight + ".nested_quant_map", ScalarType.Float32, CodeBook.Dynamic.Values.Length, () => tensor(CodeBook.Dynamic.Values.ToArray()));
        }

        byte[] state = Encoding.UTF8.GetBytes(StateText(q));
        yield return Made(weight + State + book.Name, ScalarType.Byte, state.Length, () => tensor(state));
    }

    private static string StateText(QuantizedTensor q)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{{\"quant_type\": \"{CodeBook.Of(q.Format.Type).Name}\", \"blocksize\": {q.Format.BlockSize}, ");
        text.Append(CultureInfo.InvariantCulture, $"\"dtype\": \"{DtypeName(q.Dtype)}\", \"shape\": [{string.Join(", ", q.Shape)}]");
        if (q.NestedAbsmax is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $", \"nested_blocksize\": {Quantization.NestedBlockSize}, \"nested_dtype\": \"float32\", ");
            text.Append("\"nested_offset\": ").Append(PythonText(q.Offset));
        }

        return text.Append('}').ToString();
    }

    /// <summary>A number as Python's json writes it.</summary>
    private static string PythonText(double value)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        return text.AsSpan().ContainsAny(".eN∞") ? text : text + ".0";
    }

    private static string DtypeName(ScalarType dtype) => dtype switch
    {
        ScalarType.BFloat16 => "bfloat16",
        ScalarType.Float16 => "float16",
        _ => "float32",
    };

    private static BnbState ReadState(string name, Func<string, Tensor> read)
    {
        using Tensor bytes = read(name).cpu().contiguous();
        try
        {
            JsonObject json = (JsonObject)JsonNode.Parse(bytes.bytes)!;
            ScalarType dtype = (string)json["dtype"]! switch
            {
                "bfloat16" => ScalarType.BFloat16,
                "float16" => ScalarType.Float16,
                "float32" => ScalarType.Float32,
                { } other => throw new CheckpointException($"{name}: dtype {other} is not supported."),
            };
            return new BnbState(
                [.. ((JsonArray)json["shape"]!).Select(n => (long)n!)], dtype, (int)json["blocksize"]!, (float?)(double?)json["nested_offset"],
                (int?)json["nested_blocksize"] ?? Quantization.NestedBlockSize);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentNullException or InvalidCastException or FormatException)
        {
            throw new CheckpointException($"{name}: is not the description of a quantised weight ({e.Message.TrimEnd('.')}). Download the checkpoint again.", e);
        }
    }

    private static void CheckTable(string name, Tensor table, CodeBook book)
    {
        using Tensor values = table.to(ScalarType.Float32).contiguous();
        ReadOnlySpan<float> numbers = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(values.bytes);
        if (!book.IsTable(numbers))
        {
            throw new CheckpointException($"{name}: holds other values than bitsandbytes' {book.Name} map, and other maps are not supported.");
        }
    }

    /// <summary>What the JSON text says.</summary>
    private sealed record BnbState(long[] Shape, ScalarType Dtype, int BlockSize, float? NestedOffset, int NestedBlockSize);
}

/// <summary>The quantised weights of a file.</summary>
/// <param name="Weights">By name, with the shape and dtype that they had.</param>
/// <param name="Parts">Names of the tensors that only serve them.</param>
internal sealed record BnbWeights(IReadOnlyDictionary<string, TensorInfo> Weights, IReadOnlySet<string> Parts);
