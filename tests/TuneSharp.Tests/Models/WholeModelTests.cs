using System.Text.Json.Nodes;
using TuneSharp.Checkpointing;
using TuneSharp.Evaluation;
using TuneSharp.Models;
using TuneSharp.Tests.Checkpointing;
using static TorchSharp.torch;

namespace TuneSharp.Tests.Models;

/// <summary>A text model inside a checkpoint that also sees computes what it computes alone.</summary>
public sealed class WholeModelTests
{
    [Theory]
    [InlineData("gemma3_text", "gemma3", "language_model.model.")]
    [InlineData("gemma3_text", "gemma3", "model.language_model.")]
    [InlineData("mistral", "mistral3", "language_model.model.")]
    [InlineData("mistral", "mistral3", "model.language_model.")]
    public void The_text_model_inside_is_the_text_model(string folder, string type, string prefix)
    {
        using TemporaryFolder whole = new();
        JsonObject text = (JsonObject)JsonNode.Parse(File.ReadAllText(Repo.Golden(folder + "/config.json")))!;
        JsonObject config = new() { ["model_type"] = type, ["architectures"] = new JsonArray("Whole"), ["vision_config"] = new JsonObject(), ["text_config"] = text };
        File.WriteAllText(Path.Combine(whole.Path, "config.json"), config.ToJsonString());

        using (CheckpointReader source = CheckpointReader.Open(Repo.Golden(folder)))
        {
            Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal) { [prefix.Split("language")[0] + "vision_tower.patch.weight"] = ones(2, 2) };
            string head = prefix.StartsWith("language", StringComparison.Ordinal) ? "language_model." : "";
            foreach (string name in source.Tensors.Keys)
            {
                tensors.Add(name.StartsWith("model.", StringComparison.Ordinal) ? prefix + name["model.".Length..] : head + name, source.Read(name));
            }

            LazyTensors all = LazyTensors.Of(tensors);
            SafetensorsWriter.Write(Path.Combine(whole.Path, "model.safetensors"), all.Infos, all.Read);
        }

        // Gradients go by the text model's own names in the reference, so only what comes out is compared.
        IReadOnlyList<ParityRow> rows = Parity.Compare(whole.Path, Repo.Golden(folder + "/io.safetensors"));
        Assert.All(rows.Where(r => !r.Name.StartsWith("grad.", StringComparison.Ordinal)), r => Assert.True(r.Passed, r.ToString()));
        Assert.Contains(rows, r => r.Name == "greedy");
    }

    [Fact]
    public void Gemma_3_leaves_out_what_transformers_knows()
    {
        JsonObject text = new() { ["model_type"] = "gemma3_text", ["hidden_size"] = 2560, ["intermediate_size"] = 10_240, ["num_hidden_layers"] = 34, ["sliding_window"] = 1024,
            ["rope_scaling"] = new JsonObject { ["factor"] = 8.0, ["rope_type"] = "linear" } };
        JsonObject config = new() { ["model_type"] = "gemma3", ["vision_config"] = new JsonObject(), ["mm_tokens_per_image"] = 256, ["text_config"] = text };
        var shape = AutoModel.Shape(new HfConfig(config));
        Assert.Equal((262_208, 8, 4, 256, 1024, true), (shape.VocabSize, shape.NumHeads, shape.NumKvHeads, shape.HeadDim, shape.SlidingWindow, shape.TieWordEmbeddings));
        Assert.Equal((1_000_000, 10_000, "linear"), (shape.RopeBase, shape.SlidingRopeBase, shape.RopeScaling?.Type));

        text["eyes"] = 2;
        Assert.Contains("eyes", Assert.Throws<CheckpointException>(() => AutoModel.Shape(new HfConfig(config))).Message);
    }
}
