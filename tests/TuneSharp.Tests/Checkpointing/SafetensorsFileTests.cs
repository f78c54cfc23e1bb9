using System.Text;
using TorchSharp;
using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

public sealed class SafetensorsFileTests
{
    [Fact]
    public void The_reference_file_reads_as_its_bytes_say()
    {
        string path = Repo.Golden("llama2/model.safetensors");
        using SafetensorsFile file = new(path);
        Assert.Equal("pt", file.Metadata["format"]);
        TensorInfo info = file.Tensors["model.layers.0.mlp.down_proj.weight"];
        Assert.Equal([48, 96], info.Shape);
        Assert.Equal(ScalarType.Float32, info.Dtype);
        Assert.Equal(path, file.FileOf(info.Name));
        using Tensor t = file.Read(info.Name);
        byte[] bytes = File.ReadAllBytes(path);
        Assert.Equal(BitConverter.ToSingle(bytes, 8 + 2128 + 73920), t[0, 0].ToSingle());
        Assert.Equal(BitConverter.ToSingle(bytes, 8 + 2128 + 92352 - 4), t[47, 95].ToSingle());
    }

    [Fact]
    public unsafe void A_tensor_is_a_view_of_the_mapped_file()
    {
        using SafetensorsFile file = new(Repo.Golden("llama2/model.safetensors"));
        using Tensor a = file.Read("lm_head.weight");
        using Tensor b = file.Read("lm_head.weight");
        Assert.True(TuneSharp.Backend.Aten.DataPointer(a) == TuneSharp.Backend.Aten.DataPointer(b));
    }

