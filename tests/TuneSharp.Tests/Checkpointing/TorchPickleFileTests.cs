using System.IO.Compression;
using TorchSharp;
using TuneSharp.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Checkpointing;

/// <summary>The files are made by tests/golden/checkpoints/make_torch_files.py; the odd pickles here are written opcode by opcode.</summary>
public sealed class TorchPickleFileTests
{
    [Theory]
    [InlineData("state_dict.pt")]
    [InlineData("state_dict_packed.pt")]
    [InlineData("state_dict_protocol4.pt")]
    [InlineData("training.pt")]
    public void Tensors_are_read_with_their_strides_and_offsets(string name)
    {
        using DisposeScope scope = NewDisposeScope();
        using CheckpointReader file = CheckpointReader.Open(Repo.Golden("checkpoints/" + name));
        Assert.Equal(["a.tail", "a.transposed", "a.weight", "empty", "half", "scalar"], file.Tensors.Keys.Order());
        Assert.Equal([0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], file.Read("a.weight").reshape(-1).data<float>().ToArray());
        Assert.Equal([0f, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11], file.Read("a.transposed").contiguous().data<float>().ToArray());
        Assert.Equal([4, 3], file.Tensors["a.transposed"].Shape);
        Assert.Equal([10f, 11], file.Read("a.tail").contiguous().data<float>().ToArray());
        Assert.Equal(1L << 40, file.Read("scalar").ToInt64());
        Assert.Equal([1.5f, -2], file.Read("half").to_type(ScalarType.Float32).data<float>().ToArray());
        Assert.Equal([0, 7], file.Read("empty").shape);
        Assert.Equal(ScalarType.Float16, file.Tensors["half"].Dtype);
    }

    [Theory]
    [InlineData("bad_system.pt", "it names posix.system, and only tensors and plain data are read")]
    [InlineData("bad_eval.pt", "it names __builtin__.eval")]
    [InlineData("bad_new_function.pt", "it names torch._utils._rebuild_something_new")]
    [InlineData("bad_offset.pt", "a is damaged: it reaches to element 12 of a storage of 12")]
    [InlineData("bad_stride.pt", "larger than any file")]
    [InlineData("bad_negative.pt", "make no sense")]
    [InlineData("bad_storage_size.pt", "13 elements of 4 bytes by its description, and 48 bytes")]
    [InlineData("bad_no_storage.pt", "its storage 0 is not in the file")]
    [InlineData("bad_not_a_dict.pt", "no dictionary of tensors")]
    [InlineData("bad_legacy.pt", "format before version 1.6")]
    public void A_file_that_is_damaged_or_wants_to_run_something_is_refused(string name, string expected)
    {
        string path = Repo.Golden("checkpoints/" + name);
        CheckpointException e = Assert.Throws<CheckpointException>(() => CheckpointReader.Open(path));
        Assert.StartsWith(path + ": ", e.Message);
        Assert.Contains(expected, e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void Every_cut_and_every_changed_byte_of_the_archive_ends_well()
    {
        using TemporaryFolder folder = new();
        byte[] whole = File.ReadAllBytes(Repo.Golden("checkpoints/state_dict.pt"));
        for (int at = 0; at < whole.Length; at += 3)
        {
            byte[] changed = [.. whole];
            changed[at] ^= 0xff;
            TryOpen(changed);
            TryOpen(whole[..at]);
        }

        void TryOpen(byte[] bytes)
        {
            File.WriteAllBytes(folder["x.pt"], bytes);
            try
            {
                using TorchPickleFile file = new(folder["x.pt"]);
                foreach (string name in file.Tensors.Keys)
                {
                    using Tensor t = file.Read(name);
                    using Tensor copy = t.clone(); // touches every element
                }
            }
            catch (CheckpointException)
            {
                // the one way to fail
            }
        }
    }

    [Theory]
    [InlineData(new byte[] { 0x80, 2, (byte)'R', (byte)'.' }, "it is damaged")] // a call on an empty stack
    [InlineData(new byte[] { 0x80, 2, (byte)'}', (byte)'j', 0xff, 0xff, 0xff, 0xff, (byte)'.' }, "recalls object 4294967295")]
    [InlineData(new byte[] { 0x80, 2, (byte)'X', 0xff, 0xff, 0xff, 0xff }, "it ends too early")]
    [InlineData(new byte[] { 0x80, 4, 0x8d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, "it ends too early")]
    [InlineData(new byte[] { 0x80, 9, (byte)'.' }, "unknown pickle protocol 9")]
    [InlineData(new byte[] { 0x80, 2, 0xfe }, "unknown opcode 0xfe")]
    [InlineData(new byte[] { 0x80, 2, (byte)'}', (byte)')', (byte)'N', (byte)'s', (byte)'.' }, "key that is neither text nor a number")]
    [InlineData(new byte[] { 0x80, 2, (byte)'t', (byte)'.' }, "it is damaged")] // a tuple without its mark
    [InlineData(new byte[] { 0x80, 2, (byte)']', (byte)'N', (byte)'b', (byte)'.' }, "sets attributes")]
    [InlineData(new byte[] { 0x80, 2, (byte)'K', 1, (byte)')', 0x81, (byte)'.' }, "it is damaged")]
    public void A_damaged_pickle_is_one_sentence(byte[] pickle, string expected)
    {
        using TemporaryFolder folder = new();
        Assert.Contains(expected, Message(folder["x.pt"], pickle));
    }

    [Fact]
    public void A_huge_memo_index_costs_nothing_and_a_circle_is_noticed()
    {
        using TemporaryFolder folder = new();
        // {} stored as object 4294967295, then set as its own value "a".
        byte[] circle = [0x80, 2, (byte)'}', (byte)'r', 0xff, 0xff, 0xff, 0xff, (byte)'U', 1, (byte)'a', (byte)'j', 0xff, 0xff, 0xff, 0xff, (byte)'s', (byte)'.'];
        Assert.Contains("32 deep", Message(folder["x.pt"], circle));
    }

    [Fact]
    public void A_small_file_that_unfolds_to_a_huge_tree_is_noticed()
    {
        using TemporaryFolder folder = new();
        // Each level holds the level below ten times: 10^25 paths in under a kilobyte.
        List<byte> pickle = [0x80, 2, (byte)'}', (byte)'q', 0];
        for (byte level = 1; level < 25; level++)
        {
            pickle.AddRange([(byte)'}', (byte)'(']);
            for (byte i = 0; i < 10; i++)
            {
                pickle.AddRange([(byte)'K', i, (byte)'h', (byte)(level - 1)]);
            }

            pickle.AddRange([(byte)'u', (byte)'q', level]);
        }

        pickle.Add((byte)'.');
        Assert.Contains("Do not trust it", Message(folder["x.pt"], [.. pickle]));
    }

    [Fact]
    public void A_zip_that_is_no_torch_file_says_so()
    {
        using TemporaryFolder folder = new();
        using (ZipArchive zip = ZipFile.Open(folder["x.zip"], ZipArchiveMode.Create))
        {
            zip.CreateEntry("readme.txt");
        }

        Assert.Contains("0 entries data.pkl", Assert.Throws<CheckpointException>(() => CheckpointReader.Open(folder["x.zip"])).Message);
    }

    private static string Message(string path, byte[] pickle)
    {
        using (ZipArchive zip = ZipFile.Open(path, ZipArchiveMode.Create))
        using (Stream entry = zip.CreateEntry("archive/data.pkl", CompressionLevel.NoCompression).Open())
        {
            entry.Write(pickle);
        }

        return Assert.Throws<CheckpointException>(() => new TorchPickleFile(path)).Message;
    }
}
