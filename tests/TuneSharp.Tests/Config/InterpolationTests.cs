namespace TuneSharp.Tests.Config;

public class InterpolationTests
{
    [Theory]
    [InlineData("${a}", 4L)]
    [InlineData("${s.b}", "bee")]
    [InlineData("${s[list][1]}", "two")]
    [InlineData("${s.list.0}", 1L)]
    [InlineData("x${a}y${s.b}z", "x4ybeez")]
    [InlineData("${s.${name}}", "bee")]
    [InlineData("${through.b}", "bee")]
    [InlineData("${deep}", 4L)]
    [InlineData("\\${a}", "${a}")]
    [InlineData("\\\\${a}", "\\4")]
    [InlineData("${flag} ${none}", "True None")]
    [InlineData("${eval:'${a} * ${a}'}", 16L)]
    [InlineData("${eval:'(${a} + 1) / 2'}", 2.5)]
    [InlineData("${eval:'7 // 2 + 7 % 3 - -2 ** 2'}", 8L)]
    [InlineData("${eval:'2 ** 3 ** 2'}", 512L)]
    [InlineData("${eval:'-7 // 2'}", -4L)]
    [InlineData("${eval:'1e-3 * 2'}", 0.002)]
    [InlineData("${oc.env:TUNESHARP_TEST_ABSENT,7}", 7L)]
    [InlineData("${oc.env:TUNESHARP_TEST_ABSENT,'a, b'}", "a, b")]
    [InlineData("${oc.env:TUNESHARP_TEST_PRESENT}", "here")]
    [InlineData("a $ and {} and $a", "a $ and {} and $a")]
    public void It_becomes_what_it_names(string text, object value)
    {
        Environment.SetEnvironmentVariable("TUNESHARP_TEST_PRESENT", "here");
        string yaml = $"""
            a: 4
            s: {"{"}b: bee, list: [1, two]{"}"}
            name: b
            through: ${"{"}s{"}"}
            deep: ${"{"}deeper{"}"}
            deeper: ${"{"}a{"}"}
            flag: true
            none: null
            k: "{text.Replace("\\", "\\\\", StringComparison.Ordinal)}"
            """;
        Assert.Equal(value, Loading.Value(yaml, "k"));
    }

    [Fact]
    public void Dots_before_the_name_go_up()
    {
        const string Yaml = "top: 1\na:\n  x: 2\n  b: {y: 3, same: '${.y}', up: '${..x}', top: '${...top}'}\n";
        Dictionary<string, object?> a = (Dictionary<string, object?>)Loading.Value(Yaml, "a")!;
        Dictionary<string, object?> b = (Dictionary<string, object?>)a["b"]!;
        Assert.Equal([3L, 2L, 1L], new[] { b["same"], b["up"], b["top"] });
    }

    [Fact]
    public void A_section_is_taken_whole() =>
        Assert.Equal(new Dictionary<string, object?> { ["x"] = 1L, ["y"] = 5L }, Loading.Value("v: 5\na: {x: 1, y: '${v}'}\nk: ${a}\n", "k"));

    [Fact]
    public void It_is_resolved_after_the_overrides() =>
        Assert.Equal("/data/x", Loading.Load(Loading.Least + "prompt: {user: '${output_dir}/x'}\n", "output_dir=/data").Prompt.User);

    [Fact]
    public void A_key_that_only_interpolations_use_is_a_variable() =>
        Assert.Equal("/m/out", Loading.Load(Loading.Least.Replace("/tmp/out", "${model_dir}/out", StringComparison.Ordinal) + "model_dir: /m\n").OutputDir);

    [Theory]
    [InlineData("k: ${nope}", "test.yaml:1:4  k: ${nope} names no key of this config.")]
    [InlineData("batch_size: 2\nk: ${batch_sise}", "Did you mean batch_size?")]
    [InlineData("a: ${b}\nb: ${a}\nk: 1", "test.yaml:1:4  a: interpolation goes in a circle: a -> b -> a.")]
    [InlineData("a: {b: '${a}'}\nk: 1", "a.b: interpolation goes in a circle: a.b -> a.b.")]
    [InlineData("k: ${oc.env:TUNESHARP_TEST_ABSENT}", "the environment variable TUNESHARP_TEST_ABSENT is not set")]
    [InlineData("k: ${eval:'1 +'}", "`1 +` ends too early")]
    [InlineData("k: ${eval:'__import__(1)'}", "is not arithmetic")]
    [InlineData("k: ${eval:'1 / 0'}", "divides by zero")]
    [InlineData("k: ${eval:'9 ** 999'}", "too large a number")]
    [InlineData("k: ${system:ls}", "the resolvers are oc.env, eval and quickstart")]
    [InlineData("k: ${a", "is not closed")]
    [InlineData("a: [1]\nk: x${a}", "cannot stand inside text")]
    [InlineData("k: ${..x}", "points above the top")]
    [InlineData("k: ${}", "names nothing")]
    public void A_mistake_is_said_with_its_place(string yaml, string message) =>
        Assert.Contains(message, Assert.Throws<TuneSharp.Config.ConfigException>(() => Loading.Value(yaml, "k")).Message, StringComparison.Ordinal);
}
