using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Data;
using TuneSharp.Models;
using TuneSharp.Models.Transformer;
using TuneSharp.Modules;
using TuneSharp.Modules.Losses;
using TuneSharp.Recipes;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Training.Optimizers;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Models;

/// <summary>Encoders and classifiers learn from the data sets made for them; a plain transformer is saved as a model that others load.</summary>
public sealed class EncoderTrainingTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(TransformerKind.Encoder, LabelPosition.First)]
    [InlineData(TransformerKind.Decoder, LabelPosition.Last)]
    public void A_classifier_learns_which_word_a_text_holds(TransformerKind kind, LabelPosition position)
    {
        manual_seed(1);
        using TransformerDecoder model = TransformerBuilders.Transformer(2, 32, 4, kind: kind, vocabSize: 40, maxSeqLen: 32, numClasses: 2);
        ClassificationTransform transform = new(new Letters(), position: position, labelNames: ["no", "yes"]);
        string[] texts = ["abcd", "abzd", "zk", "kl", "mnopq", "mnozq", "hgz", "hgf"];
        Sample[] samples = [.. texts.Select(t => transform.Apply(new Row(["text", "label"], [t, t.Contains('z', StringComparison.Ordinal) ? "yes" : "no"])))];
        (double first, double last) = Train(model, samples);
        Assert.InRange(first, 0.4, 1.2);
        Assert.True(last < 0.1, $"{first} to {last}");
    }

    [Fact]
    public void An_encoder_learns_to_guess_hidden_tokens()
    {
        manual_seed(1);
        using TransformerDecoder model = TransformerBuilders.Transformer(2, 32, 4, kind: TransformerKind.Encoder, vocabSize: 40, maxSeqLen: 32);
        MaskedTransform transform = new(new Letters(), "text", maskId: 3);
        Sample[] samples = [.. ((string[])["abcdabcdabcd", "bcdabcdabcda", "cdabcdab", "dabcdabcdabcdabc"]).Select(t => transform.Apply(new Row(["text"], [t])))];
        (double first, double last) = Train(model, samples);
        Assert.True(last < first / 3, $"{first} to {last}");
    }

    [Fact]
    public void Of_the_tokens_15_percent_are_to_be_guessed_and_most_of_them_hidden()
    {
        MaskedTransform transform = new(new Letters(), "text", maskId: 3, seed: 4);
        Random random = new(7);
        (int all, int chosen, int hidden, int kept) = (0, 0, 0, 0);
        for (int i = 0; i < 600; i++)
        {
            string text = string.Concat(Enumerable.Range(0, 30).Select(_ => (char)('a' + random.Next(26))));
            Row row = new(["text"], [text]);
            Sample sample = transform.Apply(row);
            Assert.Equal(sample.Tokens, transform.Apply(row).Tokens); // the same each time
            int[] original = new Letters().Encode(text);
            all += text.Length;
            for (int t = 0; t < sample.Tokens.Length; t++)
            {
                if (sample.Labels[t] == Sample.IgnoreIndex)
                {
                    Assert.Equal(original[t], sample.Tokens[t]);
                    continue;
                }

                Assert.Equal(original[t], sample.Labels[t]);
                chosen++;
                hidden += sample.Tokens[t] == 3 ? 1 : 0;
                kept += sample.Tokens[t] == original[t] ? 1 : 0;
            }
        }

        Assert.InRange((double)chosen / all, 0.14, 0.16);
        Assert.InRange((double)hidden / chosen, 0.77, 0.83);
        Assert.InRange((double)kept / chosen, 0.08, 0.135); // 10 %, and those whose random token is their own
    }

    [Theory]
    [InlineData(TransformerKind.Decoder, 0)]
    [InlineData(TransformerKind.Encoder, 0)]
    [InlineData(TransformerKind.Encoder, 3)]
    public void A_plain_transformer_is_saved_and_loaded_again(TransformerKind kind, int classes)
    {
        manual_seed(1);
        using TransformerDecoder model = TransformerBuilders.Transformer(2, 32, 4, new Letters(), kind, numClasses: classes);
        Assert.Equal(40, model.Shape.VocabSize);
        FullModelHFCheckpointer checkpointer = new(_folder["out"]);
        string saved = checkpointer.Save(new SaveRequest
        {
            Map = model.Weights, Config = model.HfConfig, Weights = AdapterModel.MergedWeights(model), Step = 1, Epoch = 0, IsStep = true,
        });
        using TransformerDecoder again = AutoModel.Load(saved);
        Tensor ids = tensor((long[])[5, 6, 7, 8]).reshape(1, 4);
        model.eval();
        again.eval();
        Assert.True(model.Logits(ids).eq(again.Logits(ids)).all().ToBoolean());
    }

    [Fact]
    public void A_class_beyond_the_models_is_refused()
    {
        using TransformerDecoder model = TransformerBuilders.Transformer(1, 8, 2, kind: TransformerKind.Encoder, vocabSize: 40, numClasses: 2);
        Sample sample = new ClassificationTransform(new Letters()).Apply(new Row(["text", "label"], ["ab", 2L]));
        using Batch batch = Collate.PaddedCollateSft([sample]);
        Assert.Contains("the class 2", Assert.Throws<DatasetException>(() => TrainStep.Hidden(model, batch)).Message);
        Assert.Contains("none of label_names", Assert.Throws<DatasetException>(
            () => new ClassificationTransform(new Letters(), labelNames: ["a"]).Apply(new Row(["text", "label"], ["ab", "b"]))).Message);
    }

    private static (double First, double Last) Train(TransformerDecoder model, Sample[] samples)
    {
        NamedParameter[] parameters = [.. model.named_parameters().Select(p => new NamedParameter(p.name, p.parameter))];
        using Optimizer optimizer = new AdamW(parameters, lr: 3e-3);
        LinearCrossEntropyLoss loss = new(numOutputChunks: 1);
        model.train();
        (double first, double last) = (0, 0);
        for (int step = 0; step < 120; step++)
        {
            StepSums sums = TrainStep.Backward(model, loss, [Collate.PaddedCollateSft(samples)]);
            TuneSharp.Training.Gradients.Scale(parameters, sums.GradientScale);
            optimizer.Step();
            optimizer.ZeroGrad();
            (first, last) = (step == 0 ? sums.MeanLoss : first, sums.MeanLoss);
        }

        return (first, last);
    }

    /// <summary>A token for each letter, between a beginning and an end.</summary>
    private sealed class Letters : IModelTokenizer
    {
        public int VocabSize => 40;

        public int? MaxSeqLen => 32;

        public int PadId => 0;

        public int? BosId => 1;

        public int EosId => 2;

        public IReadOnlyList<int> StopTokens => [2];

        public int[] Encode(string text, bool addBos = true, bool addEos = true) => [1, .. text.Select(c => c - 'a' + 4), 2];

        public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => string.Concat(ids.ToArray().Select(i => (char)(i - 4 + 'a')));

        public TokenizedMessages TokenizeMessages(IReadOnlyList<Message> messages, bool inference = false) => throw new NotSupportedException();
    }
}
