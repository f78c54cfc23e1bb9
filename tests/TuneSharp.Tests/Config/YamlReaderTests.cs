using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using TuneSharp.Config;

namespace TuneSharp.Tests.Config;

public class YamlReaderTests
{
    [Theory]
    [InlineData("2e-5", 2e-5)]
    [InlineData("1e-5", 1e-5)]
    [InlineData("1E3", 1000.0)]
    [InlineData("3.", 3.0)]
    [InlineData(".5", 0.5)]
    [InlineData("-1.5e+3", -1500.0)]
    [InlineData("+.inf", double.PositiveInfinity)]
    [InlineData("-.INF", double.NegativeInfinity)]
    [InlineData("1_000.5", 1000.5)]
    [InlineData("12:30.5", 750.5)]
    [InlineData("0", 0L)]
    [InlineData("-17", -17L)]
    [InlineData("1_000", 1000L)]
    [InlineData("0030", 24L)]
    [InlineData("0x1F", 31L)]
    [InlineData("0b101", 5L)]
    [InlineData("1:30", 90L)]
    [InlineData("-9223372036854775808", long.MinValue)]
    [InlineData("yes", true)]
    [InlineData("On", true)]
    [InlineData("TRUE", true)]
    [InlineData("no", false)]
    [InlineData("OFF", false)]
    [InlineData("null", null)]
    [InlineData("~", null)]
    [InlineData("", null)]
    [InlineData("2024-01-31", "2024-01-31")]
    [InlineData("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00")]
    [InlineData("\"00030\"", "00030")]
    [InlineData("'yes'", "yes")]
    [InlineData("0089", "0089")]
    [InlineData("1e", "1e")]
    [InlineData("train[:95%]", "train[:95%]")]
    [InlineData("99999999999999999999", "99999999999999999999")]
    [InlineData("!!str 12", "12")]
    public void A_scalar_means_what_OmegaConf_says(string yaml, object? value) => Assert.Equal(value, Loading.Value("k: " + yaml, "k"));

    [Fact]
    public void Nodes_know_their_places()
    {
        ConfigMapping root = YamlReader.ReadDocument("a: 1\nb:\n  - x\n  - c: 2\n", "f.yaml", []);
        ConfigMapping inner = (ConfigMapping)((ConfigSequence)root["b"]!).Nodes[1];
        Assert.Equal(new ConfigPlace("f.yaml", 4, 8), inner["c"]!.Place);
        Assert.Equal(new ConfigPlace("f.yaml", 2, 1), root.Find("b")!.KeyPlace);
    }

    [Fact]
    public void Anchors_aliases_and_merge_keys_are_expanded_into_copies()
    {
        const string Yaml = """
            base: &base {x: 1, y: 2}
            other: &other {y: 3, z: 4}
            a: *base
            b:
              <<: [*base, *other]
              x: 9
            """;
        Dictionary<string, object?> b = (Dictionary<string, object?>)Loading.Value(Yaml, "b")!;
        Assert.Equal([9L, 2L, 4L], new[] { b["x"], b["y"], b["z"] });

        ConfigMapping root = YamlReader.ReadDocument(Yaml, "f", []);
        Overrides.Apply(root, ["a.x=5"], []);
        Assert.Equal(1L, ((ConfigMapping)root["base"]!)["x"]!.ToPlain());
    }

    [Theory]
    [InlineData("a: 1\nb: 2\na: 3\n", "test.yaml:3:1  a is given twice: here and at line 1, column 1. Remove one.")]
    [InlineData("a: [1, 2\n", "test.yaml:2:1  not valid YAML:")]
    [InlineData("a: b: c\n", "test.yaml:1:5  not valid YAML:")]
    [InlineData("- 1\n", "test.yaml:1:1  a config is a list of `key: value` lines; this file is not")]
    [InlineData("", "test.yaml:1:1  the file is empty.")]
    [InlineData("# only words\n", "test.yaml:1:1  the file is empty.")]
    [InlineData("a: *x\n", "test.yaml:1:4  *x is not defined above")]
    [InlineData("a: &x [*x]\n", "test.yaml:1:8  *x contains itself.")]
    [InlineData("a: 1\n---\nb: 2\n", "a second document begins here")]
    [InlineData("a: !!python/object x\n", "does not fit `x`")]
    [InlineData("a: !!int x\n", "does not fit `x`")]
    [InlineData("? [a]\n: 1\n", "a key must be a single word")]
    [InlineData("a: {<<: 1}\n", "<< merges a mapping")]
    public void A_mistake_is_said_with_its_place(string yaml, string message) => Assert.Contains(message, Loading.Mistakes(yaml), StringComparison.Ordinal);

