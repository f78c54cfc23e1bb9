using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace TuneSharp.Training;

/// <summary>The run's one source of randomness: torch's generators are set from it, and every other generator derives from it.</summary>
public static class Seed
{
    private static int? _current;

    /// <summary>The effective seed of the run.</summary>
    /// <exception cref="InvalidOperationException">None was set.</exception>
    public static int Current => _current ?? throw new InvalidOperationException("No seed is set. Call Seed.Set first.");

    /// <summary>Seeds torch on the CPU and on every GPU.</summary>
    /// <param name="seed">The config's <c>seed</c>; null draws one.</param>
    /// <param name="rank">Added to the seed, so that ranks draw different dropout masks.</param>
    /// <returns>The effective seed: log it and keep it with the checkpoint, for a drawn one cannot be guessed later.</returns>
    public static int Set(int? seed, int rank)
    {
        int effective = unchecked((seed ?? RandomNumberGenerator.GetInt32(int.MaxValue)) + rank);
        _current = effective;
        SeedTorch(effective);
        return effective;
    }

    /// <summary>Seeds torch for one optimizer step, so that a resumed run draws the dropout masks that it would have drawn.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="step">Steps done before this one.</param>
    public static void ForStep(int seed, long step) => SeedTorch(Derive(seed, FormattableString.Invariant($"step {step}")));

    /// <summary>A seed for another generator: always the same for the same run seed and name.</summary>
    /// <param name="name">What it is for, as in <c>sampler</c>.</param>
    public static int Derive(string name) => Derive(Current, name);

    /// <summary>A seed from a seed and a name.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="name">What it is for.</param>
    /// <returns>At least 0.</returns>
    public static int Derive(int seed, string name)
    {
        byte[] text = new byte[4 + Encoding.UTF8.GetByteCount(name)];
        BinaryPrimitives.WriteInt32LittleEndian(text, seed);
        Encoding.UTF8.GetBytes(name, text.AsSpan(4));
        return BinaryPrimitives.ReadInt32LittleEndian(SHA256.HashData(text)) & int.MaxValue;
    }

    private static void SeedTorch(int seed)
    {
        manual_seed(seed);
        if (cuda.is_available())
        {
            cuda.manual_seed_all(seed);
        }
    }
}
