using System.Globalization;
using System.Text;
using TuneSharp.Config;
using TuneSharp.Data;
using TuneSharp.Training;

namespace TuneSharp.Recipes;

/// <summary>The keys of a config that say what is trained on.</summary>
internal sealed record DataPreviewConfig
{
    public required Component<IModelTokenizer> Tokenizer { get; init; }

    public required IReadOnlyList<Component<IDataset>> Dataset { get; init; }

    public Component<IDataset>? DatasetVal { get; init; }
}

/// <summary>Shows what a model would be trained on: some samples, with the learned tokens marked, and numbers of all of them.</summary>
/// <param name="output">Where to.</param>
/// <param name="isColoured">Mark by colour; otherwise by brackets.</param>
internal sealed class DataPreview(TextWriter output, bool isColoured)
{
    /// <summary>Samples of a stream that are read for the numbers.</summary>
    private const int StreamSamples = 1000;

    /// <summary>Shows a config's data.</summary>
    /// <param name="cfg">The config.</param>
    /// <param name="count">Samples to show.</param>
    /// <param name="isValidation">Show <c>dataset_val</c> instead of <c>dataset</c>.</param>
    /// <param name="console">Where the preparation shows.</param>
    /// <param name="stop">Ends the preparation.</param>
    /// <exception cref="DatasetException">The data cannot be used, or nothing of it would be learned.</exception>
    public void Show(DataPreviewConfig cfg, int count, bool isValidation, RunConsole console, CancellationToken stop)
    {
        IReadOnlyList<Component<IDataset>> sets = !isValidation ? cfg.Dataset : cfg.DatasetVal is { } val ? [val] : throw new DatasetException(
            "The config has no dataset_val. Leave --val out, or add it.");
        IModelTokenizer tokenizer = cfg.Tokenizer.Build();
        IDataset dataset = DataSetup.Build(sets, cfg.Tokenizer, tokenizer, console, stop);
        output.WriteLine(isColoured ? $"Learned tokens are {Paint("green", "32")}." : "Learned tokens stand in [[double brackets]].");
        output.WriteLine();
        if (dataset is StreamDataset stream)
        {
            ShowStream(stream, tokenizer, count);
            return;
        }

        for (int i = 0; i < Math.Min(count, dataset.Count); i++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{(PackedDataset.IsPacked(dataset) ? "pack" : "sample")} {i + 1:N0} of {dataset.Count:N0}");
            ShowSample(dataset[i], $"{name}  {DatasetList.Place(dataset, i)}", tokenizer);
        }

        ShowNumbers(dataset, tokenizer);
        foreach (string warning in DatasetChecks.Check(dataset))
        {
            console.Warn(warning);
        }
    }

    private void ShowStream(StreamDataset dataset, IModelTokenizer tokenizer, int count)
    {
        List<Sample> samples = [];
        using (ISampleStream stream = dataset.Open(shuffle: false, 0, state: null))
        {
            while (samples.Count < Math.Max(StreamSamples, count) && stream.Next() is { } sample)
            {
                samples.Add(sample);
            }
        }

        for (int i = 0; i < Math.Min(count, samples.Count); i++)
        {
            ShowSample(samples[i], string.Create(CultureInfo.InvariantCulture, $"{(dataset.Packed ? "pack" : "sample")} {i + 1:N0} of a stream"), tokenizer);
        }

        long tokens = samples.Sum(s => (long)s.Tokens.Length - s.Padding);
        long learned = samples.Sum(CountLearned);
        Line("stream", $"the first {samples.Count:N0} {(dataset.Packed ? "packs" : "samples")} of it:");
        Line("tokens", $"{tokens:N0}, learned {learned:N0} ({Percent(learned, tokens)})");
        ShowLengths([.. samples.SelectMany(s => s.SeqLens is { } lengths ? s.Padding > 0 ? lengths[..^1] : lengths : [s.Tokens.Length])]);
        Line("nothing to learn", Share(samples.Count(s => !s.Learns), samples.Count));
        if (dataset.Packed)
        {
            Line("packs", $"{Percent(tokens, samples.Sum(s => (long)s.Tokens.Length))} full");
        }
    }

    private void ShowSample(Sample sample, string name, IModelTokenizer tokenizer)
    {
        long learned = CountLearned(sample);
        int real = sample.Tokens.Length - sample.Padding;
        output.WriteLine(FormattableString.Invariant($"--- {name}  {real:N0} tokens, learned {learned:N0} ({Percent(learned, real)})"));
        if (sample.Rejected is { } rejected)
        {
            output.WriteLine("chosen:");
            output.WriteLine(Marked(sample, tokenizer, isShifted: false));
            output.WriteLine("rejected:");
            output.WriteLine(Marked(rejected, tokenizer, isShifted: false));
        }
        else
        {
            output.WriteLine(Marked(sample, tokenizer, isShifted: true));
        }

        if (sample.Padding > 0)
        {
            output.WriteLine(FormattableString.Invariant($"({sample.Padding:N0} tokens of filler)"));
        }

        output.WriteLine();
    }

