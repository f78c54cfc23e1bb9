using System.IO.Compression;
using Microsoft.Win32.SafeHandles;

namespace TuneSharp.Data;

/// <summary>Bytes of a data file, compressed with gzip or not.</summary>
internal static class DataFile
{
    public static bool IsCompressed(string path) => path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    /// <summary>The extension that says the format, in lower case: <c>.jsonl</c> for <c>a.JSONL.gz</c>.</summary>
    public static string Extension(string path) =>
        Path.GetExtension(IsCompressed(path) ? path[..^3] : path).ToLowerInvariant();

    public static byte[] ReadAll(string path)
    {
        long length = new FileInfo(path).Length;
        if (length > Array.MaxLength)
        {
            throw TooLarge(path);
        }

        if (!IsCompressed(path))
        {
            return File.ReadAllBytes(path);
        }

        using MemoryStream plain = new();
        try
        {
            using FileStream file = File.OpenRead(path);
            using GZipStream gzip = new(file, CompressionMode.Decompress);
            gzip.CopyTo(plain);
        }
        catch (InvalidDataException e)
        {
            throw new DatasetException($"{path}: this is not a whole gzip file ({e.Message.TrimEnd('.')}). Fetch it again.", e);
        }
        catch (IOException e) when (plain.Length > Array.MaxLength - (1 << 20))
        {
            throw TooLarge(path, e);
        }

        return plain.ToArray();
    }

    /// <summary>Some bytes of an uncompressed file.</summary>
    public static byte[] ReadAt(string path, long offset, int length)
    {
        // Opened anew: a row is read once, as its tokens are kept, and no handle has to be looked after.
        using SafeFileHandle file = File.OpenHandle(path);
        byte[] bytes = new byte[length];
        for (int done = 0; done < length;)
        {
            int n = RandomAccess.Read(file, bytes.AsSpan(done), offset + done);
            done += n > 0 ? n : throw new DatasetException($"{path}: the file became shorter while it was in use. Start again.");
        }

        return bytes;
    }

    private static DatasetException TooLarge(string path, Exception? cause = null) => new(
        $"{path}: more than 2 GB that must be read at once. Use uncompressed JSONL or Parquet, or several smaller files.", cause);
}
