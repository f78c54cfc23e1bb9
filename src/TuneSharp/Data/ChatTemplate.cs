using System.Text;
using System.Text.Json;
using TuneSharp.Config;
using TuneSharp.Templates;

namespace TuneSharp.Data;

/// <summary>A model's own chat template, from the files that the model carries. Thread-safe.</summary>
/// <remarks>
/// Looked for in a model's folder: <c>chat_template.jinja</c> (with further ones in <c>additional_chat_templates</c>), then
/// <c>chat_template.json</c>, then <c>chat_template</c> in <c>tokenizer_config.json</c>, which is a text or a list of named ones. Of several, the one called
/// <c>tool_use</c> writes conversations with tools, and <c>default</c> all others. The special tokens of the folder are variables, as are
/// <c>messages</c>, <c>tools</c>, <c>documents</c> and <c>add_generation_prompt</c>.
/// </remarks>
public sealed class ChatTemplate : IChatTemplate
{
    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly Dictionary<string, JinjaTemplate> _templates;
    private readonly Dictionary<string, object?> _tokens;

    private ChatTemplate(Dictionary<string, JinjaTemplate> templates, Dictionary<string, object?> tokens)
    {
        _templates = templates;
        _tokens = tokens;
    }

    /// <summary>True when the template says itself which words are the model's (<c>{% generation %}</c>).</summary>
    public bool MarksGeneration => _templates.Values.All(t => t.MarksGeneration);

    /// <summary>Reads the template of a model's folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="tokenizerConfig">The <c>tokenizer_config.json</c>, if it lies elsewhere.</param>
    /// <param name="clock">What <c>strftime_now</c> reads; the system's when null.</param>
    /// <returns>The template; null when the folder has none.</returns>
    /// <exception cref="TemplateException">The template is malformed.</exception>
    public static ChatTemplate? Find(string folder, string? tokenizerConfig = null, TimeProvider? clock = null)
    {
        Dictionary<string, string> sources = Sources(folder, tokenizerConfig ?? Path.Combine(folder, "tokenizer_config.json"));
        return sources.Count == 0 ? null : new ChatTemplate(
            sources.ToDictionary(s => s.Key, s => JinjaTemplate.Parse(s.Value, clock), StringComparer.Ordinal),
            SpecialTokens(folder, tokenizerConfig));
    }

    /// <summary>Reads a template from one file.</summary>
    /// <param name="file">The template; or a JSON file with <c>chat_template</c> in it.</param>
    /// <param name="folder">The model's folder, whose special tokens become variables; null for none.</param>
    /// <param name="clock">What <c>strftime_now</c> reads; the system's when null.</param>
    /// <exception cref="ConfigException">The file cannot be read, or is JSON without a template.</exception>
    /// <exception cref="TemplateException">The template is malformed.</exception>
    public static ChatTemplate Load(string file, string? folder = null, TimeProvider? clock = null)
    {
        Dictionary<string, string> sources = [];
        if (file.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            AddFromJson(sources, file);
            if (sources.Count == 0)
            {
                throw new ConfigException($"{file} has no chat_template. Name a file that holds one, or the template itself (.jinja).");
            }
        }
        else
        {
            sources["default"] = ReadText(file);
        }

        return new ChatTemplate(
            sources.ToDictionary(s => s.Key, s => JinjaTemplate.Parse(s.Value, clock), StringComparer.Ordinal),
            folder is null ? [] : SpecialTokens(folder, null));
    }

    /// <inheritdoc/>
    public string Render(IReadOnlyList<Message> messages, bool addGenerationPrompt) => RenderFull(messages, addGenerationPrompt).Text;

    /// <summary>Writes a conversation, and says which stretches the template marks as the model's words.</summary>
    /// <param name="messages">The turns.</param>
    /// <param name="addGenerationPrompt">End with what precedes an assistant's turn.</param>
    /// <param name="tools">The tools on offer, as JSON schemas; null for none.</param>
    /// <exception cref="TemplateException">The template fails, or refuses the conversation.</exception>
    public RenderedText RenderFull(IReadOnlyList<Message> messages, bool addGenerationPrompt, object? tools = null) => Render(new Dictionary<string, object?>(StringComparer.Ordinal)
    {
        ["messages"] = messages.Select(ChatMessages.ToTemplate).ToList(),
        ["tools"] = tools,
        ["add_generation_prompt"] = addGenerationPrompt,
    });

    /// <summary>Renders the template with variables of the caller's own.</summary>
    /// <param name="variables">A JSON object.</param>
    /// <exception cref="TemplateException">The template fails, or refuses the conversation.</exception>
    public RenderedText Render(JsonElement variables) =>
        Render(variables.EnumerateObject().GroupBy(p => p.Name, StringComparer.Ordinal)
            .ToDictionary(p => p.Key, p => (object?)p.Last().Value, StringComparer.Ordinal));

