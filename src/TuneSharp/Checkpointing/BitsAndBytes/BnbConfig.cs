using System.Text.Json.Nodes;
using TuneSharp.Kernels;

namespace TuneSharp.Checkpointing;

/// <summary>The <c>quantization_config</c> of a <c>config.json</c>.</summary>
public static class BnbConfig
{
    private const string Key = "quantization_config";
    private const string Method = "bitsandbytes";

    /// <summary>Refuses weights that are quantised in a way that is not read.</summary>
    /// <param name="config">The model's config.</param>
    /// <exception cref="CheckpointException">They are.</exception>
    public static void Check(HfConfig config)
    {
        if (config.Section(Key) is { } c && c.Text("quant_method", Method) is var method && method is not Method and not "mxfp4")
        {
            throw new CheckpointException(
                $"{config.File}: the weights are quantised by {method}; bitsandbytes' 4-bit and 8-bit weights and MXFP4 are read. Use the unquantised checkpoint.");
        }

        Of(config);
    }

    /// <summary>How bitsandbytes quantised the checkpoint's weights; null when it did not.</summary>
    /// <param name="config">The model's config.</param>
    /// <exception cref="CheckpointException">In a way that is not read.</exception>
    public static Quantization? Of(HfConfig config)
    {
        if (config.Section(Key) is not { } c || c.Text("quant_method", Method) != Method)
        {
            return null;
        }

        if (c.Flag("load_in_8bit", false))
        {
            return new Quantization(QuantType.Int8);
        }

        string type = c.Text("bnb_4bit_quant_type", "fp4");
        return new Quantization(
            type switch
            {
                "nf4" => QuantType.Nf4,
                "fp4" => QuantType.Fp4,
                _ => throw new CheckpointException($"{c.File}: bnb_4bit_quant_type is {type}; nf4 and fp4 are read."),
            },
            c.Flag("bnb_4bit_use_double_quant", false));
    }

    /// <summary>What transformers writes for weights that are quantised so.</summary>
    /// <param name="format">How.</param>
    /// <param name="dtype">Element type that products are computed in.</param>
    public static JsonObject Json(Quantization format, ScalarType dtype)
    {
        bool four = format.Type != QuantType.Int8;
        return new JsonObject
        {
            ["_load_in_4bit"] = four,
            ["_load_in_8bit"] = !four,
            ["bnb_4bit_compute_dtype"] = four ? dtype switch { ScalarType.BFloat16 => "bfloat16", ScalarType.Float16 => "float16", _ => "float32" } : "float32",
            ["bnb_4bit_quant_storage"] = "uint8",
            ["bnb_4bit_quant_type"] = format.Type == QuantType.Nf4 ? "nf4" : "fp4",
            ["bnb_4bit_use_double_quant"] = four && format.DoubleQuant,
            ["llm_int8_enable_fp32_cpu_offload"] = false,
            ["llm_int8_has_fp16_weight"] = false,
            ["llm_int8_skip_modules"] = null,
            ["llm_int8_threshold"] = JsonNode.Parse("6.0"), // with its decimal, as Python writes it
            ["load_in_4bit"] = four,
            ["load_in_8bit"] = !four,
            ["quant_method"] = "bitsandbytes",
        };
    }

    /// <summary>Writes it into a folder's <c>config.json</c>, in its place by the alphabet; removes it for a format of null.</summary>
    /// <param name="folder">A model's folder; nothing happens when it has no config.</param>
    /// <param name="format">How the folder's weights are quantised.</param>
    public static void Write(string folder, Quantization? format)
    {
        string file = Path.Combine(folder, "config.json");
        if (!File.Exists(file))
        {
            return;
        }

        HfConfig config = HfConfig.Read(file);
        if (format is not null || config.Has(Key))
        {
            JsonObject? json = format is null ? null : Json(format, config.Dtype ?? ScalarType.BFloat16);
            config.Write(file, new Dictionary<string, JsonNode?>(StringComparer.Ordinal) { [Key] = json });
        }
    }
}
