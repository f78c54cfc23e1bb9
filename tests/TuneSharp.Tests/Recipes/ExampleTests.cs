using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Modules.Peft;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Training.Metrics;

namespace TuneSharp.Tests.Recipes;

/// <summary>examples/ compiles with the solution; here it runs, as a program.</summary>
public sealed partial class ExampleTests
{
    [Fact]
    public void TinyLora_trains_saves_and_loads()
    {
        using TemporaryFolder folder = new();
        string said = Run("TinyLora", folder.Path, "25");

        Match losses = Losses().Match(said);
        Assert.True(losses.Success, said);
        double Value(string name) => double.Parse(losses.Groups[name].Value, CultureInfo.InvariantCulture);
        Assert.True(Value("last") < Value("first") - 1, said);
        Assert.Contains("32 adapter tensors, 28 of them learn.", said);
        Assert.Contains("The plain state dict lacks 32 tensors, all of adapters: True; 0 are unexpected.", said);
        Assert.Contains("Reloaded model says the same: True", said);
        Assert.Equal([5L, 10, 15, 20, 25], MetricsFile.Read(folder.Path, "loss").Select(l => l.Step));

        using TransformerDecoder model = AdapterModel.Load(Path.Combine(Repo.Root, "quickstart", "model"), folder["adapter"]);
        Assert.Equal(32, Adapters.GetAdapterParams(model).Count);
    }

    private static string Run(string example, params string[] arguments)
    {
        DirectoryInfo own = new(AppContext.BaseDirectory);
        string program = Path.Combine(own.Parent!.Parent!.FullName, example, own.Name, example);
        Assert.True(File.Exists(program), $"{program} is not there: build TuneSharp.slnx.");
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, said + errors.Result);
        return said;
    }

    [GeneratedRegex(@"fifth: (?<first>[\d.]+) -> (?<last>[\d.]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Losses();
}
