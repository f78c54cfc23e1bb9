using System.Globalization;

namespace TuneSharp.Checkpointing;

/// <summary>torchtune's <c>checkpoint_files</c>: a list of names, or a pattern with the number of the last file.</summary>
/// <param name="Names">The files' names in <c>checkpoint_dir</c>.</param>
public sealed record CheckpointFiles(IReadOnlyList<string> Names)
{
    /// <summary>Reads the two spellings; null (none given) stays null.</summary>
    /// <param name="value">A list of names, one name, or a mapping of <c>filename_format</c> and <c>max_filename</c>.</param>
    /// <exception cref="CheckpointException">It is neither.</exception>
    public static CheckpointFiles? FromConfig(object? value) => value switch
    {
        null => null,
        CheckpointFiles files => files,
        string one => new CheckpointFiles([one]),
        IReadOnlyDictionary<string, object?> map => FromPattern(map),
        IEnumerable<object?> list => new CheckpointFiles([.. list.Select(n => n as string
            ?? throw new CheckpointException($"checkpoint_files: {n ?? "null"} is not a file name."))]),
        _ => throw new CheckpointException($"checkpoint_files: {value} is neither a list of file names nor filename_format with max_filename."),
    };

    /// <summary><c>model-{}-of-{}.safetensors</c> and <c>00003</c> name three files; numbers are as wide as the last one is written.</summary>
    private static CheckpointFiles FromPattern(IReadOnlyDictionary<string, object?> map)
    {
        string? unknown = map.Keys.FirstOrDefault(k => k is not ("filename_format" or "max_filename"));
        if (unknown is not null || !map.TryGetValue("filename_format", out object? f) || f is not string format
            || !map.TryGetValue("max_filename", out object? m) || Convert.ToString(m, CultureInfo.InvariantCulture) is not { Length: > 0 } last)
        {
            throw new CheckpointException(
                $"checkpoint_files: {(unknown is null ? "filename_format and max_filename must both be there" : unknown + " is not a key of it")}. "
                + "As in: {filename_format: 'model-{}-of-{}.safetensors', max_filename: '00002'}.");
        }

        if (m is not string)
        {
            last = last.PadLeft(5, '0'); // unquoted, YAML reads a number and its zeros are gone; the hub writes five digits
        }

        if (!int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count is < 1 or > 99_999)
        {
            throw new CheckpointException($"checkpoint_files: max_filename {last} is not a number from 1 to 99999.");
        }

        string[] parts = format.Split("{}");
        if (parts.Length is not (2 or 3))
        {
            throw new CheckpointException($"checkpoint_files: filename_format {format} has {parts.Length - 1} places {{}}; it takes one or two.");
        }

        string Number(int i) => i.ToString(CultureInfo.InvariantCulture).PadLeft(last.Length, '0');
        return new CheckpointFiles([.. Enumerable.Range(1, count)
            .Select(i => parts.Length == 2 ? parts[0] + Number(i) + parts[1] : parts[0] + Number(i) + parts[1] + Number(count) + parts[2])]);
    }
}

/// <summary>torchtune's names of model families, as <c>model_type</c> gives them. The weights' own names decide; this is only checked to exist.</summary>
public enum ModelType
{
    /// <summary>Gemma.</summary>
    GEMMA,

    /// <summary>Gemma 2.</summary>
    GEMMA2,

    /// <summary>Llama 2.</summary>
    LLAMA2,

    /// <summary>Llama 3 and 3.1.</summary>
    LLAMA3,

    /// <summary>Llama 3.2, text.</summary>
    LLAMA3_2,

    /// <summary>Llama 3.2 Vision.</summary>
    LLAMA3_VISION,

    /// <summary>Llama 4.</summary>
    LLAMA4,

    /// <summary>Mistral.</summary>
    MISTRAL,

    /// <summary>Phi-3 mini.</summary>
    PHI3_MINI,

    /// <summary>Phi-4.</summary>
    PHI4,

    /// <summary>A classifier with one score (reward model).</summary>
    REWARD,

    /// <summary>Qwen 2 and 2.5.</summary>
    QWEN2,

    /// <summary>Qwen 3.</summary>
    QWEN3,

    /// <summary>Gemma 3, text; not torchtune's.</summary>
    GEMMA3,

    /// <summary>SmolLM3; not torchtune's.</summary>
    SMOLLM3,

    /// <summary>OLMo 2; not torchtune's.</summary>
    OLMO2,

    /// <summary>CLIP's text encoder.</summary>
    CLIP_TEXT,

    /// <summary>T5's encoder.</summary>
    T5_ENCODER,
}
