using System.Runtime.CompilerServices;
using System.Text;

namespace TuneSharp.Templates;

/// <summary>
/// What a template may use up while it is rendered: a template is data from a stranger and must end, with a text or with an error,
/// before it holds up or fills the machine.
/// </summary>
internal static class Budget
{
    /// <summary>Nodes evaluated, items gone through, and one for each 64 characters made; some seconds' worth.</summary>
    internal const long MaxSteps = 20_000_000;

    /// <summary>Characters in any one text. A conversation of a million tokens has about four million.</summary>
    internal const int MaxChars = 32 << 20;

    /// <summary>Items in any one list that is made by an operator.</summary>
    internal const int MaxItems = 4 << 20;

    /// <summary>Macros and recursive loops inside each other; Python gives up at about as many.</summary>
    internal const int MaxDepth = 200;

    [ThreadStatic]
    private static long _left;

    [ThreadStatic]
    private static int _depth;

    public static void Begin()
    {
        _left = MaxSteps;
        _depth = 0;
    }

    public static void Step(long count = 1)
    {
        if ((_left -= count) < 0)
        {
            throw TemplateException.TooMuch($"The template takes more than {MaxSteps} steps. It is stopped, since it may never end.");
        }
    }

    /// <summary>Asks for a text of a length before it is made.</summary>
    public static void Text(long chars)
    {
        if (chars > MaxChars)
        {
            throw TemplateException.TooMuch($"The template makes a text of more than {MaxChars} characters. It is stopped, since it may fill the memory.");
        }

        Step(chars >> 6);
    }

    public static void Items(long count)
    {
        if (count > MaxItems)
        {
            throw TemplateException.TooMuch($"The template makes a list of more than {MaxItems} items. It is stopped, since it may fill the memory.");
        }

        Step(count);
    }

    public static void Write(StringBuilder builder, string text)
    {
        Text(builder.Length + (long)text.Length > MaxChars ? MaxChars + 1L : text.Length);
        builder.Append(text);
    }

    /// <summary>Goes one level deeper; always paired with <see cref="Leave"/>.</summary>
    public static void Enter()
    {
        if (++_depth > MaxDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new TemplateException("RecursionError", "maximum recursion depth exceeded");
        }
    }

    public static void Leave() => _depth--;

    public static void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new TemplateException("RecursionError", "maximum recursion depth exceeded");
        }
    }
}
