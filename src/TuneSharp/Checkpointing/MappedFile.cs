using System.IO.MemoryMappedFiles;

namespace TuneSharp.Checkpointing;

/// <summary>A file mapped read-only into memory, as long as this object lives.</summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private byte* _start;

    /// <summary>Maps a file.</summary>
    /// <param name="path">The file; a link is followed.</param>
    /// <exception cref="CheckpointException">It is missing or may not be read.</exception>
    internal MappedFile(string path)
    {
        Path = path;
        try
        {
            FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            Length = stream.Length;
            if (Length == 0)
            {
                stream.Dispose(); // an empty file cannot be mapped
                return;
            }

            _file = MemoryMappedFile.CreateFromFile(
                stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
            _start += _view.PointerOffset;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Dispose();
            throw new CheckpointException(Why(path, e), e);
        }
    }

    internal string Path { get; }

    internal long Length { get; }

    internal byte* Start => _start;

    /// <summary>A piece of the file; at most 2 GB.</summary>
    internal ReadOnlySpan<byte> Span(long offset, int length) => offset >= 0 && length >= 0 && offset <= Length - length
        ? new(_start + offset, length)
        : throw new ArgumentOutOfRangeException(nameof(offset));

    public void Dispose()
    {
        if (_view is not null && _start is not null)
        {
            _start = null;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }

        _view?.Dispose();
        _file?.Dispose();
    }

    private static string Why(string path, Exception e)
    {
        if (Directory.Exists(path))
        {
            return $"{path}: is a folder, and a file was expected. Name the file in it.";
        }

        if (e is not (FileNotFoundException or DirectoryNotFoundException))
        {
            return $"{path}: cannot be read ({e.Message.TrimEnd('.')}). Check its permissions.";
        }

        return new FileInfo(path).LinkTarget is { } target
            ? $"{path}: the link points to {target}, which does not exist. Download the checkpoint again."
            : $"{path}: no such file. Check the path, or download the checkpoint again.";
    }
}
