using System.Text.Json;

namespace TuneSharp.Data;

/// <summary>Who speaks.</summary>
public enum Role
{
    /// <summary>Instructions for the whole conversation.</summary>
    System,

    /// <summary>The person.</summary>
    User,

    /// <summary>The model.</summary>
    Assistant,

    /// <summary>Output of a tool that the model called (Llama's name for it).</summary>
    Ipython,

    /// <summary>Output of a tool that the model called.</summary>
    Tool,
}

/// <summary>One turn of a conversation.</summary>
/// <remarks>torchtune counterpart: <c>torchtune/data/_messages.py</c>, <c>Message</c>.</remarks>
/// <param name="Role">Who speaks.</param>
/// <param name="Content">What is said.</param>
/// <param name="Masked">True when training skips this turn.</param>
/// <param name="Ipython">True when an assistant turn calls a tool.</param>
/// <param name="Eot">True when the turn ends with an end-of-turn token.</param>
public sealed record Message(Role Role, string Content, bool Masked = false, bool Ipython = false, bool Eot = true)
{
    /// <summary>The calls of tools in an assistant's turn, as in OpenAI's <c>tool_calls</c>; null for none. Chat templates write them.</summary>
    public IReadOnlyList<JsonElement>? ToolCalls { get; init; }

    /// <summary>What else a chat template may read of the turn (<c>reasoning_content</c>, <c>tool_call_id</c>, <c>name</c> …); null for nothing.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Extra { get; init; }

    /// <summary>On a conversation's first turn, the tools on offer as a JSON list; null for none.</summary>
    public JsonElement? Tools { get; init; }
}
