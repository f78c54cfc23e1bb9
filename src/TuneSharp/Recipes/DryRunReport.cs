using TuneSharp.Checkpointing;
using TuneSharp.Data;
using TuneSharp.Modules;
using TuneSharp.Training;
using TuneSharp.Training.Optimizers;

namespace TuneSharp.Recipes;

/// <summary>What a run would be, told without running it: parameters, steps, memory. The model is built on the meta device.</summary>
internal static class DryRunReport
{
    /// <summary>Prints the report.</summary>
    /// <param name="cfg">The run.</param>
    /// <param name="console">Where to.</param>
    /// <param name="freeze">Leaves only what the recipe trains trainable.</param>
    public static void Print(FinetuneConfig cfg, RunConsole console, Action<TransformerDecoder> freeze)
    {
        cfg.Check();
        RunSetup.Device(cfg.Device);
        Checkpointer checkpointer = cfg.Checkpointer.Build();
        using TransformerDecoder model = RunSetup.Model(cfg, META, checkpointer);
        freeze(model);
        IModelTokenizer tokenizer = cfg.Tokenizer.Build();
        using FinetuneData data = new(cfg, console, tokenizer, model.Shape.VocabSize, cfg.Seed ?? 0);
        NamedParameter[] trained = [.. model.named_parameters().Where(p => p.parameter.requires_grad).Select(p => new NamedParameter(p.name, p.parameter))];
        using Optimizer optimizer = cfg.Optimizer.Build((object)trained);

        long all = model.parameters().Sum(p => p.numel());
        long learned = trained.Sum(p => p.Value.numel());
        console.Line(FormattableString.Invariant($"parameters   {all:N0}, trained {learned:N0} ({100.0 * learned / all:0.##} %)"));
        console.Line(FormattableString.Invariant($"samples      {data.Samples:N0}"));
        console.Line(FormattableString.Invariant(
            $"steps        {data.StepsPerEpoch:N0} an epoch x {cfg.Epochs} = {data.StepsPerEpoch * cfg.Epochs:N0}, each of {cfg.BatchSize} x {cfg.GradientAccumulationSteps} samples"));

        int longest = data.LongestSample;
        long weights = model.parameters().Sum(p => p.numel() * p.element_size());
        long gradients = trained.Sum(p => p.Value.numel() * p.Value.element_size());
        long activations = Activations(model, cfg, longest);
        console.Line(FormattableString.Invariant($"memory       about {GiB(weights + gradients + optimizer.StateBytes + activations)} GiB ({cfg.BatchSize} x {longest} tokens):"));
        console.Line($"             weights {GiB(weights)}, gradients {GiB(gradients)}, optimizer {GiB(optimizer.StateBytes)}, activations and loss {GiB(activations)}");
    }

    /// <summary>Bytes that one forward pass keeps for the backward pass, counted per token, and one chunk of logits.</summary>
    private static long Activations(TransformerDecoder model, FinetuneConfig cfg, int length)
    {
        DecoderConfig s = model.Shape;
        long element = cfg.Dtype == ScalarType.BFloat16 ? 2 : 4;
        long tokens = (long)cfg.BatchSize * length;
        // Kept in a layer: its input, both norms' outputs and sums (5 D), q, k, v and the attention's output, gate, up, their product.
        long layer = (5 * s.EmbedDim) + (2 * s.NumHeads * s.HeadDim) + (2 * s.NumKvHeads * s.HeadDim) + (4 * s.HiddenDim);
        long kept = cfg.EnableActivationCheckpointing ? (s.NumLayers * s.EmbedDim) + layer : s.NumLayers * layer;
        const int Chunks = 8; // the loss's default
        long logits = tokens / Chunks * s.VocabSize * (4 + element);
        return (tokens * kept * element) + logits;
    }

    private static string GiB(long bytes) => (bytes / (double)(1L << 30)).ToString("0.00", System.Globalization.CultureInfo.InvariantCulture);
}
