using System.Globalization;
using System.Text;

namespace TuneSharp.Checkpointing;

/// <summary>Writes a file so that its name always leads to a whole one: the old, or the new.</summary>
/// <remarks>The bytes go to a temporary name in the same folder, are flushed to the disk, and the file is renamed.</remarks>
public static class AtomicFile
{
    /// <summary>Writes a file.</summary>
    /// <param name="path">Its final name; an existing file is replaced once the new one is complete.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="CheckpointException">The disk is full or refuses; the temporary is gone, the old file as it was.</exception>
    public static void Write(string path, Action<Stream> write) => Write(path, write, Create);

    /// <summary>Writes a text file in UTF-8.</summary>
    /// <param name="path">Its final name.</param>
    /// <param name="text">The content.</param>
    public static void WriteText(string path, string text) => Write(path, s => s.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>As <see cref="Write(string, Action{Stream})"/>, over a stream of the caller's making.</summary>
    internal static void Write(string path, Action<Stream> write, Func<string, Stream> create)
    {
        string full = Path.GetFullPath(path);
        string folder = Path.GetDirectoryName(full)!;
        string temporary = Path.Combine(folder, $".{Path.GetFileName(full)}.{Owner}.tmp");
        try
        {
            Directory.CreateDirectory(folder);
            using (Stream stream = create(temporary))
            {
                write(stream);
                stream.Flush();
                if (stream is FileStream file)
                {
                    file.Flush(flushToDisk: true);
                }
            }

            File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e)
        {
            DeleteQuietly(temporary);
            if (e is IOException or UnauthorizedAccessException || IsTooLarge(e))
            {
                throw Failed(path, e, File.Exists(full));
            }

            throw;
        }
    }

    /// <summary>Who writes: a temporary of a process that ended can then be told from one in use.</summary>
    internal static string Owner { get; } =
        string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName}-{Environment.ProcessId}");

    /// <summary>The one message about a write that failed.</summary>
    internal static CheckpointException Failed(string path, Exception e, bool hadOld) => new(
        $"{path}: could not be saved ({Cause(e)}). {FreeSpace(path)}"
        + (hadOld ? "What was saved there before is untouched. " : "Nothing was left behind. ")
        + "Free some space or check permissions, or save to another disk with output_dir.", e);

    private static FileStream Create(string path) =>
        new(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1); // tensors are written in large pieces

    /// <summary>.NET reports EFBIG, from FAT's 4 GB or a limit of the account, as a bad argument of its own.</summary>
    private static bool IsTooLarge(Exception e) => e is ArgumentOutOfRangeException { ParamName: "value" };

    /// <summary>The system's words without the temporary's name, which is gone by now.</summary>
    private static string Cause(Exception e)
    {
        if (IsTooLarge(e))
        {
            return "a file may not become as large as that here: the file system or a limit of this account (ulimit -f) forbids it";
        }

        int at = e.Message.IndexOf(" : '", StringComparison.Ordinal);
        return at > 0 ? e.Message[..at] : e.Message.TrimEnd('.');
    }

    private static string FreeSpace(string path)
    {
        try
        {
            string? folder = Path.GetFullPath(path);
            while (folder is not null && !Directory.Exists(folder))
            {
                folder = Path.GetDirectoryName(folder);
            }

            double free = new DriveInfo(folder ?? "/").AvailableFreeSpace;
            return free < 1e9
                ? string.Create(CultureInfo.InvariantCulture, $"{free / 1e6:0.#} MB are free on that disk. ")
                : string.Create(CultureInfo.InvariantCulture, $"{free / 1e9:0.#} GB are free on that disk. ");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return ""; // the first error is the one to report
        }
    }

    private static void DeleteQuietly(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The write's own error is the one to report.
        }
    }
}

/// <summary>Writes a folder so that its name always leads to a whole one.</summary>
public static class AtomicFolder
{
    private const string Old = ".old";

    /// <summary>Fills a temporary folder beside the final one, flushes its files to the disk, and renames it.</summary>
    /// <param name="path">The final name; an existing folder is replaced once the new one is complete.</param>
    /// <param name="fill">Writes the files; its argument is the temporary folder.</param>
    /// <exception cref="CheckpointException">The disk is full or refuses; the temporary is gone, the old folder as it was.</exception>
    public static void Write(string path, Action<string> fill)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        string parent = Path.GetDirectoryName(full)!;
        string temporary = Path.Combine(parent, $".{Path.GetFileName(full)}.{AtomicFile.Owner}.tmp");
        try
        {
            Directory.CreateDirectory(parent);
            DeleteQuietly(temporary);
            Directory.CreateDirectory(temporary);
            fill(temporary);
            Flush(temporary);
            Replace(temporary, full);
        }
        catch (Exception e)
        {
            DeleteQuietly(temporary);
            if (e is IOException or UnauthorizedAccessException)
            {
                throw AtomicFile.Failed(path, e, Directory.Exists(full));
            }

            if (e is CheckpointException { InnerException: { } cause and (IOException or UnauthorizedAccessException) })
            {
                throw AtomicFile.Failed(path, cause, Directory.Exists(full)); // one file's message names the temporary
            }

            throw;
        }
    }

    /// <summary>Removes temporary folders that a process of this machine left when it was killed, and puts back what it was replacing.</summary>
    /// <param name="parent">Where to look; a missing folder is fine.</param>
    internal static void RemoveAbandoned(string parent)
    {
        if (!Directory.Exists(parent))
        {
            return;
        }

        foreach (string folder in Directory.EnumerateDirectories(parent, $".*.{Environment.MachineName}-*.tmp*"))
        {
            bool isOld = folder.EndsWith(Old, StringComparison.Ordinal);
            string temporary = isOld ? folder[..^Old.Length] : folder;
            string tag = $".{Environment.MachineName}-";
            int at = temporary.LastIndexOf(tag, StringComparison.Ordinal);
            if (!temporary.EndsWith(".tmp", StringComparison.Ordinal)
                || !int.TryParse(temporary[(at + tag.Length)..^4], NumberStyles.None, CultureInfo.InvariantCulture, out int id) || IsRunning(id))
            {
                continue;
            }

            string name = Path.Combine(parent, Path.GetFileName(temporary[..at])[1..]);
            if (isOld && !Directory.Exists(name))
            {
                Directory.Move(folder, name); // it was killed between the two renames of a replacement
            }
            else
            {
                DeleteQuietly(folder);
            }
        }
    }

    private static bool IsRunning(int id)
    {
        try
        {
            using System.Diagnostics.Process process = System.Diagnostics.Process.GetProcessById(id);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static void Flush(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            using FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite);
            stream.Flush(flushToDisk: true);
        }
    }

    private static void Replace(string temporary, string full)
    {
        if (!Directory.Exists(full))
        {
            Directory.Move(temporary, full);
            return;
        }

        string old = temporary + Old;
        DeleteQuietly(old);
        Directory.Move(full, old);
        try
        {
            Directory.Move(temporary, full);
        }
        catch
        {
            Directory.Move(old, full);
            throw;
        }

        DeleteQuietly(old);
    }

    private static void DeleteQuietly(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The write's own error is the one to report.
        }
    }
}
