using System.Text;
using TuneSharp.Data;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Data;

/// <summary>One id per byte, and special tokens above them: small enough to check by hand.</summary>
internal sealed class ByteTokenizer(params string[] specials) : ITokenizer
{
    public int VocabSize => 256 + specials.Length;

    public int[] Encode(string text, bool addSpecialTokens = false) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        StringBuilder text = new();
        foreach (int id in ids)
        {
            text.Append(id < 256 ? ((char)id).ToString() : skipSpecialTokens ? "" : specials[id - 256]);
        }

        return text.ToString();
    }

    public int? TokenToId(string token) => Array.IndexOf(specials, token) is int i and >= 0 ? 256 + i : null;

    public string? IdToToken(int id) => id < 256 ? ((char)id).ToString() : id < VocabSize ? specials[id - 256] : null;
}

/// <summary>BOS (257), the bytes of each message, EOS (258) after each assistant's.</summary>
internal sealed class ByteModelTokenizer(int? maxSeqLen = null) : IModelTokenizer
{
    public int Calls;

    public int VocabSize => 260;

    public int? MaxSeqLen => maxSeqLen;

    public int PadId => 259;

    public int? BosId => 257;

    public int EosId => 258;

    public IReadOnlyList<int> StopTokens => [258];

    public int[] Encode(string text, bool addBos = true, bool addEos = true)
    {
        Interlocked.Increment(ref Calls);
        IEnumerable<int> ids = Encoding.UTF8.GetBytes(text).Select(b => (int)b);
        return [.. addBos ? [257] : Array.Empty<int>(), .. ids, .. addEos ? [258] : Array.Empty<int>()];
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) =>
        Encoding.UTF8.GetString([.. ids.ToArray().Where(i => i < 256).Select(i => (byte)i)]);

    public TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false)
    {
        Interlocked.Increment(ref Calls);
        List<int> ids = [257];
        List<bool> mask = [true];
        foreach (Message m in messages)
        {
            int[] body = Encode(m.Content, addBos: false, addEos: m.Role == Role.Assistant);
            ids.AddRange(body);
            mask.AddRange(Enumerable.Repeat(m.Masked, body.Length));
        }

        int n = Math.Min(ids.Count, maxSeqLen ?? int.MaxValue);
        return new TokenizedMessages([.. ids.Take(n)], [.. mask.Take(n)]);
    }
}

/// <summary>Samples made of given token lists; each token is the target of the one before.</summary>
internal sealed class ListDataset(params int[][] samples) : IDataset
{
    public int Count => samples.Length;

    public Sample this[int index] => new(samples[index], [.. samples[index].Skip(1), Sample.IgnoreIndex]);
}

/// <summary>A folder that goes away after the test.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("tunesharp-data-").FullName;

    public string Write(string name, string text)
    {
        string path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
