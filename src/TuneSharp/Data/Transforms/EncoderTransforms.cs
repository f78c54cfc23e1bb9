using System.Globalization;
using System.Text.Json;

namespace TuneSharp.Data;

/// <summary>Which token of a text a classifier answers at.</summary>
public enum LabelPosition
{
    /// <summary>The last: a decoder's last token has seen the whole text.</summary>
    Last,

    /// <summary>The first: an encoder's <c>[CLS]</c>.</summary>
    First,
}

/// <summary>Texts and the class of each.</summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="column">The column that holds the text.</param>
/// <param name="labelColumn">The column that holds the class: its number, or its name.</param>
/// <param name="labelNames">Names of the classes in the order of their numbers; null when the column holds numbers.</param>
/// <param name="position">Where the label stands.</param>
public sealed class ClassificationTransform(
    IModelTokenizer tokenizer, string column = "text", string labelColumn = "label", IReadOnlyList<string>? labelNames = null,
    LabelPosition position = LabelPosition.Last) : ISampleTransform
{
    /// <inheritdoc/>
    public Sample Apply(Row row)
    {
        int[] tokens = tokenizer.Encode(row.Text(column), addBos: true, addEos: true);
        if (tokenizer.MaxSeqLen is { } max && tokens.Length > max)
        {
            tokens = [.. tokens[..(max - 1)], tokens[^1]]; // the token that ends a text stays: a classifier may read it
        }

        int[] labels = new int[tokens.Length];
        Array.Fill(labels, Sample.IgnoreIndex);
        labels[position == LabelPosition.First ? 0 : ^1] = Label(row);
        return new Sample(tokens, labels);
    }

    /// <inheritdoc/>
    public string WhyMasked(Sample sample) => "A text without tokens has no place for a label.";

    private int Label(Row row)
    {
        object? value = row[labelColumn] is JsonElement json
            ? json.ValueKind == JsonValueKind.Number ? json.GetDouble() : json.ToString()
            : row[labelColumn];
        if (labelNames is not null)
        {
            string name = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
            int index = labelNames.ToList().IndexOf(name);
            return index >= 0 ? index : throw new DatasetException(
                $"{row.Place}: {labelColumn} is {name}, which is none of label_names [{string.Join(", ", labelNames)}]. Add it there, or mend the row.");
        }

        double number = value switch
        {
            bool flag => flag ? 1 : 0,
            string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed) => parsed,
            IConvertible plain and not string => plain.ToDouble(CultureInfo.InvariantCulture),
            _ => double.NaN,
        };
        return number >= 0 && number == Math.Floor(number) && number < int.MaxValue ? (int)number : throw new DatasetException(
            $"{row.Place}: {labelColumn} is {value ?? "null"}, and a class's number (0, 1, …) was expected. For names set label_names=[…].");
    }
}

/// <summary>Texts in which some tokens are hidden, to be guessed from both sides.</summary>
/// <remarks>
/// Paper: https://arxiv.org/abs/1810.04805, section 3.1: of the tokens chosen, 80 % become <c>[MASK]</c>, 10 % any token, 10 % stay. Which,
/// is drawn from the seed and the text itself, so that a run that resumes sees the same. At least one token of a text is chosen.
/// </remarks>
/// <param name="tokenizer">The tokenizer; tokens that begin and end a text are never hidden.</param>
/// <param name="column">The column that holds the text.</param>
/// <param name="maskId">The id of <c>[MASK]</c>.</param>
/// <param name="probability">Share of the tokens that are chosen.</param>
/// <param name="seed">Seed of the choice.</param>
public sealed class MaskedTransform(IModelTokenizer tokenizer, string column, int maskId, double probability = 0.15, int seed = 0) : ISampleTransform
{
    /// <inheritdoc/>
    public Sample Apply(Row row)
    {
        int[] tokens = tokenizer.Encode(row.Text(column), addBos: true, addEos: true);
        if (tokenizer.MaxSeqLen is { } max && tokens.Length > max)
        {
            tokens = [.. tokens[..(max - 1)], tokens[^1]];
        }

        int[] labels = new int[tokens.Length];
        Array.Fill(labels, Sample.IgnoreIndex);
        int[] places = [.. Enumerable.Range(0, tokens.Length).Where(i => tokens[i] != tokenizer.BosId && tokens[i] != tokenizer.EosId)];
        ulong state = Mix((ulong)seed);
        foreach (int token in tokens)
        {
            state = Mix(state ^ (uint)token);
        }

        bool chosen = false;
        foreach (int i in places)
        {
            if (Draw(ref state) < probability)
            {
                Hide(tokens, labels, i, ref state);
                chosen = true;
            }
        }

        if (!chosen && places.Length > 0)
        {
            Hide(tokens, labels, places[(int)(Draw(ref state) * places.Length)], ref state);
        }

        return new Sample(tokens, labels);
    }

    /// <inheritdoc/>
    public string WhyMasked(Sample sample) => $"A text without tokens has none to hide: check that column={column} is the one with the texts.";

    private void Hide(int[] tokens, int[] labels, int i, ref ulong state)
    {
        labels[i] = tokens[i];
        double fate = Draw(ref state);
        tokens[i] = fate < 0.8 ? maskId : fate < 0.9 ? (int)(Draw(ref state) * tokenizer.VocabSize) : tokens[i];
    }

    /// <summary>The next number of a SplitMix64 sequence, in [0, 1).</summary>
    private static double Draw(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        return (Mix(state) >> 11) * (1.0 / (1UL << 53));
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
