using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Training;

/// <summary>The fp32 tensors of a small safetensors file, read by hand so that these tests need no checkpoint code.</summary>
internal static class GoldenTensors
{
    public static Dictionary<string, Tensor> Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using JsonDocument json = JsonDocument.Parse(bytes.AsMemory(8, header));
        Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
        foreach (JsonProperty entry in json.RootElement.EnumerateObject().Where(e => e.Name != "__metadata__"))
        {
            Assert.Equal("F32", entry.Value.GetProperty("dtype").GetString());
            long[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(e => e.GetInt64())];
            int begin = entry.Value.GetProperty("data_offsets")[0].GetInt32(), end = entry.Value.GetProperty("data_offsets")[1].GetInt32();
            float[] values = new float[(end - begin) / 4];
            Buffer.BlockCopy(bytes, 8 + header + begin, values, 0, end - begin);
            tensors[entry.Name] = tensor(values, shape);
        }

        return tensors;
    }
}
