using System.CommandLine;
using TuneSharp.Recipes;

namespace TuneSharp.Cli.Commands;

/// <summary><c>tune bench</c>: how fast this machine trains, on random weights of a model's true shape.</summary>
internal static class BenchCommand
{
    public static Command Create(Terminal terminal) => new("bench", "Measure training steps on random weights of a model's true shape.")
    {
        Step(terminal),
        Kernels(terminal),
    };

    private static Command Kernels(Terminal terminal)
    {
        StepBenchOptions plain = new() { Model = "" };
        Option<string> model = new("--model") { Description = "Whose sizes: a builder's name, as llama3_1_8b.", DefaultValueFactory = _ => "llama3_1_8b" };
        Option<int> batch = new("--batch-size") { Description = "Rows.", DefaultValueFactory = _ => plain.BatchSize };
        Option<int> length = new("--seq-len") { Description = "Tokens of a row.", DefaultValueFactory = _ => plain.SeqLen };
        Option<int> rank = new("--rank") { Description = "Rank of the adapters.", DefaultValueFactory = _ => plain.Rank };
        Command command = new("kernels", "Time each kernel of a layer on a GPU against its floor of bytes or operations.") { model, batch, length, rank };
        command.SetAction(result =>
        {
            KernelBench.Run(
                result.GetValue(model)!, result.GetValue(batch), result.GetValue(length), result.GetValue(rank), Writer(terminal));
            return Failure.Ok;
        });
        return command;
    }

    private static Action<string> Writer(Terminal terminal) => line =>
    {
        terminal.Out.WriteLine(line);
        terminal.Out.Flush();
    };

    private static Command Step(Terminal terminal)
    {
        StepBenchOptions plain = new() { Model = "" };
        Option<string> model = new("--model") { Description = "A builder's name, as llama3_1_8b, llama3_2_1b or smollm2_135m.", Required = true };
        Option<string> mode = new("--mode") { Description = "lora, qlora or full.", DefaultValueFactory = _ => plain.Mode };
        mode.AcceptOnlyFromAmong("lora", "qlora", "full");
        Option<int> batch = new("--batch-size") { Description = "Rows.", DefaultValueFactory = _ => plain.BatchSize };
        Option<int> length = new("--seq-len") { Description = "Tokens of a row.", DefaultValueFactory = _ => plain.SeqLen };
        Option<int> sample = new("--mean-sample") { Description = "Mean tokens of the samples packed into a row; 0 for one sample a row." };
        Option<int> rank = new("--rank") { Description = "Rank of the adapters.", DefaultValueFactory = _ => plain.Rank };
        Option<string> targets = new("--lora-targets") { Description = "all, or some of q_proj,k_proj,v_proj,output_proj,w1,w2,w3.", DefaultValueFactory = _ => plain.LoraTargets };
        Option<double> dropout = new("--dropout") { Description = "Dropout rate on the adapters' input." };
        Option<bool> checkpointing = new("--checkpointing") { Description = "Keep only layer inputs for the backward pass." };
        Option<bool> noGraphs = new("--no-graphs") { Description = "Launch kernel by kernel where a CUDA graph would be used." };
        Option<string> optimizer = new("--optimizer") { Description = "adamw or sgd.", DefaultValueFactory = _ => plain.Optimizer };
        Option<int> steps = new("--steps") { Description = "Steps measured.", DefaultValueFactory = _ => plain.Steps };
        Option<int> warmup = new("--warmup") { Description = "Steps before.", DefaultValueFactory = _ => plain.Warmup };
        Option<string> device = new("--device") { Description = "cpu, cuda or auto.", DefaultValueFactory = _ => plain.Device };
        Option<string> dtype = new("--dtype") { Description = "bf16 or fp32.", DefaultValueFactory = _ => "bf16" };
        dtype.AcceptOnlyFromAmong("bf16", "fp32");
        foreach (Option<int> count in (Option<int>[])[batch, length, rank, steps])
        {
            count.Validators.Add(result =>
            {
                if (result.GetValueOrDefault<int>() < 1)
                {
                    result.AddError($"{count.Name} must be at least 1.");
                }
            });
        }

        Command command = new("step", "Time whole steps: forward, loss, backward, clip and optimizer.")
        {
            model, mode, batch, length, sample, rank, targets, dropout, checkpointing, noGraphs, optimizer, steps, warmup, device, dtype,
        };
        command.SetAction(result =>
        {
            StepBench.Run(
                new StepBenchOptions
                {
                    Model = result.GetRequiredValue(model),
                    Mode = result.GetValue(mode)!,
                    BatchSize = result.GetValue(batch),
                    SeqLen = result.GetValue(length),
                    MeanSample = result.GetValue(sample),
                    Rank = result.GetValue(rank),
                    LoraTargets = result.GetValue(targets)!,
                    Dropout = result.GetValue(dropout),
                    Checkpointing = result.GetValue(checkpointing),
                    Graphs = !result.GetValue(noGraphs),
                    Optimizer = result.GetValue(optimizer)!,
                    Steps = result.GetValue(steps),
                    Warmup = Math.Max(0, result.GetValue(warmup)),
                    Device = result.GetValue(device)!,
                    Dtype = result.GetValue(dtype) == "fp32" ? TorchSharp.torch.ScalarType.Float32 : TorchSharp.torch.ScalarType.BFloat16,
                },
                Writer(terminal));
            return Failure.Ok;
        });
        return command;
    }
}
