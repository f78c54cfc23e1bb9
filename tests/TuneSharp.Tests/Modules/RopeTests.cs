using System.Text.Json;
using FsCheck.Xunit;
using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

/// <summary>Rotary tables against those of transformers, and the laws of a rotation.</summary>
public sealed class RopeTests
{
    public static TheoryData<string> Cases() => ["default", "linear", "llama3"];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Tables_are_those_of_transformers(string name)
    {
        using DisposeScope scope = NewDisposeScope();
        using SafetensorsFile golden = new(Repo.Golden("rope/io.safetensors"));
        Rope rope = Make(name, out int positions);
        Near(golden.Read($"rope.{name}.inv_freq"), tensor(rope.TurnPerToken.ToArray()), 1e-7);

        Tensor angles_TP2 = rope.Angles(null, positions, CPU).squeeze(1);
        foreach ((string part, int index) in (ReadOnlySpan<(string, int)>)[("cos", 0), ("sin", 1)])
        {
            Tensor theirs = golden.Read($"rope.{name}.{part}"); // each pair twice: the halves of a head
            Near(theirs.narrow(1, 0, 8), angles_TP2.select(2, index), 1e-6);
            Near(theirs.narrow(1, 8, 8), angles_TP2.select(2, index), 1e-6);
        }
    }

    [Property(MaxTest = 30)]
    public void Asked_positions_are_rows_of_the_table(byte a, byte b, byte c)
    {
        using DisposeScope scope = NewDisposeScope();
        Rope rope = Make("llama3", out _);
        Tensor asked = rope.Angles(tensor([(long)a, b, c]), 3, CPU), all = rope.Angles(null, 256, CPU);
        Tiny.Same(all.index_select(0, tensor([(long)a, b, c])), asked);
    }

    [Property(MaxTest = 30)]
    public void Products_depend_on_the_distance_only(byte position, byte distance, byte shift, int seed)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(seed);
        Rope rope = new(16, 256, 10_000);
        Tensor q = randn(1, 1, 1, 16), k = randn(1, 1, 1, 16);
        double At(long p, long d) => (Turned(rope, q, p + d) * Turned(rope, k, p)).sum().item<float>();
        Assert.Equal(At(position, distance), At(position + shift, distance), 1e-3);
        Assert.Equal(q.norm().item<float>(), Turned(rope, q, position).norm().item<float>(), 1e-4);
    }

    [Fact]
    public void Position_zero_turns_nothing()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = randn(1, 1, 3, 16);
        Tiny.Same(x, Rope.Apply(x, new Rope(16, 64, 10_000).Angles(null, 1, CPU)));
    }

    [Fact]
    public void What_cannot_be_turned_is_refused()
    {
        Assert.Contains("odd", Assert.Throws<ArgumentException>(() => new Rope(15, 64, 10_000)).Message);
        Assert.Contains("yarn", Assert.Throws<ArgumentException>(() => new Rope(16, 64, 10_000, new RopeScaling("yarn", 4))).Message);
    }

    private static Tensor Turned(Rope rope, Tensor x, long position) => Rope.Apply(x, rope.Angles(tensor([position]), 1, CPU));

    private static Rope Make(string name, out int positions)
    {
        using JsonDocument file = JsonDocument.Parse(File.ReadAllText(Repo.Golden("rope/parameters.json")));
        JsonElement p = file.RootElement.GetProperty(name);
        double Number(string key, double other) => p.TryGetProperty(key, out JsonElement value) ? value.GetDouble() : other;
        positions = p.GetProperty("positions").GetInt32();
        return new Rope(
            p.GetProperty("head_dim").GetInt64(), p.GetProperty("max_position_embeddings").GetInt64(), Number("rope_theta", 0),
            name == "default"
                ? null
                : new RopeScaling(
                    name, Number("factor", 1), Number("low_freq_factor", 1), Number("high_freq_factor", 4),
                    (long)Number("original_max_position_embeddings", 0)));
    }

    private static void Near(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        double worst = (expected.to(ScalarType.Float64) - actual.to(ScalarType.Float64)).abs().max().item<double>();
        Assert.True(worst <= tolerance, FormattableString.Invariant($"{worst:E2} > {tolerance:E2}"));
    }
}
