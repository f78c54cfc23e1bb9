using System.Globalization;
using TuneSharp.Config;
using TuneSharp.Tests;
using TuneSharp.Tests.Config;

namespace TuneSharp.Cli.Tests;

public class CommandLineTests
{
    private static readonly Dictionary<string, string> NoLibTorch = new() { ["TUNESHARP_LIBTORCH"] = "/nonexistent" };

    [Theory]
    [InlineData("tune")]
    [InlineData("tune ls")]
    [InlineData("tune cp")]
    [InlineData("tune cat")]
    [InlineData("tune validate")]
    [InlineData("tune run")]
    [InlineData("tune tokenize")]
    [InlineData("tune data")]
    [InlineData("tune data preview")]
    [InlineData("tune env")]
    public void Help_says_what_there_is(string command)
    {
        CliResult result = Cli.Run([.. command.Split(' ')[1..], "--help"]);
        Assert.Equal((0, ""), (result.Code, result.Error));
        Snapshot.Matches("TuneSharp.Cli.Tests", "help " + command, result.Out);
    }

    [Fact]
    public void Tune_alone_prints_help()
    {
        CliResult alone = Cli.Run();
        Assert.Equal(0, alone.Code);
        Assert.Equal(Cli.Run("--help").Out, alone.Out);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("cat")]
    [InlineData("cat a b c")]
    [InlineData("ls --all")]
    public void A_wrong_command_line_is_two(string line)
    {
        CliResult result = Cli.Run(line.Split(' '));
        Assert.Equal(2, result.Code);
        Assert.StartsWith("error: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("--help` shows what it takes.", result.Error, StringComparison.Ordinal);
        Assert.Equal("", result.Out);
    }

    [Fact]
    public void A_word_that_begins_with_at_is_no_file_to_read() => Assert.Contains("Config '@x' not found.", Cli.Run("cat", "@x").Error, StringComparison.Ordinal);

    [Fact]
    public void Ls_has_torchtunes_layout()
    {
        CliResult result = Cli.Run("ls");
        string[] lines = result.Out.Split(Environment.NewLine);
        Assert.Equal("RECIPE                                   CONFIG                                  ", lines[0]);
        Assert.Contains("generate                                 generation                              ", lines);
        Assert.Contains("                                         llama3_2/3B_lora_single_device          ", lines);
        Assert.Contains("test_recipe                              <>                                      ", lines);
        Assert.Single(lines, l => l.StartsWith("lora_finetune_single_device ", StringComparison.Ordinal));
    }

    [Fact]
    public void Ls_marks_configs_that_this_version_cannot_run()
    {
        string[] lines = Cli.Run("ls").Out.Split(Environment.NewLine);
        Assert.Contains("qat_single_device                        llama2/1B_qat_single_device              *", lines);
        Assert.Contains("                                         llama3_2_vision/11B_lora_single_device   *", lines);
        Assert.Single(lines, l => l.StartsWith("* not in this version", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("validate", "llama2/7B_qat_full", "error: torchtune's recipe qat_distributed is not available in this version of TuneSharp: ")]
    [InlineData("run", "llama3_1/8B_full_dpo", "error: torchtune's recipe full_dpo_distributed is not available in this version of TuneSharp: ")]
    [InlineData("validate", "llama3_2_vision/11B_lora", "configs/llama3_2_vision/11B_lora.yaml:16:16  torchtune.models.llama3_2_vision.lora_llama3_2_vision_11b and ")]
    [InlineData("run", "llama3_2_vision/11B_generation_v2", "torchtune.models.llama3_2_vision.llama3_2_vision_transform and prompt.user.image are not available in this version of TuneSharp: ")]
    public void What_is_missing_is_said_in_one_sentence_with_what_to_use_instead(string command, string config, string start)
    {
        string recipe = ConfigCatalog.Find(config)!.Recipe!;
        CliResult result = command == "run" ? Cli.Run("run", recipe, "--config", config) : Cli.Run(command, config);
        Assert.Equal(2, result.Code);
        Assert.Contains(start, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split("not available in this version of TuneSharp"), t => t.StartsWith(": ", StringComparison.Ordinal));
        Assert.True(result.Error.Trim().Split('\n').Length <= 2, result.Error); // one mistake: a heading at most, and the sentence
    }

    [Fact]
    public void Ls_shows_every_config_on_disk()
    {
        string[] shown = [.. Cli.Run("ls").Out.Split(Environment.NewLine).Skip(1).Where(l => l.Length > 41 && l[0] != '*')
            .Select(l => l.TrimEnd(' ', '*').Split(' ')[^1]).Where(c => c != "<>")];
        string configs = Path.Combine(Repo.Root, "configs");
        string[] onDisk = [.. Directory.GetFiles(configs, "*.yaml", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(configs, f).Replace('\\', '/')[..^5])];
        Assert.True(onDisk.Length > 40);
        Assert.Equal(onDisk.Order(StringComparer.Ordinal), shown.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Ls_is_fast_and_loads_no_libtorch()
    {
        // A libtorch that cannot be loaded is not missed. On a busy machine the clock also counts the others' work, so the
        // best of several starts counts, and at most the processor time that it took.
        double best = double.MaxValue;
        for (int i = 0; i < 6 && best >= 0.4; i++)
        {
            double before = ChildSeconds();
            long began = TimeProvider.System.GetTimestamp();
            CliResult result = Cli.RunProgram(NoLibTorch, "ls");
            double clock = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
            best = Math.Min(best, OperatingSystem.IsLinux() ? Math.Min(clock, ChildSeconds() - before) : clock);
            Assert.Equal((0, ""), (result.Code, result.Error));
        }

        Assert.True(best < 0.4, $"tune ls took {best:F2} s");
    }

    /// <summary>Processor time of all ended children, from /proc/self/stat (fields 16 and 17, in hundredths); 0 elsewhere.</summary>
    private static double ChildSeconds()
    {
        if (!OperatingSystem.IsLinux())
        {
            return 0;
        }

        string stat = File.ReadAllText("/proc/self/stat");
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[13], CultureInfo.InvariantCulture) + double.Parse(fields[14], CultureInfo.InvariantCulture)) / 100;
    }

    [Fact]
    public void Env_works_and_shows_the_loaders_words_when_libtorch_does_not_load()
    {
        CliResult result = Cli.RunProgram(NoLibTorch, "env");
        Assert.Equal((0, ""), (result.Code, result.Error));
        Assert.Contains("loading failed:", result.Out, StringComparison.Ordinal);
        Assert.Contains("cannot open shared object file", result.Out, StringComparison.Ordinal);
        Assert.Contains("/nonexistent", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Env_shows_versions_and_backends()
    {
        string text = Cli.Run("env").Out;
        foreach (string part in new[] { "TuneSharp:", ".NET:", "processor:", "memory:", "libtorch:", ", chosen", "torch version:   2.1", "threads:", "backend cpu:     available", "backend cuda:" })
        {
            Assert.Contains(part, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Cat_prints_the_keys_without_comments()
    {
        string plain = Cli.Run("cat", "generation").Out;
        Assert.StartsWith("output_dir: ./\nmodel:\n    _component_: torchtune.models.llama2.llama2_7b\n", plain, StringComparison.Ordinal);
        Assert.Contains("${output_dir}", plain, StringComparison.Ordinal);
        Assert.StartsWith("checkpointer:\n    _component_: ", Cli.Run("cat", "configs/generation.yaml", "--sort").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Cat_explains_what_it_cannot_print()
    {
        using Folder folder = new();
        string text = folder.Write("x.txt", "a: 1\n");
        string broken = folder.Write("x.yaml", "a: [1\n");
        Assert.Equal("error: 'lora_finetune_single_device' is a recipe, not a config. Please use a config name.", Cli.Run("cat", "lora_finetune_single_device").Error.Trim());
        Assert.Equal($"error: Invalid config format: '{text}'. Must be YAML (.yaml/.yml)", Cli.Run("cat", text).Error.Trim());
        Assert.Contains("Config 'llama9/x' not found.", Cli.Run("cat", "llama9/x").Error, StringComparison.Ordinal);
        Assert.StartsWith($"error: Error parsing YAML file: {broken}:2:1  not valid YAML", Cli.Run("cat", broken).Error, StringComparison.Ordinal);
        Assert.Equal(2, Cli.Run("cat", broken).Code);
    }

    [Theory]
    [InlineData("llama2/7B_lora")]
    [InlineData("llama2/7B_lora.yaml")]
    [InlineData("configs/llama2/7B_lora")]
    [InlineData("configs/llama2/7B_lora.yaml")]
    public void Cp_copies_a_config_under_each_of_its_names(string name)
    {
        using Folder folder = new();
        CliResult result = Cli.Run("cp", name, Path.Combine(folder.Path, "mine"));
        string path = Path.Combine(folder.Path, "mine.yaml");
        Assert.Equal((0, $"Copied file to {path}"), (result.Code, result.Out.Trim()));
        Assert.Equal(File.ReadAllText(Path.Combine(Repo.Root, "configs", "llama2", "7B_lora.yaml")), File.ReadAllText(path));
    }

    [Fact]
    public void Cp_respects_what_is_there()
    {
        using Folder folder = new();
        string mine = folder.Write("mine.yaml", "mine");
        Assert.Equal($"File already exists at {mine}, not overwriting.", Cli.Run("cp", "generation", mine, "-n").Out.Trim());
        Assert.Equal("mine", File.ReadAllText(mine));
        Assert.Equal(0, Cli.Run("cp", "generation", folder.Path).Code);
        Assert.True(File.Exists(Path.Combine(folder.Path, "generation.yaml")));

        string deep = Path.Combine(folder.Path, "a", "b.yaml");
        CliResult refused = Cli.Run("cp", "generation", deep);
        Assert.Equal(2, refused.Code);
        Assert.Contains($"Cannot create regular file: '{deep}'. No such file or directory.", refused.Error, StringComparison.Ordinal);
        Assert.Equal(0, Cli.Run("cp", "generation", deep, "--make-parents").Code);
    }

    [Fact]
    public void Cp_says_what_it_cannot_copy()
    {
        Assert.Equal(
            "error: Invalid file name: llama2/7B_lorra. Try `tune ls` to see all available files to copy. Did you mean llama2/7B_lora?",
            Cli.Run("cp", "llama2/7B_lorra", "x").Error.Trim());
        Assert.Contains("Copying recipes as files comes in a later version", Cli.Run("cp", "test_recipe", "x").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_reports_every_mistake_at_once()
    {
        using Folder folder = new();
        string good = folder.Write("good.yaml", "# recipe: test_recipe\noutput_dir: x\n");
        string bad = folder.Write("bad.yaml", "# recipe: test_recipe\noutput_dirr: x\nbatch_size: two\n");
        Assert.Equal((0, "Config is well-formed!"), (Cli.Run("validate", good).Code, Cli.Run("validate", good).Out.Trim()));
        CliResult result = Cli.Run("validate", bad, "batch=3");
        Assert.Equal((2, ""), (result.Code, result.Out));
        Snapshot.Matches("TuneSharp.Cli.Tests", "validate mistakes", result.Error.Replace(folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal));
        Assert.Equal(2, Cli.Run("validate", good, "--recipe", "other").Code);
    }
}
