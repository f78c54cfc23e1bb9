using TuneSharp.Data;

namespace TuneSharp.Models;

/// <summary>A conversation's ids and mask while they are collected.</summary>
/// <param name="maxSeqLen">Longest sample in tokens; null for no limit.</param>
/// <param name="truncation">Which end of a sample that is too long gives way.</param>
internal sealed class TurnIds(int? maxSeqLen, TruncationType truncation)
{
    private readonly List<int> _ids = [];
    private readonly List<bool> _mask = [];

    public void Add(bool masked, params ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            _ids.Add(id);
            _mask.Add(masked);
        }
    }

    /// <summary>What follows would be cut off.</summary>
    public bool IsFull => truncation == TruncationType.Right && _ids.Count >= maxSeqLen;

    /// <summary>The mask of the last id; masked when there is none.</summary>
    public bool LastMasked => _mask.Count == 0 || _mask[^1];

    /// <summary>Cuts to length.</summary>
    /// <param name="last">What a cut sample ends with, which is then never learned; null to leave its end as it falls.</param>
    /// <param name="always">torchtune's Qwen and Llama tokenizers mask the last id of every sample once max_seq_len is set, cut or not.</param>
    public TokenizedMessages Cut(int? last, bool always)
    {
        bool ends = last is not null && maxSeqLen is { } max && (always || _ids.Count >= max);
        return new TokenizedMessages(
            Truncation.Apply<int>([.. _ids], maxSeqLen, truncation, ends ? last : null),
            Truncation.Apply<bool>([.. _mask], maxSeqLen, truncation, ends ? true : null));
    }
}

/// <summary>What the families' tokenizers ask of messages.</summary>
internal static class Turns
{
    /// <summary>Applies a prompt template and, for generation, makes sure that an assistant's turn stands open at the end.</summary>
    public static IReadOnlyList<Message> Prepare(IReadOnlyList<Message> messages, IPromptTemplate? template, bool inference)
    {
        if (inference && (messages.Count == 0 || messages[^1].Role != Role.Assistant))
        {
            messages = [.. messages, new Message(Role.Assistant, "")];
        }

        return template?.Apply(messages) ?? messages;
    }

    public static string Name(Role role) => role.ToString().ToLowerInvariant();
}
