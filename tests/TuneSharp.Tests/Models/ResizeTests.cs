using TorchSharp;
using TuneSharp.Checkpointing;
using TuneSharp.Models;
using TuneSharp.Modules;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Tests.Modules;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Models;

/// <summary>Token embeddings that grow for added tokens.</summary>
public sealed class ResizeTests
{
    private const int Added = 5;

    [Theory]
    [InlineData("llama3_1")]      // a head of its own
    [InlineData("llama3_2_tied")] // the head is the table
    [InlineData("gemma2")]
    public void Old_tokens_keep_their_rows_and_new_ones_are_the_mean(string folder)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable off = no_grad();
        using TransformerDecoder plain = AutoModel.Load(Repo.Golden(folder));
        long old = plain.Shape.VocabSize;
        using BuildScope build = new(CPU, ScalarType.Float32, vocabSize: old + Added);
        using TransformerDecoder grown = AutoModel.Load(Repo.Golden(folder));
        Assert.Equal(old + Added, grown.Shape.VocabSize);
        foreach (string name in (string[])["tok_embeddings.weight", "output.weight"])
        {
            if (plain.NamedParameters().TryGetValue(name, out Tensor? before))
            {
                Tensor after = grown.NamedParameters()[name];
                Tiny.Same(before, after.narrow(0, 0, old));
                Tolerances.Near(before.mean([0L], keepdim: true).expand(Added, -1), after.narrow(0, old, Added), 1e-6, name);
            }
        }

        Tensor ids = tensor([3L, 7, 9, 4]).unsqueeze(0);
        plain.eval();
        grown.eval();
        Tolerances.Near(plain.Logits(ids), grown.Logits(ids).narrow(2, 0, old), 1e-6, folder);
        Assert.True(grown.Logits(tensor([3L, old + 1]).unsqueeze(0)).isfinite().all().ToBoolean());
    }

    [Fact]
    public void Saved_it_is_a_model_of_the_new_size()
    {
        using DisposeScope scope = NewDisposeScope();
        using TemporaryFolder to = new();
        long size;
        using (BuildScope build = new(CPU, ScalarType.Float32, vocabSize: AutoModel.Shape(HfConfig.Read(Repo.Golden("llama3_2_tied"))).VocabSize + Added))
        {
            using TransformerDecoder grown = AutoModel.Load(Repo.Golden("llama3_2_tied"));
            size = grown.Shape.VocabSize;
            LazyTensors weights = AdapterModel.MergedWeights(grown).In(SourceNaming.For(Naming.HuggingFace, grown.Weights));
            SafetensorsWriter.Write(Path.Combine(to.Path, "model.safetensors"), weights.Infos, weights.Read);
            File.Copy(Repo.Golden("llama3_2_tied/config.json"), Path.Combine(to.Path, "config.json"));
            Checkpointer.WriteDtype(to.Path, weights.Infos);
        }

        Assert.Equal(size, HfConfig.Read(to.Path).Int("vocab_size"));
        using TransformerDecoder back = AutoModel.Load(to.Path);
        Assert.Equal(size, back.OutputWeight.shape[0]);
    }

    [Fact]
    public void A_smaller_table_or_one_that_nobody_asked_for_is_refused()
    {
        using (BuildScope small = new(CPU, ScalarType.Float32, vocabSize: 10))
        {
            Assert.Contains("resize_token_embeddings is 10", Assert.Throws<ArgumentException>(() => AutoModel.Load(Repo.Golden("llama3_1"))).Message);
        }

        using TransformerDecoder larger = AutoModel.Build(HfConfig.Read(Repo.Golden("llama3_1")));
        Dictionary<string, Tensor> parameters = new(StringComparer.Ordinal) { ["tok_embeddings.weight"] = zeros(larger.Shape.VocabSize + 1, larger.Shape.EmbedDim) };
        using CheckpointReader source = CheckpointReader.Open(Repo.Golden("llama3_1"));
        Assert.Contains("the model wants", Assert.Throws<CheckpointException>(() => WeightLoader.Load(source, parameters, larger.Weights, _ => true)).Message);
    }
}
