namespace TuneSharp.Checkpointing;

/// <summary>The small files beside a model's weights (config, tokenizer, generation config …), which every copy of the model needs.</summary>
internal static class CompanionFiles
{
    private const long MaxBytes = 100L << 20; // 100 MiB, torchtune's limit

    private static readonly HashSet<string> WeightEndings =
        new(StringComparer.OrdinalIgnoreCase) { ".pt", ".pth", ".bin", ".safetensors", ".gguf", ".onnx", ".h5", ".msgpack" };

    /// <summary>Copies them, with folders, without hidden files, weights, indexes, adapters, and saves of a recipe.</summary>
    /// <param name="from">A model's folder.</param>
    /// <param name="to">An existing folder.</param>
    internal static void Copy(string from, string to) => Copy(new DirectoryInfo(from), to, depth: 0);

    private static void Copy(DirectoryInfo from, string to, int depth)
    {
        foreach (FileInfo file in from.EnumerateFiles())
        {
            // A link (the hub's cache is made of them) is copied as the file it leads to.
            if (IsCompanion(file.Name) && (file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file) is { Exists: true, Length: <= MaxBytes } real)
            {
                Directory.CreateDirectory(to);
                string target = Path.Combine(to, file.Name);
                using FileStream source = real.OpenRead();
                AtomicFile.Write(target, source.CopyTo);
            }
        }

        foreach (DirectoryInfo folder in from.EnumerateDirectories())
        {
            if (folder.LinkTarget is null && folder.Name[0] != '.' && depth < 4 && !Checkpointer.IsSave(folder.Name))
            {
                Copy(folder, Path.Combine(to, folder.Name), depth + 1);
            }
        }
    }

    private static bool IsCompanion(string name) =>
        name[0] != '.' && !WeightEndings.Contains(Path.GetExtension(name))
        && !name.EndsWith(".index.json", StringComparison.Ordinal) && !name.StartsWith("adapter_", StringComparison.Ordinal)
        && !name.StartsWith("recipe_state", StringComparison.Ordinal);
}
