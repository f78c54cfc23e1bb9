using System.Diagnostics;
using TuneSharp.Tests;

namespace TuneSharp.Cli.Tests;

/// <summary>Runs <c>tune</c>, inside this process or as a program of its own.</summary>
internal static class Cli
{
    internal static CliResult Run(params string[] arguments) => Run(CancellationToken.None, arguments);

    internal static CliResult Run(CancellationToken stop, params string[] arguments)
    {
        StringWriter output = new();
        StringWriter error = new();
        int code = new CommandLine(new Terminal(output, error, false, false, () => 80)).Run(arguments, stop);
        return new(code, output.ToString(), error.ToString());
    }

    /// <summary>The real program, with some environment variables changed.</summary>
    internal static CliResult RunProgram(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "tune.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = Repo.Root,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new(process.ExitCode, output, error.Result);
    }
}

internal sealed record CliResult(int Code, string Out, string Error);

/// <summary>A folder of its own for one test, gone afterwards.</summary>
internal sealed class Folder : IDisposable
{
    internal string Path { get; } = Directory.CreateTempSubdirectory("tune-test-").FullName;

    internal string Write(string name, string text)
    {
        string path = System.IO.Path.Combine(Path, name);
        File.WriteAllText(path, text);
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
