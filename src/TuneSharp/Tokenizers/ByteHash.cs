using System.Buffers.Binary;
using System.Numerics;

namespace TuneSharp.Tokenizers;

/// <summary>A quick hash of short byte strings.</summary>
internal static class ByteHash
{
    internal static uint Of(ReadOnlySpan<byte> bytes)
    {
        const ulong Mix = 0x9E3779B97F4A7C15;
        ulong hash = (ulong)bytes.Length * Mix;
        while (bytes.Length >= 8)
        {
            hash = (BitOperations.RotateLeft(hash, 29) ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes)) * Mix;
            bytes = bytes[8..];
        }

        ulong tail = 0;
        if (bytes.Length >= 4)
        {
            tail = BinaryPrimitives.ReadUInt32LittleEndian(bytes)
                | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(bytes[^4..]) << 32);
        }
        else if (bytes.Length > 0)
        {
            tail = bytes[0] | ((uint)bytes[bytes.Length / 2] << 8) | ((uint)bytes[^1] << 16);
        }

        hash = (BitOperations.RotateLeft(hash, 29) ^ tail) * Mix;
        return (uint)(hash >> 32) ^ (uint)(hash >> 57);
    }
}