    /// <summary>The text, runs of learned tokens marked, a line between packed samples.</summary>
    private string Marked(Sample sample, IModelTokenizer tokenizer, bool isShifted)
    {
        StringBuilder text = new();
        int[] lengths = sample.SeqLens is { } packed ? sample.Padding > 0 ? packed[..^1] : packed : [sample.Tokens.Length];
        int start = 0;
        foreach (int length in lengths)
        {
            if (start > 0)
            {
                text.Append("\n- - -\n");
            }

            bool Learned(int i) => isShifted ? i > start && sample.Labels[i - 1] != Sample.IgnoreIndex : sample.Labels[i] != Sample.IgnoreIndex;
            for (int i = start; i < start + length;)
            {
                int from = i;
                bool learned = Learned(from);
                while (i < start + length && Learned(i) == learned)
                {
                    i++;
                }

                // A text may hold the codes that move a terminal's cursor.
                string run = tokenizer.Decode(sample.Tokens.AsSpan(from, i - from), skipSpecialTokens: false).Replace('\e', '\u241B');
                text.Append(!learned ? run : isColoured ? Paint(run, "32") : $"[[{run}]]");
            }

            start += length;
        }

        return text.ToString();
    }

    private void ShowNumbers(IDataset dataset, IModelTokenizer tokenizer)
    {
        IDataset[] leaves = [.. DatasetList.Leaves(dataset)];
        PreparedDataset[] prepared = [.. leaves.Select(DatasetList.Prepared).OfType<PreparedDataset>()];
        DatasetSummary all = DatasetSummary.Sum([.. prepared.Select(p => p.Store.Summary)]);
        string left = (all.Skipped, all.Filtered) switch
        {
            (0, 0) => "",
            (_, 0) => $"; {all.Skipped:N0} left out by on_error",
            (0, _) => $"; {all.Filtered:N0} left out by filter_fn",
            _ => $"; {all.Skipped:N0} left out by on_error, {all.Filtered:N0} by filter_fn",
        };
        Line("samples", $"{all.Samples:N0}{left}");
        Line("tokens", $"{all.Tokens:N0}, learned {all.Learned:N0} ({Percent(all.Learned, all.Tokens)})");
        ShowLengths([.. prepared.SelectMany(p => Enumerable.Range(0, p.Count).Select(p.Store.LengthOf))]);
        Line("truncated", $"{Share(all.Truncated, all.Samples)}{(tokenizer.MaxSeqLen is { } max ? $", max_seq_len {max:N0}" : "")}");
        Line("nothing to learn", $"{Share(all.Untrained, all.Samples)}{(all.Untrained > 0 ? $": {all.UntrainedNames}" : "")}");
        PackedDataset[] packed = [.. leaves.OfType<PackedDataset>()];
        if (packed.Length > 0)
        {
            long packs = packed.Sum(p => (long)p.Count);
            double fill = packed.Sum(p => p.Fill * p.Count * p.Size) / packed.Sum(p => (double)p.Count * p.Size);
            Line("packs", $"{packs:N0} of {packed[0].Size:N0} tokens, {100 * fill:0.0} % full");
        }
    }

    private void ShowLengths(int[] lengths)
    {
        if (lengths.Length > 0)
        {
            Array.Sort(lengths);
            int At(double share) => lengths[(int)Math.Round(share * (lengths.Length - 1))];
            Line("length", $"min {At(0):N0}, median {At(0.5):N0}, p95 {At(0.95):N0}, max {At(1):N0}");
        }
    }

    private void Line(string name, FormattableString value) => output.WriteLine($"{name,-17} {value.ToString(CultureInfo.InvariantCulture)}");

    private void Line(string name, string value) => output.WriteLine($"{name,-17} {value}");

    private static string Share(long part, long whole) => FormattableString.Invariant($"{part:N0} ({Percent(part, whole)})");

    private static string Percent(long part, long whole) => FormattableString.Invariant($"{(whole == 0 ? 0 : 100.0 * part / whole):0.0} %");

    private static long CountLearned(Sample sample) =>
        sample.Labels.Length - sample.Labels.AsSpan().Count(Sample.IgnoreIndex) + (sample.Rejected is { } other ? CountLearned(other) : 0);

    private static string Paint(string text, string colour) => $"\e[{colour}m{text.Replace("\n", $"\e[0m\n\e[{colour}m", StringComparison.Ordinal)}\e[0m";
}
