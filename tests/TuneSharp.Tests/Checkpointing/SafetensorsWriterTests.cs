using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using TorchSharp;
using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class SafetensorsWriterTests
{
    private static readonly ScalarType[] Types =
    [
        ScalarType.Bool, ScalarType.Byte, ScalarType.Int8, ScalarType.Int16, ScalarType.Int32, ScalarType.Int64, ScalarType.Float16,
        ScalarType.BFloat16, ScalarType.Float32, ScalarType.Float64, ScalarType.ComplexFloat32,
    ];

    [Theory]
    [InlineData("llama2/model.safetensors")]
    [InlineData("llama2/io.safetensors")]
    [InlineData("peft_lora_all/adapter/adapter_model.safetensors")]
    [InlineData("peft_dora/io.safetensors")]
    public void A_reference_file_is_written_again_byte_for_byte(string golden)
    {
        using TemporaryFolder folder = new();
        using SafetensorsFile file = new(Repo.Golden(golden));
        SafetensorsWriter.Write(folder["out"], file.Tensors.Values.Reverse(), file.Read, file.Metadata);
        Assert.Equal(File.ReadAllBytes(file.Path), File.ReadAllBytes(folder["out"]));
    }

    [Property(MaxTest = 60)]
    public Property What_is_written_is_read_back_exactly() =>
        Prop.ForAll(Gen.ListOf(Gen.Elements(Types)).ToArbitrary(), Gen.ListOf(Gen.Choose(0, 4)).ToArbitrary(), (types, extents) =>
        {
            using TemporaryFolder folder = new();
            using DisposeScope scope = NewDisposeScope();
            Dictionary<string, Tensor> tensors = [];
            int i = 0;
            foreach (ScalarType type in types)
            {
                // The i-th tensor takes the first i mod 4 extents: 0-dim, empty and ordinary ones all occur.
                long[] shape = [.. extents.Take(i % 4).Select(e => (long)e)];
                tensors[$"t{i++}.ü\"\\"] = (rand(shape, dtype: ScalarType.Float64) * 100).to_type(type);
            }

            SafetensorsWriter.Write(folder["a"], tensors, new Dictionary<string, string> { ["k"] = "v\n" });
            using SafetensorsFile file = new(folder["a"]);
            return file.Metadata["k"] == "v\n" && file.Tensors.Count == tensors.Count && tensors.All(t =>
            {
                using Tensor back = file.Read(t.Key);
                return back.dtype == t.Value.dtype && back.shape.SequenceEqual(t.Value.shape) && (back.numel() == 0 || back.eq(t.Value).all().ToBoolean());
            });
        });

    [Fact]
    public void A_view_is_written_in_row_major_order()
    {
        using TemporaryFolder folder = new();
        using Tensor t = arange(6, dtype: ScalarType.Float32).reshape(2, 3);
        SafetensorsWriter.Write(folder["a"], new Dictionary<string, Tensor> { ["t"] = t.t() });
        using SafetensorsFile file = new(folder["a"]);
        Assert.Equal([0f, 3, 1, 4, 2, 5], file.Read("t").data<float>().ToArray());
    }

    [Fact]
    public void Tensors_are_asked_for_one_at_a_time_and_disposed()
    {
        using TemporaryFolder folder = new();
        TensorInfo[] infos = [.. Enumerable.Range(0, 50).Select(i => new TensorInfo($"t{i}", [10], ScalarType.Float32))];
        long most = 0, before = Live;
        SafetensorsWriter.Write(folder["a"], infos, name =>
        {
            most = Math.Max(most, Live - before);
            return zeros(10);
        });
        Assert.InRange(most, 0, 2);
        Assert.Equal(before, Live);
    }

    [Fact]
    public void A_parameter_survives_being_written()
    {
        using TemporaryFolder folder = new();
        using Tensor p = randn(3, 3, requires_grad: true);
        SafetensorsWriter.Write(folder["a"], new Dictionary<string, Tensor> { ["p"] = p });
        Assert.False(p.IsInvalid);
        Assert.True(p.requires_grad);
    }

    [Fact]
    public void Another_shape_than_announced_is_refused_and_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        TensorInfo[] infos = [new("t", [3], ScalarType.Float32)];
        CheckpointException e = Assert.Throws<CheckpointException>(() => SafetensorsWriter.Write(folder["a"], infos, _ => zeros(4)));
        Assert.Contains("t was announced as Float32 [3] and came as Float32 [4]", e.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public void A_name_twice_is_refused()
    {
        using TemporaryFolder folder = new();
        TensorInfo[] infos = [new("t", [3], ScalarType.Float32), new("t", [3], ScalarType.Float32)];
        Assert.Contains("t would be written twice",
            Assert.Throws<CheckpointException>(() => SafetensorsWriter.Write(folder["a"], infos, _ => zeros(3))).Message);
    }

    /// <summary>Tensors of this thread: what other tests left to the finalizer does not count.</summary>
    private static long Live => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
