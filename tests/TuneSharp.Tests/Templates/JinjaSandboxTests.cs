using System.Text.Json;
using TuneSharp.Templates;

namespace TuneSharp.Tests.Templates;

/// <summary>What a hostile or broken template may not do, and features that the golden files do not reach.</summary>
public sealed class JinjaSandboxTests
{
    [Theory]
    [InlineData("{{ 'a' * 1000000000 }}", "OverflowError")]
    [InlineData("{{ [0] * 1000000000 }}", "OverflowError")]
    [InlineData("{{ 10 ** (10 ** 9) }}", "OverflowError")]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "OverflowError")]
    [InlineData("{% set x = 'aaaaaaaaaaaaaaaa' * 1000000 %}{% for i in range(999) %}{{ x }}{% endfor %}", "OverflowError")]
    [InlineData("{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "RecursionError")]
    [InlineData("{{ [1].__class__.__base__ }}", "SecurityError")]
    [InlineData("{{ {}.update({'a': 1}) }}", "SecurityError")]
    [InlineData("{{ '{0.__class__.__mro__}'.format('x') }}", "SecurityError")]
    [InlineData("{% include 'x' %}", "TypeError")]
    [InlineData("{{ '%1000000000d' % 1 }}", "OverflowError")]
    public void A_template_stays_inside_its_bounds(string template, string kind) =>
        Assert.Equal(kind, Assert.Throws<TemplateException>(() => Render(template)).Kind);

    [Fact]
    public void Deep_nesting_ends_with_an_error_and_not_with_the_process()
    {
        Assert.Equal("RecursionError", Assert.Throws<TemplateException>(() => Render("{{ " + new string('(', 200_000) + "1" + new string(')', 200_000) + " }}")).Kind);
        Assert.Equal("RecursionError", Assert.Throws<TemplateException>(
            () => Render(string.Concat(Enumerable.Repeat("{% if 1 %}", 100_000)) + string.Concat(Enumerable.Repeat("{% endif %}", 100_000)))).Kind);
    }

    [Theory]
    [InlineData("{{ nope.x }}", "UndefinedError", "'nope' is undefined")]
    [InlineData("{{ [1][5].x }}", "UndefinedError", "list object has no element 5")]
    [InlineData("{{ none() }}", "TypeError", "'NoneType' object is not callable")]
    [InlineData("{{ 1 < 'a' }}", "TypeError", "'<' not supported between instances of 'int' and 'str'")]
    [InlineData("{{ [1, 'a'] | sort }}", "TypeError", "'<' not supported between instances of 'str' and 'int'")]
    [InlineData("{{ 1 in 2 }}", "TypeError", "argument of type 'int' is not a container or iterable")]
    [InlineData("{% for x in 3 %}{% endfor %}", "TypeError", "'int' object is not iterable")]
    [InlineData("{{ 1 / 0 }}", "ZeroDivisionError", "division by zero")]
    [InlineData("{% set a, b = [1] %}", "ValueError", "not enough values to unpack (expected 2, got 1)")]
    [InlineData("{{ 'a'.nope() }}", "UndefinedError", "'str object' has no attribute 'nope'")]
    [InlineData("{% macro f(a) %}{% endmacro %}{{ f(b=1) }}", "TypeError", "macro 'f' takes no keyword argument 'b'")]
    [InlineData("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "TypeError", "macro 'f' takes not more than 1 argument(s)")]
    [InlineData("{{ x | nope }}", "TemplateAssertionError", "No filter named 'nope'.")]
    [InlineData("{{ x is nope }}", "TemplateAssertionError", "No test named 'nope'.")]
    [InlineData("{% if true %}{{ 1 | nope }}{% endif %}", "TemplateRuntimeError", "No filter named 'nope' found.")]
    [InlineData("{% nope %}", "TemplateSyntaxError", "Encountered unknown tag 'nope'.")]
    [InlineData("{% for x in y %}", "TemplateSyntaxError",
        "Unexpected end of template. Jinja was looking for the following tags: 'endfor' or 'else'. The innermost block that needs to be closed is 'for'.")]
    [InlineData("{% for x in y %}{% endif %}{% endfor %}", "TemplateSyntaxError",
        "Encountered unknown tag 'endif'. Jinja was looking for the following tags: 'endfor' or 'else'. The innermost block that needs to be closed is 'for'.")]
    [InlineData("{% if x %}{% for y in z %}{% endif %}", "TemplateSyntaxError",
        "Encountered unknown tag 'endif'. You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for 'endfor' or 'else'. The innermost block that needs to be closed is 'for'.")]
    [InlineData("{{ 1 + }}", "TemplateSyntaxError", "unexpected 'end of print statement'")]
    [InlineData("{{ 'a }}", "TemplateSyntaxError", "unexpected char \"'\" at 3")]
    [InlineData("{{ (1 }}", "TemplateSyntaxError", "unexpected '}', expected ')'")]
    [InlineData("{{ }}", "TemplateSyntaxError", "Expected an expression, got 'end of print statement'")]
    [InlineData("{% set 1 = 2 %}", "TemplateSyntaxError", "can't assign to 'const'")]
    [InlineData("{# open", "TemplateSyntaxError", "Missing end of comment tag")]
    [InlineData("{% break %}", "TemplateSyntaxError", "'break' outside loop")]
    public void Errors_speak_as_Jinja2_does(string template, string kind, string message)
    {
        TemplateException e = Assert.Throws<TemplateException>(() => Render(template));
        Assert.Equal((kind, message), (e.Kind, e.Message));
    }

    [Theory]
    [InlineData("{{ 'a b c' | wordwrap(3) }}", "a b\nc")]
    [InlineData("{{ 'wonderful' | wordwrap(4) }}", "wond\nerfu\nl")]
    [InlineData("{{ '<b>a</b>  <!-- x --> &amp; c' | striptags }}", "a & c")]
    [InlineData("{{ {'a': 1, 'b': none, 'c': '\"'} | xmlattr }}", " a=\"1\" c=\"&#34;\"")]
    [InlineData("{{ {'a': 'x y', 'b': 2} | urlencode }}", "a=x+y&b=2")]
    [InlineData("{{ 1000 | filesizeformat }} {{ 1024 | filesizeformat(true) }} {{ 1 | filesizeformat }}", "1.0 kB 1.0 KiB 1 Byte")]
    [InlineData("{{ '<a>' | e | e }} {{ ('<' | safe) ~ '<' }}", "&lt;a&gt; <<")]
    [InlineData("{{ 'a' | attr('upper') is callable }}", "True")]
    [InlineData("{% block b %}x{% endblock b %}", "x")]
    [InlineData("{% print 1, 'a' %}", "1a")]
    [InlineData("{% set x %}a{{ 1 }}{% endset %}{{ x ~ x }}", "a1a1")]
    [InlineData("{{ dict([('a', 1)], b=2) }} {{ dict(**{'c': 3}) }}", "{'a': 1, 'b': 2} {'c': 3}")]
    [InlineData("{{ 'a.b.c'.rsplit('.', 1) }} {{ ' a b '.split(none, 1) }} {{ 'a b c'.rsplit(none, 1) }}", "['a.b', 'c'] ['a', 'b '] ['a b', 'c']")]
    [InlineData("{{ '{:,.2f}|{:>5}|{:^5}|{:05d}|{:x}|{:+}|{!r}'.format(1234.5, 'a', 'b', 42, 255, 3, 'q') }}", "1,234.50|    a|  b  |00042|ff|+3|'q'")]
    [InlineData("{{ 'abc'.center(6, '*') }} {{ 'ab'.center(5, '*') }}", "*abc** **ab*")]
    [InlineData("{{ 0.1 + 0.2 == 0.3 }} {{ 2.675 | round(2) }} {{ 1e16 }} {{ 123456789012345678 }}", "False 2.67 1e+16 123456789012345678")]
    [InlineData("{{ '%g %g %e %.3s %+d %#x' % (0.0001, 1e20, 12345.678, 'abcdef', 5, 255) }}", "0.0001 1e+20 1.234568e+04 abc +5 0xff")]
    [InlineData("{% for a, b in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}", "12")]
    [InlineData("{{ [3, 1, 2] | sort | first }}{{ 'B,a' .split(',') | sort | join }}", "1aB")]
    [InlineData("{{ [{'a': {'b': 2}}] | map(attribute='a.b') | list }}", "[2]")]
    public void Less_used_features(string template, string text) => Assert.Equal(text, Render(template));

    [Fact]
    public void Variables_are_Nets_values_or_JSON()
    {
        Dictionary<string, object?> variables = new(StringComparer.Ordinal)
        {
            ["a"] = 1, ["b"] = new List<object?> { "x", null, 2.5f }, ["c"] = new Dictionary<string, object?>(StringComparer.Ordinal) { ["k"] = true },
            ["d"] = JsonDocument.Parse("[1, 1.0, null]").RootElement,
        };
        Assert.Equal("1 ['x', None, 2.5] {'k': True} [1, 1.0, None]", JinjaTemplate.Parse("{{ a }} {{ b }} {{ c }} {{ d }}").Render(variables).Text);
        Assert.Throws<ArgumentException>(() => JinjaTemplate.Parse("{{ a }}").Render(new Dictionary<string, object?>(StringComparer.Ordinal) { ["a"] = new object() }));
    }

    private static string Render(string template) => JinjaTemplate.Parse(template).Render(JsonDocument.Parse("{}").RootElement).Text;
}
