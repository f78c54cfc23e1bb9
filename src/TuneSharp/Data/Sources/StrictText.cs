using System.Text;
using System.Text.Unicode;

namespace TuneSharp.Data;

/// <summary>UTF-8 that is refused where it is broken, instead of being mended with question marks.</summary>
internal static class StrictText
{
    private const string Fix = "Save the file as UTF-8.";

    /// <summary>What is wrong with the bytes, or null.</summary>
    public static string? Problem(ReadOnlySpan<byte> bytes) =>
        Utf8.IsValid(bytes) ? null : $"invalid UTF-8 at its byte {FirstBad(bytes) + 1}. {Fix}";

    /// <summary>Decodes the bytes of a field.</summary>
    /// <exception cref="DatasetException">They are not UTF-8.</exception>
    public static string Decode(ReadOnlySpan<byte> bytes, string place, string column) => Problem(bytes) is { } problem
        ? throw new DatasetException($"{place}: column '{column}' holds {problem}")
        : Encoding.UTF8.GetString(bytes);

    /// <summary>The first byte that belongs to no character.</summary>
    public static int FirstBad(ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        while (at < bytes.Length && Rune.DecodeFromUtf8(bytes[at..], out _, out int length) == System.Buffers.OperationStatus.Done)
        {
            at += length;
        }

        return at;
    }
}
