namespace TuneSharp.Data;

/// <summary>Which turns of a conversation training learns.</summary>
public enum MaskingStrategy
{
    /// <summary>All turns but the system's.</summary>
    TrainOnAll,

    /// <summary>The assistant's turns.</summary>
    TrainOnAssistant,

    /// <summary>The assistant's last turn.</summary>
    TrainOnLast,
}

/// <summary>Marks the turns that training skips.</summary>
internal static class Masking
{
    /// <summary>What <c>train_on_input</c> and <c>masking_strategy</c> say together: the second, when given, wins.</summary>
    public static MaskingStrategy Choose(bool trainOnInput, MaskingStrategy? strategy) =>
        strategy ?? (trainOnInput ? MaskingStrategy.TrainOnAll : MaskingStrategy.TrainOnAssistant);

    public static IReadOnlyList<Message> Apply(List<Message> messages, MaskingStrategy strategy)
    {
        int last = messages.FindLastIndex(m => m.Role == Role.Assistant);
        for (int i = 0; i < messages.Count; i++)
        {
            Role role = messages[i].Role;
            bool learned = role != Role.System && strategy switch
            {
                MaskingStrategy.TrainOnAll => true,
                MaskingStrategy.TrainOnAssistant => role == Role.Assistant,
                _ => i == last,
            };
            messages[i] = messages[i] with { Masked = !learned };
        }

        return messages;
    }
}
