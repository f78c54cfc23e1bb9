using System.Globalization;
using System.Text;

namespace TuneSharp.Checkpointing;

/// <summary>What a model card says of a fine-tuned model. Unknown fields are left out of the card.</summary>
public sealed record ModelCard
{
    /// <summary>Hub name or folder of the base model.</summary>
    public string? BaseModel { get; init; }

    /// <summary>How it was trained: <c>LoRA</c>, <c>DoRA</c>, <c>full fine-tuning</c> …</summary>
    public required string Method { get; init; }

    /// <summary>The adapter's settings, if there was one.</summary>
    public PeftAdapter? Adapter { get; init; }

    /// <summary>True when the adapter is merged into the weights.</summary>
    public bool Merged { get; init; }

    /// <summary>The data, in words.</summary>
    public string? Data { get; init; }

    /// <summary>Optimizer steps.</summary>
    public long? Steps { get; init; }

    /// <summary>Writes <c>README.md</c>.</summary>
    /// <param name="folder">The model's folder.</param>
    public void Write(string folder) => AtomicFile.WriteText(Path.Combine(folder, "README.md"), Text(Path.GetFileName(Path.GetFullPath(folder))));

    /// <summary>The card: the hub's header, then a table of facts.</summary>
    internal string Text(string title)
    {
        StringBuilder s = new();
        s.Append("---\n");
        if (BaseModel is { } b && IsHubName(b))
        {
            s.Append(CultureInfo.InvariantCulture, $"base_model: {b}\n");
            s.Append(CultureInfo.InvariantCulture, $"base_model_relation: {(Adapter is not null && !Merged ? "adapter" : "finetune")}\n");
        }

        s.Append(CultureInfo.InvariantCulture, $"library_name: {(Adapter is not null && !Merged ? "peft" : "transformers")}\n");
        s.Append("tags:\n- tunesharp\n");
        s.Append(Adapter is null ? "" : "- lora\n");
        s.Append(CultureInfo.InvariantCulture, $"---\n\n# {title}\n\nFine-tuned with TuneSharp.\n\n| | |\n|---|---|\n");
        Row(s, "Base model", BaseModel);
        Row(s, "Method", Adapter is null ? Method : Method + (Merged ? ", merged into the weights" : ", as an adapter"));
        if (Adapter is { } a)
        {
            Row(s, "Rank, alpha", string.Create(CultureInfo.InvariantCulture, $"{a.R}, {a.LoraAlpha}{(a.UseRslora ? " (rank-stabilised scale)" : "")}"));
            Row(s, "Adapted modules", string.Join(", ", a.TargetModules));
        }

        Row(s, "Data", Data);
        Row(s, "Steps", Steps?.ToString(CultureInfo.InvariantCulture));
        s.Append("\nThe licence of the base model applies; so may terms of the data.\n");
        return s.ToString();
    }

    private static void Row(StringBuilder s, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            string cell = value.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal);
            s.Append(CultureInfo.InvariantCulture, $"| {name} | {cell} |\n");
        }
    }

    /// <summary>The hub's header takes hub names only (<c>owner/name</c>), not folders.</summary>
    private static bool IsHubName(string name) => name.Count(c => c == '/') == 1
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.') && name[0] is not ('/' or '.');
}
