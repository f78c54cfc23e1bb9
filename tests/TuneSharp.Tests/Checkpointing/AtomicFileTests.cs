using TuneSharp.Checkpointing;

namespace TuneSharp.Tests.Checkpointing;

public sealed class AtomicFileTests
{
    [Fact]
    public void A_full_disk_leaves_the_old_file_and_no_temporary()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["a"], "old");
        CheckpointException e = Assert.Throws<CheckpointException>(() => AtomicFile.Write(
            folder["a"],
            s => s.Write("new"u8),
            temporary =>
            {
                File.WriteAllText(temporary, "");
                return new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
            }));
        Assert.Equal("old", File.ReadAllText(folder["a"]));
        Assert.Equal([folder["a"]], Directory.EnumerateFileSystemEntries(folder.Path));
        Assert.StartsWith(folder["a"] + ": could not be saved", e.Message);
        Assert.Contains("could not be saved (No space left on device). ", e.Message);
        Assert.Matches("[0-9.]+ [MG]B are free", e.Message);
        Assert.DoesNotContain(".tmp", e.Message);
        Assert.Contains("untouched", e.Message);
    }

    [Fact]
    public void An_error_of_the_callers_passes_through_and_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        Assert.Throws<ArithmeticException>(() => AtomicFile.Write(folder["a"], _ => throw new ArithmeticException()));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public void A_missing_folder_is_made_and_a_file_in_its_place_is_one_message()
    {
        using TemporaryFolder folder = new();
        AtomicFile.WriteText(folder["x/y/a"], "ä");
        Assert.Equal("ä"u8.ToArray(), File.ReadAllBytes(folder["x/y/a"]));
        Assert.Contains("could not be saved", Assert.Throws<CheckpointException>(() => AtomicFile.WriteText(folder["x/y/a/b"], "")).Message);
    }

    [Fact]
    public void A_link_is_replaced_and_its_target_kept()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["target"], "old");
        File.CreateSymbolicLink(folder["link"], folder["target"]);
        AtomicFile.WriteText(folder["link"], "new");
        Assert.Equal("old", File.ReadAllText(folder["target"]));
        Assert.Equal("new", File.ReadAllText(folder["link"]));
    }

    [Fact]
    public void A_folder_appears_whole_and_replaces_the_old_one_whole()
    {
        using TemporaryFolder folder = new();
        AtomicFolder.Write(folder["step_1"], t => File.WriteAllText(Path.Combine(t, "a"), "1"));
        AtomicFolder.Write(folder["step_1"], t =>
        {
            Assert.Equal("1", File.ReadAllText(folder["step_1/a"]));
            File.WriteAllText(Path.Combine(t, "b"), "2");
        });
        Assert.Equal([folder["step_1"]], Directory.EnumerateFileSystemEntries(folder.Path));
        Assert.Equal([folder["step_1/b"]], Directory.EnumerateFileSystemEntries(folder["step_1"]));
    }

    [Fact]
    public void A_folder_that_cannot_be_filled_leaves_the_old_one()
    {
        using TemporaryFolder folder = new();
        AtomicFolder.Write(folder["step_1"], t => File.WriteAllText(Path.Combine(t, "a"), "1"));
        CheckpointException e = Assert.Throws<CheckpointException>(() => AtomicFolder.Write(folder["step_1"], t =>
        {
            File.WriteAllText(Path.Combine(t, "b"), "2");
            throw new IOException("No space left on device");
        }));
        Assert.StartsWith(folder["step_1"], e.Message);
        Assert.Contains("untouched", e.Message);
        Assert.Equal("1", File.ReadAllText(folder["step_1/a"]));
        Assert.Equal([folder["step_1"]], Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Temporaries_of_dead_processes_are_removed_and_others_kept()
    {
        using TemporaryFolder folder = new();
        string dead = folder[$".step_1.{Environment.MachineName}-{int.MaxValue}.tmp"];
        string alive = folder[$".step_2.{AtomicFile.Owner}.tmp"];
        string elsewhere = folder[$".step_3.another-machine-{int.MaxValue}.tmp"];
        foreach (string d in new[] { dead, alive, elsewhere })
        {
            Directory.CreateDirectory(d);
        }

        AtomicFolder.RemoveAbandoned(folder.Path);
        Assert.Equal([alive, elsewhere], Directory.EnumerateDirectories(folder.Path).Order());
    }

    [Fact]
    public void A_replacement_that_was_killed_between_its_renames_is_undone()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder[$".step_1.{Environment.MachineName}-{int.MaxValue}.tmp.old/x"]);
        Directory.CreateDirectory(folder[$".step_2.{Environment.MachineName}-{int.MaxValue}.tmp.old/x"]);
        Directory.CreateDirectory(folder["step_2"]);
        AtomicFolder.RemoveAbandoned(folder.Path);
        Assert.Equal([folder["step_1"], folder["step_2"]], Directory.EnumerateDirectories(folder.Path).Order());
        Assert.True(Directory.Exists(folder["step_1/x"]));
    }
}
