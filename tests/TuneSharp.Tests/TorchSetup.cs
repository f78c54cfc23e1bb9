using System.Runtime.CompilerServices;
using TuneSharp.Backend;

[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)] // torch has one generator and one thread pool

namespace TuneSharp.Tests;

internal static class TorchSetup
{
    [ModuleInitializer]
    internal static void Load() => TorchBackend.EnsureLoaded();
}
