using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using TuneSharp.Data;
using TuneSharp.Models;

namespace TuneSharp.Bench;

/// <summary>One pass over more rows than anybody would keep in memory: rows a second, the most memory held, and resuming in the middle.</summary>
internal static class StreamBench
{
    public static void Run(long rows, bool isPacked)
    {
        string path = Write(rows);
        IModelTokenizer tokenizer = HuggingFaceTokenizers.HuggingFaceModelTokenizer(path: Path.Combine(AppContext.BaseDirectory, "quickstart", "model"), maxSeqLen: 512);
        StreamDataset Open() => (StreamDataset)Datasets.InstructDataset(
            tokenizer, new LoadOptions { Source = path }, packed: isPacked, options: new DataOptions { Streaming = true, Packing = isPacked ? PackingStrategy.BestFit : null });
        Func<IReadOnlyList<Sample>, Batch> collate = Collate.Find("torchtune.data.padded_collate_sft", Open(), tokenizer.PadId);

        using StreamLoader loader = new(Open(), batchSize: 64, collate, shuffle: true, seed: 1);
        long start = Stopwatch.GetTimestamp();
        (long batches, long tokens) = (0, 0);
        (JsonObject? middle, long[]? after) = (null, null);
        foreach (Batch batch in loader.OnePass())
        {
            using (batch)
            {
                batches++;
                tokens += batch.NumTokens;
                after ??= middle is null ? null : [.. batch.Tokens.data<long>()];
                middle ??= tokens > rows * 14 ? batch.StreamState : null; // a row is some 28 tokens
                if (batches % 20_000 == 0)
                {
                    Console.Error.WriteLine($"{batches:N0} batches, {PeakMiB():N0} MiB at most");
                }
            }
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine($"{rows:N0} rows, {tokens:N0} tokens in {seconds:0.0} s: {rows / seconds:N0} rows/s; {PeakMiB():N0} MiB of memory at most.");

        start = Stopwatch.GetTimestamp();
        using StreamLoader resumed = new(Open(), batchSize: 64, collate, shuffle: true, seed: 1);
        using Batch next = resumed.Batches(middle).First();
        bool isSame = next.Tokens.data<long>().ToArray().AsSpan().SequenceEqual(after);
        Console.WriteLine($"Resumed in the middle in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s: the next batch is {(isSame ? "the same" : "ANOTHER")}.");
        File.Delete(path);
    }

    private static string Write(long rows)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tunesharp-stream-{rows}.jsonl");
        using StreamWriter writer = new(path, append: false, new UTF8Encoding(false), 1 << 20);
        for (long i = 0; i < rows; i++)
        {
            writer.Write($"{{\"input\": \"q {i}\", \"output\": \"a {i % 977}\"}}\n");
        }

        return path;
    }

    /// <summary>The high-water mark of the process as the kernel counts it.</summary>
    private static double PeakMiB() => double.Parse(
        File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) / 1024;
}
