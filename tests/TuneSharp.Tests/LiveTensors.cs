using static TorchSharp.torch;

namespace TuneSharp.Tests;

/// <summary>Counts tensor handles. What earlier tests forgot is finalised at any moment, so the count may fall by itself; a leak makes it rise.</summary>
internal static class LiveTensors
{
    internal static long Now => Tensor.TotalCount;

    internal static void DidNotGrow(long before) => Assert.InRange(Tensor.TotalCount, 0, before);
}
