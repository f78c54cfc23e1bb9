using System.IO.Compression;

namespace TuneSharp.Tokenizers;

/// <summary>The script of each code point.</summary>
internal static class Scripts
{
    /// <summary>No script: unassigned code points.</summary>
    internal const int None = 0;

    private static readonly int[] Ends;
    private static readonly byte[] Values;

    static Scripts()
    {
        using DeflateStream stream = new(new MemoryStream(Convert.FromBase64String(ScriptData.Deflated)), CompressionMode.Decompress);
        using BufferedStream buffered = new(stream);
        List<int> ends = [];
        List<byte> values = [];
        for (int at = 0; at < 0x110000;)
        {
            at += Normalization.Number(buffered);
            ends.Add(at);
            values.Add((byte)Normalization.Number(buffered));
        }

        Ends = [.. ends];
        Values = [.. values];
    }

    internal static int Han { get; } = Find("Han");

    internal static int Hiragana { get; } = Find("Hiragana");

    internal static int Katakana { get; } = Find("Katakana");

    /// <summary>The number of a script by its name (blanks, underscores and case do not matter), or -1.</summary>
    internal static int Find(string name)
    {
        string key = Key(name);
        int at = Array.FindIndex(ScriptData.Names, n => Key(n) == key);
        return at < 0 ? -1 : at + 1;
    }

    internal static int Of(int codePoint)
    {
        int at = Array.BinarySearch(Ends, codePoint);
        return Values[at >= 0 ? at + 1 : ~at];
    }

    private static string Key(string name) =>
        name.Replace("_", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal).ToUpperInvariant();
}
