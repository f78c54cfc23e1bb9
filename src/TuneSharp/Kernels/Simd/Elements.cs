using System.Runtime.CompilerServices;

namespace TuneSharp.Kernels;

/// <summary>How numbers lie in memory.</summary>
internal unsafe interface IElement
{
    /// <summary>Bytes.</summary>
    static abstract int Size { get; }

    /// <summary>Reads a register full, starting at element <paramref name="index"/>.</summary>
    static abstract TVector Load<TLanes, TVector>(byte* data, nint index)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct;

    static abstract void Store<TLanes, TVector>(byte* data, nint index, TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct;

    /// <summary>Reads one.</summary>
    static abstract float Get(byte* data, nint index);

    static abstract void Set(byte* data, nint index, float x);
}

internal readonly unsafe struct Fp32 : IElement
{
    public static int Size => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TLanes, TVector>(byte* data, nint index)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.Load((float*)data + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TLanes, TVector>(byte* data, nint index, TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.Store((float*)data + index, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Get(byte* data, nint index) => ((float*)data)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* data, nint index, float x) => ((float*)data)[index] = x;
}

internal readonly unsafe struct Bf16 : IElement
{
    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TLanes, TVector>(byte* data, nint index)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.LoadBf16((ushort*)data + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TLanes, TVector>(byte* data, nint index, TVector x)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct => TLanes.StoreBf16((ushort*)data + index, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Get(byte* data, nint index) =>
        BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[index] << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* data, nint index, float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        ((ushort*)data)[index] = float.IsNaN(x) ? (ushort)0x7fc0 : (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
