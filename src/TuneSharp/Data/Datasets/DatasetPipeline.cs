namespace TuneSharp.Data;

/// <summary>From the rows that a config names to the samples of a run: read, filter, tokenise, keep, pack; or the same as a stream.</summary>
internal static class DatasetPipeline
{
    /// <summary>Conversations.</summary>
    public static IDataset Sft(
        IModelTokenizer tokenizer, LoadOptions load, IMessageTransform transform, bool packed, DataOptions? options, DataRun? run) =>
        Build(load, new SftTransform(transform, tokenizer), tokenizer, packed, splitAcrossPack: false, options, run);

    /// <summary>Unstructured text.</summary>
    public static IDataset Text(
        IModelTokenizer tokenizer, LoadOptions load, string column, bool addEos, int? maxSeqLen, bool packed, bool splitAcrossPack, DataOptions? options, DataRun? run)
    {
        // torchtune leaves one token of room; a text that is split over packs is not cut at all.
        bool isSplit = (packed || options?.Packing is not null) && (options?.SplitAcrossPack ?? splitAcrossPack);
        int? limit = maxSeqLen ?? (isSplit ? null : tokenizer.MaxSeqLen - 1);
        return Build(load, new TextTransform(tokenizer, column, addEos, limit), tokenizer, packed, splitAcrossPack, options, run);
    }

    /// <summary>Pairs of answers.</summary>
    public static IDataset Preference(IModelTokenizer tokenizer, LoadOptions load, IPreferenceTransform transform, DataOptions? options, DataRun? run)
    {
        if (options?.Packing is not null)
        {
            throw new DatasetException("Pairs of answers cannot be packed. Remove packing.");
        }

        return Build(load, new PreferenceTransform(transform, tokenizer), tokenizer, packed: false, splitAcrossPack: false, options, run);
    }

    /// <summary>Any rows and anything that makes samples of them.</summary>
    /// <param name="load">Which rows.</param>
    /// <param name="transform">Makes a sample of a row.</param>
    /// <param name="tokenizer">Its <c>max_seq_len</c> is the length of a pack, its padding id the filler.</param>
    /// <param name="packed">Put samples together into packs.</param>
    /// <param name="splitAcrossPack">Split what does not fit, unless the options say otherwise.</param>
    /// <param name="options">The rest.</param>
    /// <param name="run">The run; null to tokenise when asked for a sample.</param>
    public static IDataset Build(
        LoadOptions load, ISampleTransform transform, IModelTokenizer tokenizer, bool packed, bool splitAcrossPack, DataOptions? options, DataRun? run)
    {
        options ??= new DataOptions();
        packed |= options.Packing is not null;
        int? size = !packed ? null : tokenizer.MaxSeqLen ?? throw new DatasetException(
            "packed=True needs the length of a pack: set tokenizer.max_seq_len, to 4096 for example.");
        bool split = options.SplitAcrossPack ?? splitAcrossPack;
        PackingStrategy strategy = options.Packing ?? PackingStrategy.Greedy;
        if (options.Streaming)
        {
            RowStreamDataset.StreamPacking? packing = size is { } length ? new(length, tokenizer.PadId, split, strategy) : null;
            return new RowStreamDataset(RowReaders.Of(load), transform, options, packing, run);
        }

        List<string> unreadable = [];
        Action<DatasetException>? onBadRow = options.OnError == ErrorPolicy.Skip ? e => unreadable.Add(e.Message) : null;
        IRowSource Open() => RowLoader.Load(load, onBadRow);
        SftDataset rows = new(run is null ? Open() : new LazyRows(Open), transform, options.FilterFn?.Build()) { Unreadable = unreadable };
        bool isMadeNow = run is not null || packed || options.OnError == ErrorPolicy.Skip;
        IDataset samples = isMadeNow ? Preparation.Prepare(rows, options, run, Identities(load, run)) : rows;
        return size is { } packSize ? new PackedDataset(samples, packSize, tokenizer.PadId, null, split, strategy) : samples;
    }

    /// <summary>What a builder reads when the config names no source: its data set on the hub, in that one's own configuration.</summary>
    public static LoadOptions Or(this LoadOptions load, string source, string? name = null) => load.Source is not null ? load : load with
    {
        Source = source,
        Name = load.Name ?? (load.Subset is null ? name : null),
    };

    /// <summary>Which rows, and the state of the files they are in.</summary>
    private static string? Identities(LoadOptions load, DataRun? run) => run?.Fingerprint is null ? null : string.Join(
        '\n',
        DataFiles.Needed(load).Select(file => $"{file.Split} {Path.GetFullPath(file.Path)} {FileIdentity.Of(file.Path)}"));

    /// <summary>Rows that are opened when one is needed: tokens on disk need none.</summary>
    private sealed class LazyRows(Func<IRowSource> open) : IRowSource
    {
        private readonly Lazy<IRowSource> _rows = new(open);

        public int Count => _rows.Value.Count;

        public Row this[int index] => _rows.Value[index];
    }
}
