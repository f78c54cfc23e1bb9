using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TuneSharp.Checkpointing;

/// <summary>JSON files beside the weights, written as Python's <c>json.dump(indent=2)</c> does and read with the file's name in errors.</summary>
internal static class JsonText
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    internal static string Format(JsonNode node) => node.ToJsonString(Indented) + "\n";

    /// <summary>Reads a JSON object.</summary>
    /// <exception cref="CheckpointException">The file is missing or holds no JSON object.</exception>
    internal static JsonObject ReadObject(string path)
    {
        try
        {
            JsonDocumentOptions options = new() { AllowDuplicateProperties = false };
            return JsonNode.Parse(File.ReadAllText(path), documentOptions: options) as JsonObject
                ?? throw new CheckpointException($"{path}: a JSON object was expected. Download the file again.");
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{path}: is not valid JSON ({e.Message.TrimEnd('.')}). Download the file again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path}: cannot be read ({e.Message.TrimEnd('.')}). Check the path.", e);
        }
    }
}
