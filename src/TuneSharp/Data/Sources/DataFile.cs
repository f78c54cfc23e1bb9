using System.IO.Compression;
using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.BZip2;
using ICSharpCode.SharpZipLib.GZip;
using Microsoft.Win32.SafeHandles;
using ZstdSharp;

namespace TuneSharp.Data;

/// <summary>Bytes of a data file, unpacked if it is compressed.</summary>
internal static class DataFile
{
    private static readonly string[] Packed = [".gz", ".zst", ".bz2"];

    /// <summary>Compressions we name in messages.</summary>
    public static string Compressions => string.Join(", ", Packed);

    public static bool IsCompressed(string path) => Packed.Any(p => path.EndsWith(p, StringComparison.OrdinalIgnoreCase));

    /// <summary>The extension that says the format, in lower case: <c>.jsonl</c> for <c>a.JSONL.gz</c>.</summary>
    public static string Extension(string path) =>
        Path.GetExtension(IsCompressed(path) ? Path.ChangeExtension(path, null) : path).ToLowerInvariant();

    /// <summary>Opens a file for reading from its beginning; what it gives is unpacked.</summary>
    public static Stream Open(string path)
    {
        FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 1); // readers have buffers of their own
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".gz" => new UnpackedStream(() => new GZipStream(file, CompressionMode.Decompress), file, path, "gzip"),
            ".zst" => new UnpackedStream(() => new DecompressionStream(file, leaveOpen: false), file, path, "zstd"),
            ".bz2" => new UnpackedStream(() => new BZip2InputStream(file), file, path, "bzip2"),
            _ => file,
        };
    }

    /// <summary>Opens a file at a byte of its unpacked content.</summary>
    public static Stream OpenAt(string path, long offset)
    {
        Stream stream = Open(path);
        if (stream.CanSeek)
        {
            stream.Position = offset;
            return stream;
        }

        byte[] buffer = new byte[1 << 16];
        for (long left = offset; left > 0;)
        {
            int n = stream.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
            if (n == 0)
            {
                stream.Dispose();
                throw Shorter(path);
            }

            left -= n;
        }

        return stream;
    }

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
            using Stream stream = Open(path);
            stream.CopyTo(plain);
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
            done += n > 0 ? n : throw Shorter(path);
        }

        return bytes;
    }

    private static DatasetException Shorter(string path) => new($"{path}: the file became shorter while it was in use. Start again.");

    private static DatasetException TooLarge(string path, Exception? cause = null) => new(
        $"{path}: more than 2 GB that must be read at once. Use uncompressed JSONL or Parquet, or several smaller files.", cause);

    /// <summary>An unpacking stream whose complaints name the file.</summary>
    private sealed class UnpackedStream(Func<Stream> open, Stream packed, string path, string kind) : Stream
    {
        private long _count; // bytes given out
        private bool _isChecked;
        private Stream? _inner; // opened by the first read: some look at the file's head at once

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Explained(() => ReadCounted(buffer, offset, count));

        public override int Read(Span<byte> buffer)
        {
            byte[] bytes = new byte[Math.Min(buffer.Length, 1 << 16)];
            int n = Read(bytes, 0, bytes.Length);
            bytes.AsSpan(0, n).CopyTo(buffer);
            return n;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _inner?.Dispose();
                packed.Dispose();
            }

            base.Dispose(disposing);
        }

        /// <summary>.NET's gzip takes a file that was cut off for one that ends there. The last four bytes of a whole one tell its length.</summary>
        private void RequireWhole()
        {
            using FileStream file = File.OpenRead(path);
            byte[] tail = new byte[4];
            file.Position = Math.Max(0, file.Length - tail.Length);
            file.ReadExactly(tail);
            if (_count % (1L << 32) == BitConverter.ToUInt32(tail))
            {
                return;
            }

            // Several gzip files one after another, or a cut one: read once more by a reader that knows the difference.
            file.Position = 0;
            using GZipInputStream strict = new(file);
            byte[] buffer = new byte[1 << 16];
            long count = 0;
            for (int n; (n = strict.Read(buffer, 0, buffer.Length)) > 0;)
            {
                count += n;
            }

            if (count != _count)
            {
                throw new InvalidDataException("its end is missing");
            }
        }

        private int ReadCounted(byte[] buffer, int offset, int count)
        {
            int n = (_inner ??= open()).Read(buffer, offset, count);
            _count += n;
            if (n == 0 && count > 0 && kind == "gzip" && !_isChecked)
            {
                _isChecked = true;
                RequireWhole();
            }

            return n;
        }

        private int Explained(Func<int> read)
        {
            try
            {
                return read();
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ZstdException or SharpZipBaseException or IndexOutOfRangeException)
            {
                throw new DatasetException($"{path}: this is not a whole {kind} file ({e.Message.TrimEnd('.')}). Fetch it again.", e);
            }
        }
    }
}
