using TuneSharp.Cli;

using StopSignal stop = new(Console.Error);
return new CommandLine(Terminal.OfThisProcess()).Run(args, stop.Token);
