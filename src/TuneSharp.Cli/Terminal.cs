namespace TuneSharp.Cli;

/// <summary>Where the program writes: the real console, or a test's writers.</summary>
/// <param name="Out">Results.</param>
/// <param name="Error">Warnings and failures.</param>
/// <param name="IsOutTerminal">Somebody watches <paramref name="Out"/>.</param>
/// <param name="IsErrorTerminal">Somebody watches <paramref name="Error"/>; only then colours are used.</param>
/// <param name="Width">Columns at the moment.</param>
internal sealed record Terminal(TextWriter Out, TextWriter Error, bool IsOutTerminal, bool IsErrorTerminal, Func<int> Width)
{
    /// <summary>Opens what is piped or typed in; JSON lines are UTF-8 whatever the locale says.</summary>
    public Func<TextReader> OpenIn { get; init; } = () => new StreamReader(Console.OpenStandardInput(), new System.Text.UTF8Encoding(false));

    /// <summary>Results may be coloured.</summary>
    public bool HasColours { get; init; }

    public static Terminal OfThisProcess()
    {
        bool wantsColour = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        return new(Console.Out, Console.Error, !Console.IsOutputRedirected, !Console.IsErrorRedirected && wantsColour, WindowWidth)
        {
            HasColours = !Console.IsOutputRedirected && wantsColour,
        };
    }

    public void Warn(string text) => Error.WriteLine(Paint("warning:", 33) + " " + text);

    public void Fail(string text) => Error.WriteLine(Paint("error:", 31) + " " + text);

    private string Paint(string word, int colour) =>
        IsErrorTerminal ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"\e[1;{colour}m{word}\e[0m") : word;

    private static int WindowWidth()
    {
        try
        {
            return Console.WindowWidth;
        }
        catch (IOException)
        {
            return 0; // no window
        }
    }
}
