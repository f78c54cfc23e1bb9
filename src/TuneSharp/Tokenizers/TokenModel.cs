using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>A token that a model found in a word: its id, and which bytes of the word it covers.</summary>
/// <param name="Id">The id.</param>
/// <param name="Start">First byte.</param>
/// <param name="End">One after the last byte.</param>
/// <param name="ShowsText">Whether the token is shown as the text it stands for, not as the vocabulary spells it.</param>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct ModelToken(int Id, int Start, int End, bool ShowsText = false);

/// <summary>Splits a word, which is what pre-tokenization leaves, into the tokens of a vocabulary.</summary>
internal abstract class TokenModel(TokenTable table)
{
    internal TokenTable Table { get; } = table;

    /// <summary>Appends the tokens of a word.</summary>
    internal abstract void Tokenize(ReadOnlySpan<byte> word, List<ModelToken> tokens);

    internal int Find(string token) => Table.Find(Encoding.UTF8.GetBytes(token));

    /// <summary>The id of a token the file refers to; an error that names it when the vocabulary lacks it.</summary>
    protected static int Require(TokenTable table, string token, string role)
    {
        int id = table.Find(Encoding.UTF8.GetBytes(token));
        return id >= 0 ? id : throw new FormatException($"The {role} {token} is not in the vocabulary.");
    }
}
