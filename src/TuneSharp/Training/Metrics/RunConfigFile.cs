using TuneSharp.Checkpointing;
using TuneSharp.Config;

namespace TuneSharp.Training.Metrics;

/// <summary>The config as a run used it, beside the run's checkpoints.</summary>
internal static class RunConfigFile
{
    /// <summary>torchtune's name for it.</summary>
    public const string Name = "torchtune_config.yaml";

    public static void Write(string outputDir, string yaml)
    {
        Directory.CreateDirectory(outputDir);
        AtomicFile.WriteText(Path.Combine(outputDir, Name), yaml);
    }

    /// <summary>Opens a log for appending; every line is flushed. A last line that a killed run left unfinished is closed.</summary>
    public static StreamWriter Append(string path, string key)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            FileStream file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
            bool isCut = false;
            if (file.Length > 0)
            {
                file.Seek(-1, SeekOrigin.End);
                isCut = file.ReadByte() != '\n';
            }

            StreamWriter writer = new(file) { AutoFlush = true, NewLine = "\n" };
            if (isCut)
            {
                writer.WriteLine();
            }

            return writer;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new ConfigException($"{key} {path} cannot be written: {e.Message} Choose a folder that you may write to.", e);
        }
    }
}
