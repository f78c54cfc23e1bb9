using TuneSharp.Hub;

namespace TuneSharp.Tokenizers;

/// <summary>Finds out by content what kind of tokenizer a path holds, and reads it.</summary>
public static class TokenizerLoader
{
    private static readonly string[] Names = ["tokenizer.json", "tokenizer.model", "original/tokenizer.model"];

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="path">
    /// A tokenizer.json, a tiktoken file, a SentencePiece model, or a model folder that holds one of them (tokenizer.json first, then
    /// tokenizer.model, then original/tokenizer.model).
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such file, or no tokenizer in the folder.</exception>
    /// <exception cref="FormatException">The file is malformed, or of a kind that is not known.</exception>
    public static ITokenizer Load(string path)
    {
        path = HubCache.Local(path);
        string file = path;
        if (Directory.Exists(path))
        {
            file = Names.Select(n => Path.Combine(path, n)).FirstOrDefault(File.Exists)
                ?? throw new FileNotFoundException($"{path} holds no tokenizer. Looked for {string.Join(", ", Names)}.");
        }
        else if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path} does not exist. Give a tokenizer file or the folder of a model.{HubCache.Hint(path)}");
        }

        byte[] start = new byte[4096];
        using (FileStream stream = File.OpenRead(file))
        {
            start = start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        }

        // A SentencePiece model is a protobuf message whose first field is its first piece.
        return start.AsSpan().TrimStart((ReadOnlySpan<byte>)" \t\r\n"u8).StartsWith("{"u8) ? TokenizerJson.Load(file)
            : TiktokenFile.LooksLike(start) ? TiktokenFile.Load(file)
            : start is [0x0A, ..] ? SentencePieceModel.Load(file)
            : throw new FormatException($"{file} is neither a tokenizer.json, nor a tiktoken file, nor a SentencePiece model.");
    }
}
