namespace TuneSharp.Data;

/// <summary>Makes a sample of a row: messages, then tokens. Thread-safe.</summary>
public interface ISampleTransform
{
    /// <summary>The sample.</summary>
    /// <param name="row">One record of the data set.</param>
    /// <exception cref="DatasetException">A column is missing or holds the wrong thing, or the turns are out of order.</exception>
    Sample Apply(Row row);

    /// <summary>The likely reason why a sample has nothing to learn, and the remedy.</summary>
    /// <param name="sample">A sample without labels.</param>
    string WhyMasked(Sample sample);
}

/// <summary>Conversations for supervised fine-tuning: a row, made into messages, made into tokens and labels.</summary>
/// <remarks>
/// Labels are the tokens shifted left by one; −100 where the mask says so and at the end.
/// torchtune counterpart: <c>torchtune/datasets/_sft.py</c>, <c>SFTTransform</c>.
/// </remarks>
/// <param name="messages">Makes a conversation of a row.</param>
/// <param name="tokenizer">Writes the conversation as the model expects it.</param>
public sealed class SftTransform(IMessageTransform messages, IModelTokenizer tokenizer) : ISampleTransform
{
    /// <inheritdoc/>
    public Sample Apply(Row row)
    {
        IReadOnlyList<Message> turns = messages.Apply(row);
        MessageRules.Validate(turns, row.Place);
        (int[] tokens, bool[] mask) = tokenizer.TokenizeMessages(turns);
        return new Sample(tokens, Shift(tokens, mask));
    }

    /// <inheritdoc/>
    public string WhyMasked(Sample sample) => tokenizer.MaxSeqLen is { } max && sample.Tokens.Length >= max
        ? $"Samples are cut at tokenizer.max_seq_len={max}, before the answer begins. Raise it, or set tokenizer.truncation_type=left."
        : "Only turns that are not masked are learned: check that column_map or conversation_column names the column with the " +
            "answers, that the roles are right, and train_on_input.";

    internal static int[] Shift(int[] tokens, bool[] mask)
    {
        int[] labels = new int[tokens.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = i + 1 < tokens.Length && !mask[i + 1] ? tokens[i + 1] : Sample.IgnoreIndex;
        }

        return labels;
    }
}

/// <summary>Unstructured text, every token of which is learned.</summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="column">The column that holds the text.</param>
/// <param name="addEos">End each text with the EOS id.</param>
/// <param name="maxSeqLen">Longest sample in tokens; longer ones lose their end. Null for no limit.</param>
public sealed class TextTransform(IModelTokenizer tokenizer, string column = "text", bool addEos = true, int? maxSeqLen = null) : ISampleTransform
{
    /// <inheritdoc/>
    public Sample Apply(Row row)
    {
        int[] tokens = tokenizer.Encode(row.Text(column), addBos: true, addEos: addEos);
        tokens = Truncation.Apply<int>(tokens, maxSeqLen, TruncationType.Right, last: null);
        int[] labels = new int[tokens.Length];
        Array.Fill(labels, Sample.IgnoreIndex);
        if (tokens.Length > 1)
        {
            tokens.AsSpan(1).CopyTo(labels);
        }

        return new Sample(tokens, labels);
    }

    /// <inheritdoc/>
    public string WhyMasked(Sample sample) =>
        $"A text of {sample.Tokens.Length} tokens has no next token to learn: check that column={column} is the one with the texts.";
}

/// <summary>Two answers to one prompt, one of them preferred.</summary>
/// <remarks>
/// The sample is the preferred conversation and holds the other as <see cref="Sample.Rejected"/>. Labels are not shifted, as in
/// torchtune, whose losses shift them. torchtune counterpart: <c>torchtune/datasets/_preference.py</c>.
/// </remarks>
/// <param name="messages">Makes both conversations of a row.</param>
/// <param name="tokenizer">Writes a conversation as the model expects it.</param>
public sealed class PreferenceTransform(IPreferenceTransform messages, IModelTokenizer tokenizer) : ISampleTransform
{
    /// <inheritdoc/>
    public Sample Apply(Row row)
    {
        (IReadOnlyList<Message> chosen, IReadOnlyList<Message> rejected) = messages.Apply(row);
        return Tokenise(chosen, row.Place + ", chosen") with { Rejected = Tokenise(rejected, row.Place + ", rejected") };
    }

    /// <inheritdoc/>
    public string WhyMasked(Sample sample) => tokenizer.MaxSeqLen is { } max
        && (sample.Tokens.Length >= max || sample.Rejected?.Tokens.Length >= max)
        ? $"Samples are cut at tokenizer.max_seq_len={max}, before an answer begins. Raise it, or set tokenizer.truncation_type=left."
        : "Only the assistant's turns are learned: check that column_map names the columns with the conversations, and the roles in them.";

    private Sample Tokenise(IReadOnlyList<Message> turns, string place)
    {
        MessageRules.Validate(turns, place);
        (int[] tokens, bool[] mask) = tokenizer.TokenizeMessages(turns);
        int[] labels = new int[tokens.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = mask[i] ? Sample.IgnoreIndex : tokens[i];
        }

        return new Sample(tokens, labels);
    }
}
