namespace TuneSharp.Tokenizers;

/// <summary>GPT-2's words: a blank goes with the letters, the digits or the signs after it.</summary>
internal sealed class Gpt2Scanner : WordScanner
{
    private const CharKind Named = CharKind.Space | CharKind.Letter | CharKind.Number;

    internal override void Scan(ReadOnlySpan<byte> text, int offset, IntBuffer ends)
    {
        for (int at = 0; at < text.Length;)
        {
            at = WordEnd(text, at);
            ends.Add(offset + at);
        }
    }

    private static int WordEnd(ReadOnlySpan<byte> text, int at)
    {
        if (text[at] == '\'' && ContractionEnd(text, at, ignoreCase: false) is int end && end > at)
        {
            return end;
        }

        int start = at;
        CharKind kind = CharKinds.At(text, at, out int length);
        if (text[at] == ' ' && at + 1 < text.Length)
        {
            at++;
            kind = CharKinds.At(text, at, out length);
        }

        kind &= Named;
        if ((kind & CharKind.Space) != CharKind.None)
        {
            return SpaceEnd(text, start, cutAtLineEnds: false);
        }

        do
        {
            at += length;
        }
        while (at < text.Length && (CharKinds.At(text, at, out length) & Named) == kind);
        return at;
    }
}
