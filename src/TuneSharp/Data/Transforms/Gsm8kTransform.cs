namespace TuneSharp.Data;

/// <summary>Grade-school mathematics with its reasoning: a question, then thoughts and answer between tags, which are learned.</summary>
/// <remarks>
/// The answer column ends in <c>#### 42</c>, which divides the reasoning from the result. Written as plain text, without a chat
/// template. torchtune counterpart: <c>torchtune/dev/grpo/gsm8k.py</c>, <c>gsm8k_sft</c>; there samples are never cut.
/// </remarks>
internal sealed class Gsm8kTransform(IModelTokenizer tokenizer) : ISampleTransform
{
    private const string Divider = "#### ";

    /// <summary>Models of the R1 kind were trained with these words; they are torchtune's, letter for letter.</summary>
    private const string Preamble =
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. " +
        "The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. " +
        "The reasoning process and answer are enclosed within <think></think> and <answer></answer> tags, respectively, " +
        "i.e., <think>reasoning process here</think> <answer>answer here</answer>. User: ";

    public Sample Apply(Row row)
    {
        string[] parts = row.Text("answer").Split(Divider);
        if (parts.Length != 2)
        {
            throw new DatasetException($"{row.Place}: column 'answer' must hold the reasoning, then '{Divider}' once, then the result. Correct or remove the row.");
        }

        int[] prompt = tokenizer.Encode($"{Preamble}{row.Text("question")} Assistant: ", addBos: true, addEos: false);
        int[] answer = tokenizer.Encode($"<think>{parts[0]}</think> <answer>{parts[1]}</answer>", addBos: false, addEos: true);
        int[] tokens = Truncation.Apply<int>([.. prompt, .. answer], tokenizer.MaxSeqLen, TruncationType.Right, last: null);
        bool[] mask = new bool[tokens.Length];
        mask.AsSpan(0, Math.Min(prompt.Length, mask.Length)).Fill(true);
        return new Sample(tokens, SftTransform.Shift(tokens, mask));
    }

    public string WhyMasked(Sample sample) =>
        $"Samples are cut at tokenizer.max_seq_len={tokenizer.MaxSeqLen}, before the answer begins. Raise it.";
}
