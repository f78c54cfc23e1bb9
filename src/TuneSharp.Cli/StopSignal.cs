using System.Runtime.InteropServices;

namespace TuneSharp.Cli;

/// <summary>Ctrl-C (and a polite kill): the first asks the recipe to stop after its step, the second ends the process.</summary>
internal sealed class StopSignal : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    public StopSignal(TextWriter error)
    {
        void Handle(PosixSignalContext context)
        {
            if (_source.IsCancellationRequested)
            {
                return; // the system's own answer: the process ends
            }

            context.Cancel = true;
            error.WriteLine("\nStopping cleanly after this step. Press Ctrl-C again to end at once.");
            _source.Cancel();
        }

        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
        ];
    }

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _source.Dispose();
    }
}