    private RenderedText Render(Dictionary<string, object?> variables)
    {
        Dictionary<string, object?> all = new(_tokens, StringComparer.Ordinal)
        {
            ["tools"] = null,
            ["documents"] = null,
            ["add_generation_prompt"] = false,
        };
        foreach ((string name, object? value) in variables)
        {
            all[name] = value;
        }

        bool withTools = all["tools"] is not (null or JsonElement { ValueKind: JsonValueKind.Null });
        JinjaTemplate template = withTools && _templates.TryGetValue("tool_use", out JinjaTemplate? forTools) ? forTools
            : _templates.TryGetValue("default", out JinjaTemplate? usual) ? usual
            : throw new ConfigException(
                $"The model has several chat templates ({string.Join(", ", _templates.Keys)}) and none is called default. Name one with --chat-template.");
        return template.Render(all);
    }

    private static Dictionary<string, string> Sources(string folder, string tokenizerConfig)
    {
        Dictionary<string, string> sources = new(StringComparer.Ordinal);
        string further = Path.Combine(folder, "additional_chat_templates");
        if (Directory.Exists(further))
        {
            foreach (string file in Directory.EnumerateFiles(further, "*.jinja").Order(StringComparer.Ordinal))
            {
                sources[Path.GetFileNameWithoutExtension(file)] = ReadText(file);
            }
        }

        string own = Path.Combine(folder, "chat_template.jinja");
        string json = Path.Combine(folder, "chat_template.json");
        if (File.Exists(own))
        {
            sources["default"] = ReadText(own);
        }
        else if (File.Exists(json))
        {
            AddFromJson(sources, json);
        }

        if (sources.Count == 0 && File.Exists(tokenizerConfig))
        {
            AddFromJson(sources, tokenizerConfig);
        }

        return sources;
    }

    private static void AddFromJson(Dictionary<string, string> sources, string file)
    {
        JsonElement root = TokenizerFiles.ReadJson(file);
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("chat_template", out JsonElement found))
        {
            return;
        }

        if (found.ValueKind == JsonValueKind.String)
        {
            sources["default"] = found.GetString()!;
        }
        else if (found.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty named in found.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.String))
            {
                sources[named.Name] = named.Value.GetString()!;
            }
        }
        else if (found.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement named in found.EnumerateArray())
            {
                sources[named.GetProperty("name").GetString()!] = named.GetProperty("template").GetString()!;
            }
        }
    }

    private static Dictionary<string, object?> SpecialTokens(string folder, string? tokenizerConfig)
    {
        Dictionary<string, object?> tokens = new(StringComparer.Ordinal);
        foreach (string file in new[] { Path.Combine(folder, "special_tokens_map.json"), tokenizerConfig ?? Path.Combine(folder, "tokenizer_config.json") })
        {
            if (!File.Exists(file) || TokenizerFiles.ReadJson(file) is not { ValueKind: JsonValueKind.Object } root)
            {
                continue;
            }

            foreach (string name in TokenNames)
            {
                if (root.TryGetProperty(name, out JsonElement token) && Text(token) is { } text)
                {
                    tokens[name] = text;
                }
            }

            if (root.TryGetProperty("additional_special_tokens", out JsonElement more) && more.ValueKind == JsonValueKind.Array)
            {
                tokens["additional_special_tokens"] = more.EnumerateArray().Select(Text).Where(t => t is not null).ToList();
            }
        }

        return tokens;
    }

    private static string? Text(JsonElement token) =>
        (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out JsonElement content) ? content : token) is
            { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private static string ReadText(string file)
    {
        try
        {
            return File.ReadAllText(file, new UTF8Encoding(false));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"The chat template cannot be read: {e.Message}", e);
        }
    }
}

/// <summary>Our messages as chat templates know them.</summary>
internal static class ChatMessages
{
    /// <summary>A role and a content. A tool's output is <c>tool</c> to the models that have one name for it.</summary>
    public static Dictionary<string, object?> ToTemplate(Message message)
    {
        Dictionary<string, object?> result = new(StringComparer.Ordinal)
        {
            ["role"] = message.Role == Role.Ipython ? "tool" : message.Role.ToString().ToLowerInvariant(),
            ["content"] = message.Content,
        };
        if (message.ToolCalls is { Count: > 0 } calls)
        {
            result["tool_calls"] = calls.Select(c => (object?)c).ToList();
        }

        if (message.Extra is { } extra)
        {
            foreach ((string name, JsonElement value) in extra)
            {
                result.TryAdd(name, value);
            }
        }

        return result;
    }
}
