using System.Text;
using TuneSharp.Tokenizers;

namespace TuneSharp.Tests.Tokenizers;

public class CodeRegexTests
{
    [Theory]
    [InlineData("a+b", "xaab", "aab")]
    [InlineData("a+?", "aaa", "a a a")]
    [InlineData("a++a", "aaa", "")]
    [InlineData("(?:ab)+", "ababa", "abab")]
    [InlineData("(?:a|ab)(?:c|bcd)d?", "abcd", "abcd")]
    [InlineData("(?:a|b){2,3}", "ababa", "aba ba")]
    [InlineData("(?:a|b){2,3}?", "ababa", "ab ab")]
    [InlineData("(?>a|ab)c", "abc ac", "ac")]
    [InlineData(@"\s+(?!\S)", "a  b ", "\u0020 \u0020")]
    [InlineData(@"(?<=a)b", "ab bb", "b")]
    [InlineData(@"(?<!a)b", "ab bb", "b b")]
    [InlineData(@"\bfoo\b", "foo foobar", "foo")]
    [InlineData("^a|b$", "a b\na", "a b a")]
    [InlineData("(?i)STRASSE", "strasse Straſſe", "strasse Straſſe")]
    [InlineData("(?i:a)B", "AB Ab aB", "AB aB")]
    [InlineData("[^a-c]+", "abcxyz", "xyz")]
    [InlineData("[a-z&&[^aeiou]]+", "hello", "h ll")]
    [InlineData("[[:alpha:]_]+", "ab_1", "ab_")]
    [InlineData(@"\p{Lu}\p{Ll}*", "Ab ΓδÉ", "Ab Γδ É")]
    [InlineData(@"\p{Han}+", "漢字kana", "漢字")]
    [InlineData(@"\P{L}+", "a12b", "12")]
    [InlineData(@"\x41\x{1D400}A", "A𝐀A", "A𝐀A")]
    [InlineData(@"\p{L}{2}", "𝐀𝐁𝐂", "𝐀𝐁")]
    [InlineData("x{,2}y", "xxxy", "xxy")]
    [InlineData("a{b", "a{b", "a{b")]
    [InlineData("[]a]+", "a]b", "a]")]
    public void Matches_are_those_of_the_syntax(string pattern, string text, string expected)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        CodeRegex regex = new(pattern);
        List<string> found = [];
        for (int from = 0; regex.Find(bytes, from, out int start, out int end); from = Math.Max(end, from + 1))
        {
            found.Add(Encoding.UTF8.GetString(bytes, start, end - start));
        }

        Assert.Equal(expected, string.Join(' ', found.Where(f => f.Length > 0)));
    }

    [Theory]
    [InlineData("(a", "closing parenthesis")]
    [InlineData("a)", "without its opening one")]
    [InlineData("[a", "closing bracket")]
    [InlineData("*a", "nothing to repeat")]
    [InlineData("a**", "one quantifier after another")]
    [InlineData(@"\p{Klingon}", @"the property \p{Klingon}")]
    [InlineData(@"(a)\1", @"the escape \1")]
    [InlineData("(?P<x>a)", "the group option 'P'")]
    [InlineData("[z-a]", "runs backwards")]
    public void What_is_not_understood_is_named(string pattern, string expected)
    {
        FormatException e = Assert.Throws<FormatException>(() => new CodeRegex(pattern));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_repeated_without_end_is_an_error_not_a_crash()
    {
        CodeRegex regex = new("(?:a|b)+c");
        byte[] text = Encoding.UTF8.GetBytes(new string('a', 2_000_000));
        Assert.Throws<InvalidOperationException>(() => regex.Find(text, 0, out _, out _));
        Assert.Throws<FormatException>(() => new CodeRegex(new string('(', 1_000_000)));
    }
}
