using TuneSharp.Kernels;

namespace TuneSharp.Checkpointing;

/// <summary>What a file says of a tensor before its bytes are read.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="Shape">Extents, row-major.</param>
/// <param name="Dtype">Element type.</param>
public sealed record TensorInfo(string Name, long[] Shape, ScalarType Dtype)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);

    /// <summary>Shape in words: <c>[4096, 1024]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}

/// <summary>Named tensors in one or several files, read one at a time.</summary>
public interface ITensorSource : IDisposable
{
    /// <summary>All tensors by name.</summary>
    IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>The file that holds a tensor, for messages.</summary>
    /// <param name="name">A name in <see cref="Tensors"/>.</param>
    string FileOf(string name);

    /// <summary>A tensor over the file's own bytes: never written to, and valid until the source is disposed.</summary>
    /// <param name="name">A name in <see cref="Tensors"/>.</param>
    Tensor Read(string name);
}

/// <summary>A source whose weights may be quantised. <see cref="ITensorSource.Read"/> gives them back as numbers; here they come as they are.</summary>
public interface IQuantizedSource : ITensorSource
{
    /// <summary>Whether any weight is quantised.</summary>
    bool IsQuantized { get; }

    /// <summary>A quantised weight, in memory of its own; null for a tensor that holds plain numbers.</summary>
    /// <param name="name">A name in <see cref="ITensorSource.Tensors"/>.</param>
    QuantizedTensor? ReadQuantized(string name);
}

/// <summary>A checkpoint cannot be read or written. The message says which file, what is wrong, and how to mend it.</summary>
public sealed class CheckpointException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">File, what is wrong, the fix.</param>
    /// <param name="inner">The cause, if any.</param>
    public CheckpointException(string message, Exception? inner)
        : base(message, inner)
    {
    }

    /// <summary>Creates an empty exception.</summary>
    public CheckpointException()
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    /// <param name="message">File, what is wrong, the fix.</param>
    public CheckpointException(string message)
        : base(message)
    {
    }
}
