using System.Diagnostics;
using TuneSharp.Native;

namespace TuneSharp.Tests.Native;

public sealed class LibTorchTests
{
    [Fact]
    public void A_relaxed_copy_asks_for_the_version_weakly_and_only_once()
    {
        string shim = LibTorchLocation.FindShims().First();
        string copy = Path.Combine(Directory.CreateTempSubdirectory("tunesharp-elf-").FullName, "copy.so");
        byte[] before = File.ReadAllBytes(shim);

        Assert.True(ElfRelaxer.WriteRelaxedCopy(shim, copy));

        byte[] after = File.ReadAllBytes(copy);
        Assert.Equal(before.Length, after.Length);
        // The need's flag and the binding of its one symbol: nothing else of the library changes.
        Assert.InRange(before.Zip(after).Count(b => b.First != b.Second), 1, 4);
        Assert.Equal(before, File.ReadAllBytes(shim));
    }

    [Fact]
    public void A_file_without_the_need_is_left_alone()
    {
        string folder = Directory.CreateTempSubdirectory("tunesharp-elf-").FullName;
        string text = Path.Combine(folder, "not.so");
        File.WriteAllText(text, "not a library, but long enough to hold a header if it were one: ................");
        Assert.False(ElfRelaxer.WriteRelaxedCopy(text, Path.Combine(folder, "copy.so")));
        Assert.False(File.Exists(Path.Combine(folder, "copy.so")));
    }

    [Fact]
    public void A_libtorch_that_cannot_be_loaded_is_told_in_the_loader_s_own_words()
    {
        string empty = Directory.CreateTempSubdirectory("tunesharp-libtorch-").FullName;
        using Process process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!)
        {
            ArgumentList = { "-noColor", "-class", "*AtenTests" },
            Environment = { [LibTorchLocation.Variable] = empty },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        string output = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.NotEqual(0, process.ExitCode);
        Assert.Contains("cannot open shared object file", output); // dlopen's words
        Assert.Contains(empty, output);
        Assert.Contains(LibTorchLocation.Variable, output);
    }

    [Fact]
    public void A_named_libtorch_is_the_only_one_looked_at()
    {
        string? before = Environment.GetEnvironmentVariable(LibTorchLocation.Variable);
        try
        {
            Environment.SetEnvironmentVariable(LibTorchLocation.Variable, "/nowhere");
            LibTorchLocation only = Assert.Single(LibTorchLocation.FindAll());
            Assert.Equal("/nowhere", only.Directory);
            Assert.False(only.HasCuda);
        }
        finally
        {
            Environment.SetEnvironmentVariable(LibTorchLocation.Variable, before);
        }
    }
}
