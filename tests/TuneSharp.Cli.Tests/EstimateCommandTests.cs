using System.Globalization;
using System.Text.RegularExpressions;

namespace TuneSharp.Cli.Tests;

public sealed class EstimateCommandTests
{
    private const string Config = "llama3_1/8B_lora_single_device";

    [Fact]
    public void Parts_add_up_to_the_total()
    {
        CliResult result = Cli.Run("estimate", "--config", Config, "device=cuda");
        Assert.Equal(0, result.Code);
        double total = Total(result.Out);
        double parts = Regex.Matches(result.Out, @"^  [a-z]+ +(?<gib>[\d.]+)\r?$", RegexOptions.Multiline, TimeSpan.FromSeconds(5))
            .Sum(m => double.Parse(m.Groups["gib"].Value, CultureInfo.InvariantCulture));
        Assert.Equal(total, parts, 0.05);
        Assert.Contains("weights        14.96", result.Out, StringComparison.Ordinal); // 8.03 billion weights of 2 bytes
    }

    [Fact]
    public void Each_way_to_save_that_it_names_saves()
    {
        string[] base_ = ["estimate", "--config", Config, "device=cuda", "enable_activation_checkpointing=False", "batch_size=4", "--seq-len", "4096"];
        CliResult plain = Cli.Run(base_);
        MatchCollection ways = Regex.Matches(plain.Out, @"^ +(?<gib>[\d.]+) GiB  (?<change>.+?)   \(", RegexOptions.Multiline, TimeSpan.FromSeconds(5));
        Assert.True(ways.Count >= 3, plain.Out);
        foreach (Match way in ways)
        {
            string[] change = way.Groups["change"].Value.Split(' ');
            double promised = double.Parse(way.Groups["gib"].Value, CultureInfo.InvariantCulture);
            Assert.True(promised < Total(plain.Out));
            if (change[0].StartsWith("batch_size", StringComparison.Ordinal) || change[0].StartsWith("enable_activation_checkpointing", StringComparison.Ordinal))
            {
                Assert.Equal(promised, Total(Cli.Run([.. base_, .. change]).Out), 0.02);
            }
        }
    }

    [Theory]
    [InlineData("80GiB", 0, "Fits into 80.00 GiB")]
    [InlineData("16", 1, "Does not fit into 16.00 GiB")]
    [InlineData("80GB", 0, "Fits into 74.51 GiB")]
    public void A_budget_is_met_or_not(string gpu, int code, string says)
    {
        CliResult result = Cli.Run("estimate", "--config", Config, "--gpu", gpu, "device=cuda");
        Assert.Equal(code, result.Code);
        Assert.Contains(says, result.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--gpu=big", "--gpu big is not an amount of memory")]
    [InlineData("--gpu=-3", "--gpu -3 is not an amount of memory")]
    [InlineData("--seq-len=0", "--seq-len is 0")]
    public void Nonsense_is_answered(string option, string says)
    {
        CliResult result = Cli.Run("estimate", "--config", Config, option);
        Assert.Equal(2, result.Code);
        Assert.Contains(says, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_recipe_that_does_not_train_has_no_estimate()
    {
        CliResult result = Cli.Run("estimate", "--config", "generation");
        Assert.Equal(2, result.Code);
        Assert.Contains("generate does not train", result.Error, StringComparison.Ordinal);
    }

    private static double Total(string output) => double.Parse(
        Regex.Match(output, @"about (?<gib>[\d.]+) GiB", RegexOptions.None, TimeSpan.FromSeconds(5)).Groups["gib"].Value, CultureInfo.InvariantCulture);
}
