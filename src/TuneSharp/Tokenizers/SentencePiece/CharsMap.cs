using System.Buffers.Binary;
using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>SentencePiece's precompiled character map: a double-array trie of what to replace, and the replacements.</summary>
internal sealed class CharsMap
{
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    /// <summary>Reads the blob: four bytes of trie size, the trie, then zero-terminated replacements.</summary>
    internal CharsMap(ReadOnlySpan<byte> blob)
    {
        uint size = blob.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(blob) : uint.MaxValue;
        if (size > blob.Length - 4 || size % 4 != 0 || size == 0)
        {
            throw new FormatException("The precompiled character map is damaged: its trie does not fit in it.");
        }

        _units = new uint[size / 4];
        for (int i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + (i * 4))..]);
        }

        _replacements = blob[(4 + (int)size)..].ToArray();
    }

    /// <summary>The replacement of the shortest entry that begins a text, or null.</summary>
    internal string? First(ReadOnlySpan<byte> text) =>
        Search(text, longest: false, out _) is int at and >= 0 ? Encoding.UTF8.GetString(Replacement(at)) : null;

    /// <summary>The replacement of the longest entry that begins a text; false if there is none.</summary>
    internal bool TryLongest(ReadOnlySpan<byte> text, out int length, out ReadOnlySpan<byte> replacement)
    {
        int at = Search(text, longest: true, out length);
        replacement = at < 0 ? default : Replacement(at);
        return at >= 0;
    }

    private ReadOnlySpan<byte> Replacement(int at)
    {
        if (at > _replacements.Length)
        {
            throw new FormatException("The precompiled character map is damaged: a replacement lies outside it.");
        }

        ReadOnlySpan<byte> rest = _replacements.AsSpan(at);
        int end = rest.IndexOf((byte)0);
        return end < 0 ? rest : rest[..end];
    }

    private int Search(ReadOnlySpan<byte> text, bool longest, out int length)
    {
        int found = -1;
        length = 0;
        uint node = Offset(_units[0]);
        for (int i = 0; i < text.Length && text[i] != 0; i++)
        {
            node ^= text[i];
            uint unit = Unit(node);
            if ((unit & 0x800000FF) != text[i])
            {
                break;
            }

            node ^= Offset(unit);
            if (((unit >> 8) & 1) != 0)
            {
                found = (int)(Unit(node) & 0x7FFFFFFF);
                length = i + 1;
                if (!longest)
                {
                    break;
                }
            }
        }

        return found;
    }

    private uint Unit(uint node) => node < _units.Length
        ? _units[node]
        : throw new FormatException("The precompiled character map is damaged: its trie points outside itself.");

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);
}
