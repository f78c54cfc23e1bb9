using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck.Xunit;
using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Models;
using TuneSharp.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Modules;

/// <summary>Rotary tables against those of transformers, and the laws of a rotation.</summary>
public sealed class RopeTests
{
    public static TheoryData<string> Cases()
    {
        using JsonDocument file = JsonDocument.Parse(File.ReadAllText(Repo.Golden("rope/parameters.json")));
        return [.. file.RootElement.EnumerateObject().Select(p => p.Name)];
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Tables_are_those_of_transformers(string name)
    {
        using DisposeScope scope = NewDisposeScope();
        using SafetensorsFile golden = new(Repo.Golden("rope/io.safetensors"));
        Rope rope = Make(name, out int positions);
        Near(golden.Read($"rope.{name}.inv_freq"), tensor(rope.Frequencies(positions)), 1e-7);

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
        Assert.Contains("su is not", Assert.Throws<ArgumentException>(() => new Rope(16, 64, 10_000, new RopeScaling("su", 4))).Message);
        RopeScaling short1 = new("longrope") { ShortFactors = [1], LongFactors = [1, 2, 3, 4, 5, 6, 7, 8] };
        Assert.Contains("1 short and 8 long", Assert.Throws<ArgumentException>(() => new Rope(16, 64, 10_000, short1)).Message);
    }

    private static Tensor Turned(Rope rope, Tensor x, long position) => Rope.Apply(x, rope.Angles(tensor([position]), 1, CPU));

    private static Rope Make(string name, out int positions)
    {
        JsonObject p = (JsonObject)JsonNode.Parse(File.ReadAllText(Repo.Golden("rope/parameters.json")))![name]!;
        positions = (int)p["positions"]!;
        HfConfig config = new(new JsonObject
        {
            ["max_position_embeddings"] = p["max_position_embeddings"]!.DeepClone(),
            ["rope_parameters"] = new JsonObject(p.Where(
                k => k.Key is not ("head_dim" or "max_position_embeddings" or "positions" or "attention_factor_used"))
                .Select(k => KeyValuePair.Create(k.Key, k.Value?.DeepClone()))),
        });
        RopeSettings rope = config.Rope();
        return new Rope((long)p["head_dim"]!, (long)p["max_position_embeddings"]!, rope.Theta, HfDecoder.Scaling(config, rope));
    }

    private static void Near(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        double worst = (expected.to(ScalarType.Float64) - actual.to(ScalarType.Float64)).abs().max().item<double>();
        Assert.True(worst <= tolerance, FormattableString.Invariant($"{worst:E2} > {tolerance:E2}"));
    }
}