    [Fact]
    public void Aliases_that_multiply_are_stopped()
    {
        string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + string.Concat(Enumerable.Range(1, 9).Select(i =>
            $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 9))}]\n"));
        Assert.Contains("multiply", Loading.Mistakes(bomb), StringComparison.Ordinal);
        Assert.Contains("too deeply nested", Loading.Mistakes("a: " + new string('[', 5000)), StringComparison.Ordinal);
    }

    [Property(MaxTest = 500)]
    public Property What_is_written_is_read_back() => Prop.ForAll(Nodes().ToArbitrary(), plain =>
    {
        ConfigMapping root = (ConfigMapping)ConfigText.ToNode(new Dictionary<string, object?> { ["k"] = plain });
        List<ConfigProblem> problems = [];
        string raw = YamlWriter.Write(root);
        Assert.Equal(root.ToPlain(), YamlReader.ReadDocument(raw, "f", problems).ToPlain());
        string resolved = YamlWriter.Write(root, indent: 4, isResolved: true);
        ConfigMapping again = Interpolation.Resolve(YamlReader.ReadDocument(resolved, "f", problems), problems).Resolved;
        Assert.Empty(problems);
        Assert.Equal(root.ToPlain(), again.ToPlain());
    });

    private static Gen<object?> Nodes() => Gen.Sized(size => Node(Math.Min(size, 12)));

    private static Gen<object?> Node(int size)
    {
        Gen<object?> scalar = Gen.OneOf(
            Gen.Constant<object?>(null),
            ArbMap.Default.GeneratorFor<bool>().Select(b => (object?)b),
            ArbMap.Default.GeneratorFor<long>().Select(n => (object?)n),
            ArbMap.Default.GeneratorFor<double>().Select(d => (object?)d),
            Text().Select(s => (object?)s));
        return size < 2 ? scalar : Gen.OneOf(
            scalar,
            Node(size / 2).ListOf(3).Select(l => (object?)l.ToList()),
            Text().Zip(Node(size / 2)).ListOf(3).Select(pairs => (object?)pairs
                .GroupBy(p => p.Item1, StringComparer.Ordinal)
                .Where(g => g.Key is not ("<<" or "token") && !g.Key.EndsWith("_token", StringComparison.Ordinal))
                .ToDictionary(g => g.Key, g => g.First().Item2, StringComparer.Ordinal)));
    }

    /// <summary>Any text without half surrogates, and often the text that YAML or interpolation could mistake for something else.</summary>
    private static Gen<string> Text() => Gen.OneOf(
        ArbMap.Default.GeneratorFor<string>().Select(s => s is null ? "" : new string([.. s.Where(c => !char.IsSurrogate(c))])),
        Gen.Elements(
            "yes", "null", "~", "1e-5", "0x10", "12:30", "a: b", "a #b", "#a", "- a", "[a]", "{a}", "it's", "\"", "\\", "a\nb", " a ", "\t", "${a}",
            "\\${a}", "\\\\${a.b} c", "$", "${", "a:", "*a", "&a", "!a", "%a", "@a", "`a", "?", "? a", "|", ">", "=", "---", "...", "-", ":", "é", "日本", "🙂",
            "\u0085", "\u2028", "\uFEFF", "\u0000", "a,b", "train[:95%]", "/tmp/x", "2024-01-31", "model-{}-of-{}.safetensors"));
}
