namespace TuneSharp.Kernels;

/// <summary>Blockwise quantisation by libtorch's operators, on any device: the twin that kernels are tested against.</summary>
/// <remarks>Works piece by piece: its temporaries stay small beside any weight.</remarks>
internal static class BlockwisePlain
{
    private const long Piece = 1 << 22; // elements; a multiple of every block size

    /// <summary>Quantises; see <see cref="BlockwiseCpu.Encode"/>. Any floating-point dtype.</summary>
    public static void Encode(Tensor x, CodeBook book, int block, Tensor codes, Tensor absmax)
    {
        using IDisposable off = no_grad();
        bool half = book.Values.Length == 16;
        (Tensor flat, long count) = (x.reshape(-1), x.numel());
        (_, Tensor thresholds, Tensor codeOfRank) = book.On(x.device);
        for (long start = 0; start < count; start += Piece)
        {
            using DisposeScope scope = NewDisposeScope();
            long n = Math.Min(Piece, count - start);
            long blocks = Quantization.Ceil(n, block);
            Tensor part = flat.narrow(0, start, n).to(ScalarType.Float32);
            if (blocks * block != n)
            {
                part = cat([part, zeros([(blocks * block) - n], ScalarType.Float32, x.device)]);
            }

            part = part.reshape(blocks, block);
            Tensor top = part.abs().amax([1], keepdim: true);
            absmax.narrow(0, start / block, blocks).copy_(top.squeeze(1));
            Tensor scaled = part * FastReciprocal.Of(top);
            // A block of zeros gives 0·∞; its code is 0, as in bitsandbytes.
            Tensor code = codeOfRank.index_select(0, bucketize(scaled, thresholds).clamp_max_(codeOfRank.shape[0] - 1).reshape(-1))
                .to(ScalarType.Byte).masked_fill_(scaled.isnan().reshape(-1), 0);
            if (half)
            {
                long bytes = Quantization.Ceil(n, 2);
                Tensor pairs = code.reshape(-1, 2).narrow(0, 0, bytes);
                codes.reshape(-1).narrow(0, start / 2, bytes).copy_(pairs.select(1, 0).mul(16).add_(pairs.select(1, 1)));
            }
            else
            {
                codes.reshape(-1).narrow(0, start, n).copy_(code.narrow(0, 0, n));
            }
        }
    }

    /// <summary>Gives numbers back; see <see cref="BlockwiseCpu.Decode"/>. Any floating-point dtype.</summary>
    public static void Decode(Tensor codes, Tensor absmax, CodeBook book, int block, Tensor y)
    {
        using IDisposable off = no_grad();
        bool half = book.Values.Length == 16;
        (Tensor flat, Tensor packed, long count) = (y.view(-1), codes.reshape(-1), y.numel());
        Tensor values = book.On(y.device).Values;
        for (long start = 0; start < count; start += Piece)
        {
            using DisposeScope scope = NewDisposeScope();
            long n = Math.Min(Piece, count - start);
            long blocks = Quantization.Ceil(n, block);
            Tensor index;
            if (half)
            {
                Tensor bytes = packed.narrow(0, start / 2, Quantization.Ceil(n, 2)).to(ScalarType.Int32);
                index = stack([bytes.div(16, RoundingMode.floor).to(ScalarType.Int32), bytes.remainder(16)], -1).reshape(-1).narrow(0, 0, n);
            }
            else
            {
                index = packed.narrow(0, start, n).to(ScalarType.Int32);
            }

            Tensor number = values.index_select(0, index);
            Tensor scale = absmax.narrow(0, start / block, blocks);
            if (blocks * block == n)
            {
                number = (number.reshape(blocks, block) * scale.unsqueeze(1)).reshape(-1);
            }
            else
            {
                number = number * scale.unsqueeze(1).expand(-1, block).reshape(-1).narrow(0, 0, n);
            }

            flat.narrow(0, start, n).copy_(number);
        }
    }
}
