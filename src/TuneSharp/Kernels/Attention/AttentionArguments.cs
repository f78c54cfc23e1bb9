using System.Runtime.InteropServices;

namespace TuneSharp.Kernels;

/// <summary>What the attention kernels read and write. Letters: M tokens of all rows, N query heads, K key heads, H head width.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AttentionArguments
{
    public byte* Q;             // [M, N, H], before the rotation
    public byte* K;             // [M, K, H], before the rotation
    public byte* V;             // [M, K, H]
    public byte* Out;           // [M, N, H]
    public float* LogSum;       // [M, N], base-2 logarithm of each row's sum of 2^score
    public float* Angles;       // [T or M, H/2, 2], cosine and sine; null for no rotation
    public byte* OutGradient;   // [M, N, H]; the rest only backward
    public byte* QGradient;
    public byte* KGradient;
    public byte* VGradient;
    public long* Segments;      // first token of each sample, and the end: samples see only themselves
    public long AngleRows;      // T, or M when every token has its own
    public int NumSegments, NumHeads, NumKvHeads, HeadDim;
    public float Scale;         // on the scores

    public readonly int Group => NumHeads / NumKvHeads;

    public readonly long LongestSegment
    {
        get
        {
            long longest = 0;
            for (int i = 0; i < NumSegments; i++)
            {
                longest = Math.Max(longest, Segments[i + 1] - Segments[i]);
            }

            return longest;
        }
    }

    /// <summary>The sample and key head of a task.</summary>
    public readonly (long Start, int Length, int Head) Task(long task)
    {
        (long segment, long head) = (task / NumKvHeads, task % NumKvHeads);
        return (Segments[segment], (int)(Segments[segment + 1] - Segments[segment]), (int)head);
    }

    /// <summary>A token's cosines and sines.</summary>
    public readonly float* AnglesOf(long token) => Angles == null ? null : Angles + (token % AngleRows * HeadDim);
}
