using System.IO.Compression;

namespace TuneSharp.Tokenizers;

/// <summary>
/// The four Unicode normal forms over code points. Each result carries what it stands for: 0 replaces the next
/// character, 1 is new, -n replaces one and swallows n more, which is what keeps offsets right.
/// </summary>
/// <remarks>Own tables, so that results depend neither on the system's ICU nor on invariant mode.</remarks>
internal static class Normalization
{
    private const int HangulBase = 0xAC00;
    private const int LBase = 0x1100;
    private const int VBase = 0x1161;
    private const int TBase = 0x11A7;
    private const int VCount = 21;
    private const int TCount = 28;
    private const int HangulCount = 19 * VCount * TCount;
    private static readonly Dictionary<int, byte> Classes = [];
    private static readonly Dictionary<int, int[]> Canonical = [];
    private static readonly Dictionary<int, int[]> Compatible = [];
    private static readonly Dictionary<long, int> Pairs = [];
    private static readonly HashSet<int> Unstable = [];

    static Normalization()
    {
        using DeflateStream stream = new(new MemoryStream(Convert.FromBase64String(NormalizationData.Deflated)), CompressionMode.Decompress);
        using BufferedStream buffered = new(stream);
        int last = 0;
        for (int n = Number(buffered); n > 0; n--)
        {
            last += Number(buffered);
            Classes[last] = (byte)Number(buffered);
            Unstable.Add(last);
        }

        last = 0;
        for (int n = Number(buffered); n > 0; n--)
        {
            last += Number(buffered);
            int head = Number(buffered);
            int[] parts = new int[head / 2];
            for (int i = 0; i < parts.Length; i++)
            {
                parts[i] = Number(buffered);
            }

            ((head & 1) == 0 ? Canonical : Compatible)[last] = parts;
        }

        last = 0;
        for (int n = Number(buffered); n > 0; n--)
        {
            last += Number(buffered);
            Unstable.Add(last);
        }

        last = 0;
        for (int n = Number(buffered); n > 0; n--)
        {
            last += Number(buffered);
            int first = Number(buffered);
            int second = Number(buffered);
            Pairs[((long)first << 32) | (uint)second] = last;
            Unstable.Add(second);
        }
    }

    /// <summary>Whether a character can be touched by NFC: a text with none of these is in NFC already.</summary>
    internal static bool MayChangeInNfc(int codePoint) =>
        codePoint >= 0x300 && (codePoint is >= VBase and < 0x1200 || Unstable.Contains(codePoint));

    internal static int CombiningClass(int codePoint) =>
        codePoint < 0x300 ? 0 : Classes.GetValueOrDefault(codePoint);

    /// <summary>Decomposes, and composes again if asked.</summary>
    internal static List<(int CodePoint, int Change)> Apply(IReadOnlyList<int> text, bool compatible, bool compose)
    {
        List<(int CodePoint, int Change)> decomposed = Decompose(text, compatible);
        return compose ? Compose(decomposed) : decomposed;
    }

    private static List<(int CodePoint, int Change)> Decompose(IReadOnlyList<int> text, bool compatible)
    {
        List<(int CodePoint, int Change)> result = new(text.Count);
        int pending = 0;
        foreach (int c in text)
        {
            int first = 0;
            foreach (int part in Parts(c, compatible))
            {
                if (CombiningClass(part) == 0)
                {
                    SortMarks(result, pending);
                    pending = result.Count + 1;
                }

                result.Add((part, first));
                first = 1;
            }
        }

        SortMarks(result, pending);
        return result;
    }

    private static ReadOnlySpan<int> Parts(int c, bool compatible)
    {
        if (c < 0xA0)
        {
            return new int[] { c };
        }

        if ((uint)(c - HangulBase) < HangulCount)
        {
            int s = c - HangulBase;
            int t = s % TCount;
            int l = LBase + (s / (VCount * TCount));
            int v = VBase + (s % (VCount * TCount) / TCount);
            return t == 0 ? new int[] { l, v } : new int[] { l, v, TBase + t };
        }

        return (compatible && Compatible.TryGetValue(c, out int[]? parts)) || Canonical.TryGetValue(c, out parts) ? parts : new int[] { c };
    }

    // A stable insertion sort: runs of marks are short.
    private static void SortMarks(List<(int CodePoint, int Change)> text, int from)
    {
        for (int i = from + 1; i < text.Count; i++)
        {
            (int CodePoint, int Change) item = text[i];
            int k = CombiningClass(item.CodePoint);
            int j = i;
            for (; j > from && CombiningClass(text[j - 1].CodePoint) > k; j--)
            {
                text[j] = text[j - 1];
            }

            text[j] = item;
        }
    }

    private static List<(int CodePoint, int Change)> Compose(List<(int CodePoint, int Change)> text)
    {
        List<(int CodePoint, int Change)> result = new(text.Count);
        int starter = -1;
        int lastClass = -1;
        foreach ((int c, int change) in text)
        {
            int k = CombiningClass(c);
            if (starter >= 0 && (lastClass < 0 || lastClass < k) && Pair(result[starter].CodePoint, c) is int whole and >= 0)
            {
                result[starter] = (whole, result[starter].Change + change - 1);
                continue;
            }

            if (k == 0)
            {
                starter = result.Count;
                lastClass = -1;
            }
            else if (starter >= 0)
            {
                lastClass = k;
            }

            result.Add((c, change));
        }

        return result;
    }

    private static int Pair(int first, int second)
    {
        if ((uint)(first - LBase) < 19 && (uint)(second - VBase) < VCount)
        {
            return HangulBase + ((((first - LBase) * VCount) + (second - VBase)) * TCount);
        }

        if ((uint)(first - HangulBase) < HangulCount && (first - HangulBase) % TCount == 0 && second is > TBase and < TBase + TCount)
        {
            return first + (second - TBase);
        }

        return Pairs.TryGetValue(((long)first << 32) | (uint)second, out int whole) ? whole : -1;
    }

    internal static int Number(Stream stream)
    {
        int value = 0;
        for (int shift = 0; ; shift += 7)
        {
            int b = stream.ReadByte();
            value |= (b & 127) << shift;
            if (b < 128)
            {
                return value;
            }
        }
    }
}
