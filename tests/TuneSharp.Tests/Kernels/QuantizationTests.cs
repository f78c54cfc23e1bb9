using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Kernels;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Kernels;

/// <summary>Quantised weights against bitsandbytes, bit by bit, and the kernels against their twin.</summary>
public sealed class QuantizationTests
{
    private static readonly string Reference = Repo.Golden("bnb/tensors.safetensors");

    /// <summary>Type, doubly quantised or not, and number of every weight in the reference file.</summary>
    public static TheoryData<QuantType, bool, int, bool> Cases()
    {
        TheoryData<QuantType, bool, int, bool> cases = [];
        foreach (QuantType type in new[] { QuantType.Nf4, QuantType.Fp4 })
        {
            for (int i = 0; i < 4; i++)
            {
                foreach (bool fused in new[] { true, false })
                {
                    cases.Add(type, true, i, fused);
                    cases.Add(type, false, i, fused);
                }
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Four_bits_equal_bitsandbytes(QuantType type, bool nested, int i, bool fused)
    {
        using SafetensorsFile file = new(Reference);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable choice = KernelChoice.Force(fused);
        string key = $"{(type == QuantType.Nf4 ? "nf4" : "fp4")}.{(nested ? "double" : "single")}.{i}.";
        using QuantizedTensor q = QuantizedTensor.Quantize(file.Read($"w.{i}"), new Quantization(type, nested));
        Same(file.Read(key + "packed"), q.Codes, "packed");
        Same(file.Read(key + "code"), tensor(CodeBook.Of(type).Values.ToArray()), "code");
        if (nested)
        {
            Assert.Equal(file.Read(key + "offset").item<float>(), q.Offset);
            Same(file.Read(key + "nested_absmax"), q.NestedAbsmax!, "nested_absmax");
            Same(file.Read(key + "nested_code"), tensor(CodeBook.Dynamic.Values.ToArray()), "nested_code");
        }

        Same(file.Read(key + "absmax"), q.Absmax, "absmax");
        Same(file.Read(key + "dequantised"), q.Dequantize(), "dequantised");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Eight_bits_in_blocks_and_in_rows_equal_bitsandbytes(int i)
    {
        using SafetensorsFile file = new(Reference);
        using DisposeScope scope = NewDisposeScope();
        Tensor w = file.Read($"w.{i}");
        using QuantizedTensor rows = QuantizedTensor.Quantize(w, new Quantization(QuantType.Int8));
        Same(file.Read($"int8.{i}.scale"), rows.Absmax, "scale");
        Same(file.Read($"int8.{i}.q"), rows.Codes, "q");
        foreach (bool fused in new[] { true, false })
        {
            using IDisposable choice = KernelChoice.Force(fused);
            Tensor codes = empty(w.shape, ScalarType.Byte), absmax = empty([(w.numel() + 255) / 256]), back = empty(w.shape);
            QuantKernels.Encode(w, CodeBook.Dynamic, 256, codes, absmax);
            Same(file.Read($"blockwise8.{i}.q"), codes, "q");
            Same(file.Read($"blockwise8.{i}.absmax"), absmax, "absmax");
            QuantKernels.Decode(codes, absmax, CodeBook.Dynamic, 256, back);
            Same(file.Read($"blockwise8.{i}.dequantised"), back, "dequantised");
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Kernel_and_twin_give_the_same_bits(ScalarType dtype)
    {
        foreach (long[] shape in new long[][] { [1, 1], [3, 7], [5, 64], [130, 33], [700, 128] })
        {
            using DisposeScope scope = NewDisposeScope();
            manual_seed(shape[0]);
            Tensor w = randn(shape).to(dtype);
            w[0, 0] = 0;
            foreach (QuantType type in Enum.GetValues<QuantType>())
            {
                using QuantizedTensor kernel = QuantizedTensor.Quantize(w, new Quantization(type));
                using IDisposable choice = KernelChoice.Force(false);
                using QuantizedTensor twin = QuantizedTensor.Quantize(w, new Quantization(type));
                Same(twin.Codes, kernel.Codes, "codes");
                Same(twin.Absmax, kernel.Absmax, "absmax");
                Tensor slow = twin.Dequantize(ScalarType.Float32);
                using IDisposable fast = KernelChoice.Force(true);
                Same(slow, kernel.Dequantize(ScalarType.Float32), "dequantised");
            }
        }
    }

    [Fact]
    public void Zeros_stay_zeros_and_signs_are_kept()
    {
        using DisposeScope scope = NewDisposeScope();
        foreach (QuantType type in Enum.GetValues<QuantType>())
        {
            using QuantizedTensor q = QuantizedTensor.Quantize(zeros(4, 64), new Quantization(type));
            Assert.Equal(0f, q.Dequantize().abs().max().item<float>());
            Tensor w = linspace(-1, 1, 128).reshape(2, 64);
            using QuantizedTensor line = QuantizedTensor.Quantize(w, new Quantization(type, DoubleQuant: false));
            Assert.True((line.Dequantize() - w).abs().max().item<float>() < 0.2f);
        }
    }

    [Theory]
    [InlineData(QuantType.Nf4, 4.13)]
    [InlineData(QuantType.Fp4, 4.13)]
    [InlineData(QuantType.Int8, 8.01)]
    public void A_weight_takes_the_bits_it_should(QuantType type, double most)
    {
        using DisposeScope scope = NewDisposeScope();
        Quantization format = new(type);
        using QuantizedTensor q = QuantizedTensor.Quantize(randn(1024, 4096), format);
        double bits = 8.0 * q.Bytes / q.Count;
        Assert.InRange(bits, most - 0.02, most);
        Assert.Equal(q.Bytes, format.Bytes(q.Count, 1024));
        Assert.True(2.0 * q.Count / q.Bytes >= (type == QuantType.Int8 ? 1.99 : 3.8));
    }

    [Fact]
    public void Rows_of_a_table_are_those_of_the_whole()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor rows = tensor(new long[] { 3, 0, 3, 11 });
        foreach (QuantType type in Enum.GetValues<QuantType>())
        {
            foreach (long width in new long[] { 128, 40 })
            {
                using QuantizedTensor q = QuantizedTensor.Quantize(randn(12, width), new Quantization(type));
                Same(q.Dequantize().index_select(0, rows), q.DequantizeRows(rows, ScalarType.Float32), "rows");
            }
        }
    }

    private static void Same(Tensor expected, Tensor actual, string what)
    {
        Assert.Equal(expected.dtype, actual.dtype);
        Assert.True(expected.numel() == actual.numel(), $"{what}: {actual.numel()} elements, {expected.numel()} expected");
        using Tensor differ = expected.reshape(-1).ne(actual.reshape(-1)).sum();
        Assert.True(differ.item<long>() == 0, $"{what}: {differ.item<long>()} of {expected.numel()} differ");
    }
}
