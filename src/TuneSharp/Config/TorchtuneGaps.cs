namespace TuneSharp.Config;

/// <summary>What torchtune has and this version does not, for a reason that has a name: what is missing, and what to use instead.</summary>
/// <remarks>
/// Asked only after <see cref="RecipeRegistry"/> and <see cref="ComponentRegistry"/>, so whatever exists is found first; a test
/// fails when an entry here exists after all. Names without an entry are answered by <see cref="ComponentRegistry.Explain"/>.
/// </remarks>
internal static class TorchtuneGaps
{
    /// <summary>Pictures, in whatever form a config asks for them.</summary>
    public static readonly Gap Pictures = new(
        "it reads text, no pictures",
        "For text take a text model and its configs, such as llama3_2/3B_lora_single_device");

    private static readonly Gap Qat = new(
        "it does not simulate quantisation in training",
        "Train without it (full_finetune_single_device, lora_finetune_single_device), or over 4-bit weights with a qlora_ model");

    private static readonly Gap Distillation = new(
        "no model learns from another one",
        "Train the student on the data alone, with lora_finetune_single_device");

    private static readonly Gap Preferences = new(
        "it does not train on pairs of a better and a worse answer",
        "Train on the better answers alone, with lora_finetune_single_device and a chat_dataset");

    private static readonly Gap Reinforcement = new(
        "it has no reinforcement learning",
        "Train on answers that are known to be good, with full_finetune_single_device or lora_finetune_single_device");

    private static readonly Gap Quantisation = new(
        "it writes no quantised checkpoints",
        "To train over 4-bit weights take a qlora_ model, which quantises while it loads");

    private static readonly Dictionary<string, Gap> Recipes = new(StringComparer.Ordinal)
    {
        ["qat_single_device"] = Qat,
        ["qat_distributed"] = Qat,
        ["qat_lora_finetune_distributed"] = Qat,
        ["knowledge_distillation_single_device"] = Distillation,
        ["knowledge_distillation_distributed"] = Distillation,
        ["lora_dpo_single_device"] = Preferences,
        ["lora_dpo_distributed"] = Preferences,
        ["full_dpo_distributed"] = Preferences,
        ["ppo_full_finetune_single_device"] = Reinforcement,
        ["dev/grpo_full_finetune_distributed"] = Reinforcement,
        ["dev/async_grpo_full_finetune_distributed"] = Reinforcement,
        ["dev/early_exit_finetune_distributed"] = new(
            "it has no early-exit loss and no layer dropout",
            "Train all weights with full_finetune_distributed"),
        ["dev/lora_finetune_distributed_multi_dataset"] = new(
            "it mixes data sets in every recipe, without one of its own for that",
            "Give lora_finetune_distributed a list under `dataset`, each data set with its `weight`"),
        ["eleuther_eval"] = new(
            "it does not run the tasks of lm-evaluation-harness",
            "Measure the loss on your own data (dataset_val), or give the folder that a run saves to lm-evaluation-harness: it is a Hugging Face folder"),
        ["quantize"] = Quantisation,
    };

    /// <summary>By package; where only one part of a package is missing, by its full name.</summary>
    private static readonly Dictionary<string, Gap> Parts = new(StringComparer.Ordinal)
    {
        ["torchtune.models.llama3_2_vision"] = Pictures,
        ["torchtune.datasets.multimodal"] = Pictures,
        ["torchtune.dev.grpo.gsm8k.gsm8k_dataset"] = Reinforcement with
        {
            Instead = "To train on GSM8K's own answers take torchtune.dev.grpo.gsm8k.gsm8k_sft",
        },
        ["torchtune.dev.grpo.loss"] = Reinforcement,
        ["torchtune.dev.rl.linear_grpo_loss"] = Reinforcement,
        ["torchtune.dev.rl.rewards"] = Reinforcement,
        ["torchtune.rlhf.loss"] = Preferences,
        ["torchtune.training.quantization"] = Quantisation,
    };

    /// <summary>The recipes of torchtune's that are missing.</summary>
    public static IEnumerable<string> RecipeNames => Recipes.Keys;

    /// <summary>The gap of a recipe of torchtune's, or null.</summary>
    /// <param name="recipe">Its name.</param>
    public static Gap? OfRecipe(string recipe) => Recipes.GetValueOrDefault(recipe);

    /// <summary>The gap of a component of torchtune's, or null.</summary>
    /// <param name="component">Its name, in full or as its last segment.</param>
    public static Gap? OfComponent(string component) =>
        TorchtuneNames.PackageOf(component) is { } package
            ? Parts.GetValueOrDefault(package) ?? Parts.GetValueOrDefault($"{package}.{component[(component.LastIndexOf('.') + 1)..]}")
            : null;

    /// <summary>Whether a config's text names a component that is missing; a quick look, without reading the YAML.</summary>
    /// <param name="text">The config.</param>
    public static bool AreIn(string text) => Parts.Keys.Any(p => text.Contains(p + ".", StringComparison.Ordinal) || text.Contains(p + "\n", StringComparison.Ordinal));

    /// <summary>Makes one problem of all that have the same gap: who asks for pictures hears that once.</summary>
    /// <param name="problems">The mistakes of a config.</param>
    public static IEnumerable<ConfigProblem> Fold(IReadOnlyCollection<ConfigProblem> problems)
    {
        foreach (IGrouping<Gap, GapProblem> group in problems.OfType<GapProblem>().GroupBy(p => p.Gap))
        {
            GapProblem first = group.OrderBy(p => p.Line == 0).ThenBy(p => p.Line).First();
            string[] names = [.. group.OrderBy(p => p.Line).Select(p => p.Name).Distinct(StringComparer.Ordinal)];
            yield return new(first.File, first.Line, first.Column, group.Key.Explain(names));
        }

        foreach (ConfigProblem other in problems.Where(p => p is not GapProblem))
        {
            yield return other;
        }
    }
}

/// <summary>One thing that is missing.</summary>
/// <param name="What">What this version does not do; ends "not available in this version of TuneSharp: …".</param>
/// <param name="Instead">A sentence without its full stop: what to use.</param>
internal sealed record Gap(string What, string Instead)
{
    /// <summary>The whole sentence.</summary>
    /// <param name="names">What was asked for.</param>
    public string Explain(params string[] names)
    {
        string list = names.Length == 1 ? $"{names[0]} is" : $"{string.Join(", ", names[..^1])} and {names[^1]} are";
        return $"{list} not available in this version of TuneSharp: {What}. {Instead}.";
    }
}

/// <summary>A config asks for something that is missing. Those with one gap are reported as one.</summary>
/// <param name="File">File name, or <c>command line</c>.</param>
/// <param name="Line">Line from 1; 0 when there is none.</param>
/// <param name="Column">Column from 1; 0 when there is none.</param>
/// <param name="Name">What it asks for.</param>
/// <param name="Gap">Why it is missing.</param>
internal sealed record GapProblem(string File, int Line, int Column, string Name, Gap Gap)
    : ConfigProblem(File, Line, Column, Gap.Explain(Name));
