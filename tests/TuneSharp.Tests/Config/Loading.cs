using TuneSharp.Config;

namespace TuneSharp.Tests.Config;

/// <summary>Short forms for the tests of this folder.</summary>
internal static class Loading
{
    /// <summary>A config that has all that <see cref="TestConfig"/> needs; the end of the file is free.</summary>
    internal const string Least = """
        output_dir: /tmp/out
        model:
          _component_: test.models.lora_tiny
          lora_attn_modules: [q_proj, v_proj]
        optimizer:
          _component_: test.optim.TestAdamW
          lr: 2e-5

        """;

    internal static TestConfig Load(string yaml, params string[] overrides) => (TestConfig)LoadAll(yaml, overrides).Value;

    internal static LoadedConfig LoadAll(string yaml, params string[] overrides) =>
        ConfigLoader.Load(new ConfigSource("test.yaml", yaml), typeof(TestConfig), overrides, "test_recipe");

    internal static string Mistakes(string yaml, params string[] overrides) =>
        Assert.Throws<ConfigException>(() => LoadAll(yaml, overrides)).Message;

    internal static object? Value(string yaml, string key)
    {
        List<ConfigProblem> problems = [];
        (ConfigMapping root, _) = ConfigLoader.Resolve(new("test.yaml", yaml), [], problems);
        return problems.Count == 0 ? root[key]!.ToPlain() : throw new ConfigException(problems);
    }
}
