using System.Globalization;
using TuneSharp.Backend;
using TuneSharp.Bench;
using static TorchSharp.torch;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["tokenizers", ..])
{
    TokenizerBench.Run([.. args.Skip(1).Where(a => !a.EndsWith(".txt", StringComparison.Ordinal))], args.FirstOrDefault(a => a.EndsWith(".txt", StringComparison.Ordinal)));
    return;
}

TorchBackend.EnsureLoaded();
if (args is ["stream", ..])
{
    StreamBench.Run(args.Length > 1 ? long.Parse(args[1], CultureInfo.InvariantCulture) : 10_000_000, isPacked: args.Contains("packed"));
    return;
}

int steps = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 3;
ScalarType[] dtypes = args.FirstOrDefault() switch
{
    "fp32" => [ScalarType.Float32],
    "bf16" => [ScalarType.BFloat16],
    _ => [ScalarType.Float32, ScalarType.BFloat16],
};
foreach (ScalarType dtype in dtypes)
{
    LoraStepBench.Run(dtype, steps);
}