    [Fact]
    public void A_closed_file_is_not_read()
    {
        SafetensorsFile file = new(Repo.Golden("llama2/model.safetensors"));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Read("lm_head.weight"));
    }

    [Fact]
    public void A_misaligned_tensor_is_read_right()
    {
        using TemporaryFolder folder = new();
        byte[] data = [7, .. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(-2f)];
        Make(folder["a"], """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}""", data);
        using SafetensorsFile file = new(folder["a"]);
        using Tensor b = file.Read("b");
        Assert.Equal([1.5f, -2f], b.data<float>().ToArray());
    }

    [Fact]
    public void A_header_padded_in_front_of_the_data_and_no_tensors_is_fine()
    {
        using TemporaryFolder folder = new();
        Make(folder["a"], "{}      ", []);
        using SafetensorsFile file = new(folder["a"]);
        Assert.Empty(file.Tensors);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "over a")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}""", 16, "bytes 8 to 12 before b")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "bytes 0 to 4 before a")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 6, "2 bytes after its last tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", 12, "0 to 16 of 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}""", 12, "8 to 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "[3] in F32 takes 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "larger than any file")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,2,0],"data_offsets":[0,4]}}""", 4, "takes 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "not a whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "not a whole number")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}""", 4, "not a whole number")]
    [InlineData("""{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}""", 4, "Q4, which is no type")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "names a twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}""", 4, "unknown key x")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "lacks a dtype, a shape or two data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2,4]}}""", 4, "lacks a dtype")]
    [InlineData("""{"a":7}""", 4, "a is not an object")]
    [InlineData("""{"__metadata__":{"format":1}}""", 0, "__metadata__.format is not a string")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", 4, "not JSON")]
    [InlineData("""{"a":{{{{{{{{{{{{""", 0, "not JSON")]
    [InlineData("""{} {}""", 0, "not JSON")]
    public void A_damaged_header_is_one_sentence_that_names_the_file(string header, int dataBytes, string expected)
    {
        using TemporaryFolder folder = new();
        Make(folder["bad.safetensors"], header, new byte[dataBytes]);
        CheckpointException e = Assert.Throws<CheckpointException>(() => new SafetensorsFile(folder["bad.safetensors"]));
        Assert.StartsWith(folder["bad.safetensors"] + ": ", e.Message);
        Assert.Contains(expected, e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Theory]
    [InlineData(0, "has 0 bytes")]
    [InlineData(7, "has 7 bytes")]
    [InlineData(9, "only 1 follow. It was cut off")]
    [InlineData(2000, "only 1992 follow. It was cut off")]
    [InlineData(200_000, "It was cut off, or is damaged")]
    public void A_truncated_file_says_so(int length, string expected)
    {
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder["cut"], File.ReadAllBytes(Repo.Golden("llama2/model.safetensors"))[..length]);
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => new SafetensorsFile(folder["cut"])).Message);
    }

    [Fact]
    public void Every_cut_is_noticed()
    {
        using TemporaryFolder folder = new();
        byte[] whole = File.ReadAllBytes(Repo.Golden("peft_lora/adapter/adapter_model.safetensors"));
        for (int length = 0; length < whole.Length; length += 13)
        {
            File.WriteAllBytes(folder["cut"], whole[..length]);
            Assert.Throws<CheckpointException>(() => new SafetensorsFile(folder["cut"]));
        }
    }

    [Theory]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull")]
    [InlineData("PK\u0003\u0004aaaaaaaaaaaa", "torch file")]
    [InlineData("GGUF\u0003aaaaaaaaaaaaaaa", "GGUF")]
    [InlineData("<!doctype html><html></html>", "web page")]
    [InlineData("something else entirely", "does not begin with {")]
    public void Another_format_is_recognised(string content, string expected)
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["other"], content);
        string message = Assert.Throws<CheckpointException>(() => new SafetensorsFile(folder["other"])).Message;
        Assert.Contains("not a safetensors file", message);
        Assert.Contains(expected, message);
    }

    [Fact]
    public void A_huge_header_length_is_refused_before_anything_is_allocated()
    {
        using TemporaryFolder folder = new();
        byte[] bytes = [.. BitConverter.GetBytes(ulong.MaxValue), .. "{}"u8];
        File.WriteAllBytes(folder["huge"], bytes);
        Assert.Contains("18446744073709551615", Assert.Throws<CheckpointException>(() => new SafetensorsFile(folder["huge"])).Message);
    }

    [Fact]
    public void A_type_that_torch_sharp_lacks_is_listed_and_refused_when_read()
    {
        using TemporaryFolder folder = new();
        Make(folder["f8"], """{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", new byte[8]);
        using SafetensorsFile file = new(folder["f8"]);
        Assert.Equal(2, file.Tensors.Count);
        Assert.Contains("a is stored as F8_E4M3", Assert.Throws<CheckpointException>(() => file.Read("a")).Message);
        file.Read("b").Dispose();
    }

    [Fact]
    public void A_missing_file_a_folder_and_a_dead_link_are_told_apart()
    {
        using TemporaryFolder folder = new();
        File.CreateSymbolicLink(folder["link"], folder["gone"]);
        Assert.Contains("no such file", Message(folder["nothing"]));
        Assert.Contains("is a folder", Message(folder.Path));
        Assert.Contains($"the link points to {folder["gone"]}", Message(folder["link"]));
        string Message(string path) => Assert.Throws<CheckpointException>(() => new SafetensorsFile(path)).Message;
    }

    [Fact]
    public void A_link_is_followed()
    {
        using TemporaryFolder folder = new();
        File.CreateSymbolicLink(folder["link"], Repo.Golden("llama2/model.safetensors"));
        using SafetensorsFile file = new(folder["link"]);
        Assert.Equal(21, file.Tensors.Count);
    }

    [Fact]
    public void A_file_of_more_than_two_gigabytes_is_read_to_its_end()
    {
        using TemporaryFolder folder = new();
        const long large = 3_000_000_000; // a hole in the file: it takes no space
        string header = $$"""{"a":{"dtype":"U8","shape":[{{large}}],"data_offsets":[0,{{large}}]},"b":{"dtype":"F32","shape":[1],"data_offsets":[{{large}},{{large + 4}}]} }   """;
        Make(folder["large"], header, []);
        using (FileStream stream = new(folder["large"], FileMode.Open, FileAccess.Write))
        {
            stream.SetLength(stream.Length + large);
            stream.Position = stream.Length;
            stream.Write(BitConverter.GetBytes(4.25f));
        }

        using SafetensorsFile file = new(folder["large"]);
        using Tensor a = file.Read("a");
        using Tensor b = file.Read("b");
        Assert.Equal(large, a.numel());
        Assert.Equal(4.25f, b[0].ToSingle());
    }

    [Fact]
    public void A_file_of_ten_thousand_tensors_opens_and_is_written_again_alike()
    {
        using TemporaryFolder folder = new();
        TensorInfo[] infos = [.. Enumerable.Range(0, 10_000).Select(i => new TensorInfo($"layers.{i}.weight", [1, 2], ScalarType.BFloat16))];
        SafetensorsWriter.Write(folder["a"], infos, _ => ones(1, 2, dtype: ScalarType.BFloat16));
        using SafetensorsFile file = new(folder["a"]);
        Assert.Equal(10_000, file.Tensors.Count);
        SafetensorsWriter.Write(folder["b"], file.InFileOrder, file.Read);
        Assert.Equal(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["b"]));
    }

    internal static void Make(string path, string header, byte[] data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)json.Length), .. json, .. data]);
    }
}
