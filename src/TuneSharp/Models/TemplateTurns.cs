using TuneSharp.Data;
using TuneSharp.Templates;

namespace TuneSharp.Models;

/// <summary>Finds the turns of a conversation in the text that a chat template made of it. Places count code points.</summary>
internal static class TemplateTurns
{
    /// <summary>The text that the model goes on with.</summary>
    public static string Prompt(IChatTemplate template, IReadOnlyList<Message> messages)
    {
        if (messages.Count == 0 || messages[^1].Role != Role.Assistant)
        {
            return Render(template, messages, prompt: true).Text;
        }

        Message last = messages[^1];
        if (last.Content.Length == 0 && last.ToolCalls is null)
        {
            return Render(template, [.. messages.Take(messages.Count - 1)], prompt: true).Text;
        }

        // The model goes on with words that it has begun: what the template writes behind them is left out.
        string text = Render(template, messages, prompt: false).Text;
        string words = last.Content.Trim();
        int at = text.LastIndexOf(words, StringComparison.Ordinal);
        return at < 0 ? text : text[..(at + words.Length)];
    }

    /// <summary>The whole text, and the stretches of it that training learns.</summary>
    public static (string Text, IReadOnlyList<(int Start, int End)> Learned) Learned(IChatTemplate template, IReadOnlyList<Message> messages)
    {
        RenderedText whole = Render(template, messages, prompt: false);
        bool onlyAssistant = messages.All(m => m.Masked || m.Role == Role.Assistant);
        Message[] assistants = [.. messages.Where(m => m.Role == Role.Assistant)];
        if (onlyAssistant && template is ChatTemplate { MarksGeneration: true } && whole.Generation.Count > 0)
        {
            // The template says itself what the model's words are. Which of them are masked is known when there is one stretch a turn.
            if (whole.Generation.Count == assistants.Length)
            {
                return (whole.Text, [.. whole.Generation.Where((_, i) => !assistants[i].Masked)]);
            }

            if (assistants.All(m => !m.Masked))
            {
                return (whole.Text, whole.Generation);
            }
        }

        return (whole.Text, ByTurns(template, messages, whole.Text));
    }

    /// <summary>A part of a text between two places in code points.</summary>
    public static string Cut(string text, int start, int end)
    {
        int from = Offset(text, start);
        return text[from..Math.Max(from, Offset(text, end))];
    }

    /// <summary>
    /// Finds each turn by rendering the turns up to it: as far as both texts agree they are the same turns. An assistant's turn begins behind
    /// the generation prompt, which is no words of its.
    /// </summary>
    private static List<(int Start, int End)> ByTurns(IChatTemplate template, IReadOnlyList<Message> messages, string text)
    {
        List<(int Start, int End)> learned = [];
        int at = 0;
        for (int i = 0; i < messages.Count; i++)
        {
            Message message = messages[i];
            bool last = i == messages.Count - 1;
            if (message.Masked && !NextIsLearned(messages, i))
            {
                continue; // where it ends does not matter
            }

            int start = at;
            if (message.Role == Role.Assistant && !message.Masked)
            {
                string prompt = Render(template, [.. messages.Take(i)], prompt: true).Text;
                start = text.StartsWith(prompt, StringComparison.Ordinal) ? prompt.Length : Common(text, prompt, message);
            }

            int end = last ? text.Length : EndOf(template, messages, i, text, start);
            if (!message.Masked && end > start)
            {
                learned.Add((Points(text, start), Points(text, end)));
            }

            at = end;
        }

        return learned;
    }

    /// <summary>A turn of a person that is learned begins where the turn before it ends.</summary>
    private static bool NextIsLearned(IReadOnlyList<Message> messages, int i) =>
        i + 1 < messages.Count && !messages[i + 1].Masked && messages[i + 1].Role != Role.Assistant;

    private static int EndOf(IChatTemplate template, IReadOnlyList<Message> messages, int i, string text, int start)
    {
        string upTo = TryRender(template, [.. messages.Take(i + 1)]);
        if (upTo.Length > start && text.StartsWith(upTo, StringComparison.Ordinal))
        {
            return upTo.Length;
        }

        // Some templates write a turn differently once others follow (they drop its thoughts, say): look for its words.
        string words = messages[i].Content.Trim();
        words = words[(words.LastIndexOf("</think>", StringComparison.Ordinal) is >= 0 and int thought ? thought + "</think>".Length : 0)..].Trim();
        int found = words.Length == 0 ? -1 : text.IndexOf(words, start, StringComparison.Ordinal);
        if (found < 0)
        {
            throw Unclear(messages[i]);
        }

        // The mark that ends the turn belongs to it: it is what the short text has behind the words.
        int end = found + words.Length;
        int inShort = upTo.LastIndexOf(words, StringComparison.Ordinal);
        string after = inShort < 0 ? "" : upTo[(inShort + words.Length)..];
        return end + after.AsSpan().CommonPrefixLength(text.AsSpan(end));
    }

    private static int Common(string text, string prompt, Message message)
    {
        int common = text.AsSpan().CommonPrefixLength(prompt);
        string words = message.Content.Trim();
        int found = words.Length == 0 ? -1 : text.IndexOf(words, Math.Min(common, text.Length), StringComparison.Ordinal);

        // The prompt may end with what the text has not (an opened thought, say): then the turn begins where they part.
        return found >= 0 ? common : throw Unclear(message);
    }

    private static string TryRender(IChatTemplate template, Message[] messages)
    {
        try
        {
            return Render(template, messages, prompt: false).Text;
        }
        catch (TemplateException)
        {
            return ""; // a template may refuse a conversation that ends here
        }
    }

    private static DatasetException Unclear(Message message)
    {
        string words = message.Content.Length > 60 ? message.Content[..60] + "…" : message.Content;
        return new DatasetException(
            $"The model's chat template writes the {message.Role.ToString().ToLowerInvariant()}'s turn '{words}' differently once other turns follow, so the part to learn "
            + "cannot be found in the text. Train on the last turn only (masking_strategy: train_on_last), mark the model's words with {% generation %} in the "
            + "template, or set tokenizer.prompt_template.");
    }

    private static RenderedText Render(IChatTemplate template, IReadOnlyList<Message> messages, bool prompt) => template is ChatTemplate own
        ? own.RenderFull(messages, prompt, messages.Count > 0 ? messages[0].Tools : null)
        : new RenderedText(template.Render(messages, prompt), []);

    private static int Points(string text, int offset)
    {
        int points = 0;
        for (int i = 0; i < offset; i++)
        {
            points += char.IsLowSurrogate(text[i]) && i > 0 && char.IsHighSurrogate(text[i - 1]) ? 0 : 1;
        }

        return points;
    }

    private static int Offset(string text, int point)
    {
        int at = 0;
        for (; point > 0 && at < text.Length; point--)
        {
            at += at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;
        }

        return at;
    }
}
