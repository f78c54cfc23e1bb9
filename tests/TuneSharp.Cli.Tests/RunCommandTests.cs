using System.Diagnostics;
using System.Globalization;
using TuneSharp.Cli.Commands;

namespace TuneSharp.Cli.Tests;

public class RunCommandTests
{
    [Theory]
    [InlineData("test_recipe --config {0} batch_size=3")]
    [InlineData("test_recipe --config={0} --batch_size 3")]
    [InlineData("--config {0} test_recipe --train.batch-size=3")]
    [InlineData("test_recipe batch_size=3 --config {0}")]
    [InlineData("--nnodes 1 --nproc_per_node=1 --standalone test_recipe_distributed --config {0} batch_size=3")]
    public void A_recipe_runs_with_its_config(string line)
    {
        using Folder folder = new();
        string config = folder.Write("c.yaml", "output_dir: out\n");
        CliResult result = Cli.Run(["run", .. line.Replace("{0}", config, StringComparison.Ordinal).Split(' ')]);
        Assert.Equal("", result.Error);
        Assert.Equal(0, result.Code);
        Assert.StartsWith("Running TestRecipe with resolved config:\n\nbatch_size: 3\noutput_dir: out\nthrow: null\n", result.Out, StringComparison.Ordinal);
        Assert.EndsWith("ran with batch_size 3 into out\n", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_dry_run_says_what_it_would_do()
    {
        CliResult result = Run("--dry-run");
        Assert.Equal(0, result.Code);
        Assert.Contains("would run with batch_size 2", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("ran with", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_without_effect_are_warned_of() => Assert.Contains(
        "these keys have no effect here and are passed over: compile.", Run("compile=True").Error, StringComparison.Ordinal);

    [Theory]
    [InlineData("checkpoint", 1, "model.safetensors: the file ends too early.")]
    [InlineData("native", 1, "libx.so: cannot open shared object file")]
    [InlineData("argument", 1, "lora_rank is 0; it must be at least 1.")]
    [InlineData("io", 1, "No such file: data.json")]
    [InlineData("disk", 1, "The disk is full: No space left on device : '/x' Free some space; what was saved before is untouched.")]
    [InlineData("torch", 1, "shapes do not match")]
    [InlineData("nested", 1, "the inner words")]
    [InlineData("other words", 1, "other words")]
    public void Whatever_is_thrown_ends_as_one_message(string what, int code, string message)
    {
        CliResult result = Run("throw=" + what);
        Assert.Equal((code, "error: " + message), (result.Code, result.Error.Trim()));
    }

    [Fact]
    public void A_bug_of_ours_asks_for_a_report()
    {
        CliResult result = Run("throw=bug");
        Assert.Contains("please report it", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Environment.SetEnvironmentVariable("TUNESHARP_TRACE", "1");
        try
        {
            Assert.Contains("   at TuneSharp.Cli.Tests.TestRecipe.Run", Run("throw=bug").Error, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("TUNESHARP_TRACE", null);
        }
    }

    [Theory]
    [InlineData("test_recipe", "The '--config' argument is required.")]
    [InlineData("test_recipe --config", "The '--config' argument is required.")]
    [InlineData("--config x", "Name a recipe")]
    [InlineData("tset_recipe --config x", "Recipe tset_recipe is not known. Did you mean test_recipe?")]
    [InlineData("mine.cs --config x", "recipes as C# files come in a later version")]
    [InlineData("--nproc-per-node 1 test_recipe --config x", "Recipe test_recipe does not support distributed training.Please run without torchrun commands.")]
    [InlineData("--nproc_per_node 2 test_recipe_distributed --config x", "--nproc-per-node 2 asks for more than one process")]
    [InlineData("--nnodes=1:2 test_recipe_distributed --config x", "--nnodes 1:2 asks for more than one process")]
    [InlineData("--nnodes", "--nnodes needs a value")]
    [InlineData("--wrong 1 test_recipe --config x", "--wrong is not a flag of torchrun's")]
    [InlineData("-m test_recipe_distributed --config x", "--module runs Python programs")]
    [InlineData("test_recipe --config no/such/file", "Config 'no/such/file' not found.")]
    public void A_wrong_line_is_two(string line, string message)
    {
        CliResult result = Cli.Run(["run", .. line.Split(' ')]);
        Assert.Equal(2, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ctrl_C_ends_with_130()
    {
        using CancellationTokenSource stop = new();
        stop.Cancel();
        using Folder folder = new();
        string config = folder.Write("c.yaml", "output_dir: out\n");
        Assert.Equal(130, Cli.Run(stop.Token, "run", "test_recipe", "--config", config).Code);
        CliResult thrown = Cli.Run(stop.Token, "run", "test_recipe", "--config", config, "throw=x");
        Assert.Equal((130, "Stopped."), (thrown.Code, thrown.Error.Trim()));
    }

    [Fact]
    public void The_first_signal_asks_the_run_to_stop()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // no `kill` there
        }

        StringWriter said = new();
        using StopSignal signal = new(said);
        string self = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        using Process kill = Process.Start("kill", ["-TERM", self]);
        Assert.True(signal.Token.WaitHandle.WaitOne(TimeSpan.FromSeconds(10)));
        Assert.Contains("Press Ctrl-C again to end at once.", said.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void All_flags_of_torchruns_are_known()
    {
        foreach (string flag in RunArguments.LaunchFlagNames)
        {
            string name = flag[2..];
            bool isSwitch = name is "standalone" or "module" or "no-python" or "run-path";
            string[] words = isSwitch ? [flag] : [flag.Replace('-', '_').Replace("__", "--", StringComparison.Ordinal), "v"];
            RunArguments parsed = RunArguments.Parse([.. words, "recipe", "--config", "c"]);
            Assert.Equal(("recipe", isSwitch ? "" : "v"), (parsed.Recipe, parsed.LaunchFlags[name]));
        }
    }

    private static CliResult Run(params string[] more)
    {
        using Folder folder = new();
        return Cli.Run(["run", "test_recipe", "--config", folder.Write("c.yaml", "output_dir: out\n"), .. more]);
    }
}
