using System.Collections;
using System.Reflection;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>The templates that a config can name, and the reading of <c>prompt_template</c>.</summary>
/// <remarks>torchtune counterparts: <c>torchtune/data/_prompt_templates.py</c>, <c>models/{llama2,mistral}/_prompt_template.py</c>.</remarks>
public static class PromptTemplates
{
    /// <summary>The template that Llama 2's tokenizer uses unless told otherwise.</summary>
    internal const string Llama2ChatName = "torchtune.models.llama2.Llama2ChatTemplate";

    /// <summary>The template that Mistral's tokenizer uses unless told otherwise.</summary>
    internal const string MistralChatName = "torchtune.models.mistral.MistralChatTemplate";

    private static readonly Dictionary<string, Func<IPromptTemplate>> ByName = typeof(PromptTemplates)
        .GetMethods(BindingFlags.Public | BindingFlags.Static)
        .SelectMany(m => m.GetCustomAttributes<ComponentAttribute>().Select(a => (a.Name, Build: m.CreateDelegate<Func<IPromptTemplate>>())))
        .ToDictionary(t => t.Name, t => t.Build, StringComparer.Ordinal);

    /// <summary>ChatML, as Qwen and others were trained with: <c>&lt;|im_start|>user\n…&lt;|im_end|>\n</c>.</summary>
    [Component("torchtune.data.ChatMLTemplate")]
    public static IPromptTemplate ChatMLTemplate() => new ChatMl();

    /// <summary>Asks for the correction of a text.</summary>
    [Component("torchtune.data.GrammarErrorCorrectionTemplate")]
    public static IPromptTemplate GrammarErrorCorrectionTemplate() =>
        AroundUser("Correct this to standard English: ", "\n---\nCorrected: ");

    /// <summary>Asks for the summary of a dialogue.</summary>
    [Component("torchtune.data.SummarizeTemplate")]
    public static IPromptTemplate SummarizeTemplate() => AroundUser("Summarize this dialogue:\n", "\n---\nSummary:\n");

    /// <summary>Marks a question and where its answer begins.</summary>
    [Component("torchtune.data.QuestionAnswerTemplate")]
    public static IPromptTemplate QuestionAnswerTemplate() => AroundUser("Question: ", "\n\nAnswer: ");

    /// <summary>Llama 2's chat format: <c>[INST] &lt;&lt;SYS>>…&lt;&lt;/SYS>> question [/INST] answer</c>.</summary>
    [Component(Llama2ChatName)]
    public static IPromptTemplate Llama2ChatTemplate() => new Llama2Chat();

    /// <summary>Mistral's chat format: <c>[INST] question [/INST] answer</c>, without a system prompt.</summary>
    [Component(MistralChatName)]
    public static IPromptTemplate MistralChatTemplate() => new MistralChat();

    /// <summary>Reads a config's <c>prompt_template</c>.</summary>
    /// <param name="value">
    /// Null for none, a template's name (<c>torchtune.data.ChatMLTemplate</c>), a dictionary from role to [before, after], or an
    /// <see cref="IPromptTemplate"/>.
    /// </param>
    /// <exception cref="DatasetException">No template is called so, or the dictionary is malformed.</exception>
    public static IPromptTemplate? Parse(object? value) => value switch
    {
        null => null,
        IPromptTemplate template => template,
        string name => ByName.TryGetValue(name, out Func<IPromptTemplate>? build) ? build() : throw new DatasetException(
            $"prompt_template '{name}' is not known.{NearestName.Hint(name, ByName.Keys)} Known: {string.Join(", ", ByName.Keys)}; " +
            "or a dictionary from role to [before, after]."),
        IDictionary dictionary => FromPairs(dictionary.Keys.Cast<object>().Select(k => (k.ToString()!, dictionary[k]))),
        IEnumerable<KeyValuePair<string, object?>> pairs => FromPairs(pairs.Select(p => (p.Key, p.Value))),
        _ => throw new DatasetException("prompt_template must be a template's name or a dictionary from role to [before, after]."),
    };

    /// <summary>True for <see cref="ChatMLTemplate"/>, which a tokenizer that writes ChatML itself refuses.</summary>
    internal static bool IsChatMl(IPromptTemplate? template) => template is ChatMl;

    private static PromptTemplate FromPairs(IEnumerable<(string Role, object? Around)> pairs)
    {
        Dictionary<Role, (string, string)> around = [];
        foreach ((string name, object? value) in pairs)
        {
            if (!Enum.TryParse(name, ignoreCase: true, out Role role) || int.TryParse(name, out _))
            {
                throw new DatasetException($"prompt_template: '{name}' is not a role. Roles: system, user, assistant, ipython, tool.");
            }

            object?[] texts = value is IEnumerable items and not string ? [.. items.Cast<object?>()] : [];
            if (texts.Length != 2 || texts.Any(t => t is not (string or null)))
            {
                throw new DatasetException($"prompt_template: '{name}' must be a list of two texts, [before, after].");
            }

            around[role] = ((string?)texts[0] ?? "", (string?)texts[1] ?? "");
        }

        return new PromptTemplate(around);
    }

    private static PromptTemplate AroundUser(string before, string after) =>
        new(new Dictionary<Role, (string, string)> { [Role.User] = (before, after) });

    private sealed class ChatMl : IPromptTemplate
    {
        public IReadOnlyList<Message> Apply(IReadOnlyList<Message> messages) => [.. messages.Select((m, i) =>
        {
            if (m.Role is Role.Ipython or Role.Tool)
            {
                return m;
            }

            // An empty assistant message at the end waits for the model: nothing may follow its header.
            bool open = m.Role == Role.Assistant && i == messages.Count - 1 && m.Content.Length == 0;
            string role = m.Role.ToString().ToLowerInvariant();
            return m with { Content = $"<|im_start|>{role}\n{m.Content}{(open ? "" : "<|im_end|>\n")}" };
        })];
    }

    private sealed class Llama2Chat : IPromptTemplate
    {
        public IReadOnlyList<Message> Apply(IReadOnlyList<Message> messages)
        {
            List<Message> result = [];
            string system = "";
            foreach (Message m in messages)
            {
                if (m.Role == Role.System)
                {
                    system = $"<<SYS>>\n{m.Content}\n<</SYS>>\n\n";
                }
                else if (m.Role == Role.User)
                {
                    // The system prompt stands inside the first user turn, and only there.
                    result.Add(m with { Content = $"[INST] {system}{m.Content} [/INST] " });
                    system = "";
                }
                else
                {
                    result.Add(m);
                }
            }

            return result;
        }
    }

    private sealed class MistralChat : IPromptTemplate
    {
        public IReadOnlyList<Message> Apply(IReadOnlyList<Message> messages) => [.. messages.Select(m => m.Role switch
        {
            Role.System => throw new DatasetException(
                "Mistral's chat template has no place for a system message. Leave new_system_prompt out, or choose another prompt_template."),
            Role.User => m with { Content = $"[INST] {m.Content} [/INST] " },
            _ => m,
        })];
    }
}
