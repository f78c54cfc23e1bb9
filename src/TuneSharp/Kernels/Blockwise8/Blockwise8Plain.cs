namespace TuneSharp.Kernels;

/// <summary>Steps of 8-bit optimizers by libtorch's operators, on any device: the twin that kernels are tested against.</summary>
/// <remarks>Works piece by piece: its temporaries stay small beside any weight.</remarks>
internal static class Blockwise8Plain
{
    private const long Piece = 1 << 22; // elements; a multiple of the block

    public static void Run(in Blockwise8Step s)
    {
        using IDisposable off = no_grad();
        (Tensor weight, Tensor gradient) = (s.Weight.view(-1), s.Gradient.reshape(-1));
        (Tensor codes1, Tensor? codes2) = (s.Codes1.view(-1), s.Codes2?.view(-1));
        for (long start = 0; start < weight.shape[0]; start += Piece)
        {
            using DisposeScope scope = NewDisposeScope();
            long count = Math.Min(Piece, weight.shape[0] - start);
            long blocks = Quantization.Ceil(count, Blockwise8Step.Block);
            Tensor p = weight.narrow(0, start, count);
            Tensor g = gradient.narrow(0, start, count).to(ScalarType.Float32);
            Tensor finite = g.isfinite();
            Tensor w = p.to(ScalarType.Float32);
            State first = new(codes1.narrow(0, start, count), s.Absmax1?.narrow(0, start / Blockwise8Step.Block, blocks), CodeBook.Dynamic);
            State? second = codes2 is null
                ? null : new(codes2.narrow(0, start, count), s.Absmax2?.narrow(0, start / Blockwise8Step.Block, blocks), CodeBook.DynamicUnsigned);
            Tensor moved = Update(s, w, g, first, second, finite, p.dtype);
            p.copy_(where(finite, moved, w));
        }
    }

    /// <summary>Updates the states and gives the moved weight.</summary>
    private static Tensor Update(in Blockwise8Step s, Tensor w, Tensor g, State first, State? second, Tensor finite, ScalarType dtype)
    {
        Tensor Kept(Tensor t) => where(finite, t, zeros_like(t));
        if (s.Rule != Rule8.Lion && s.Rule != Rule8.Adam && s.WeightDecay > 0)
        {
            g = g + (w * s.WeightDecay);
        }

        Tensor before = first.Read();
        switch (s.Rule)
        {
            case Rule8.Adam:
                Tensor m = Kept((before * s.Beta1) + (g * (1 - s.Beta1)));
                Tensor v = Kept((second!.Read() * s.Beta2) + (g * g * (1 - s.Beta2)));
                first.Write(m, signed: true);
                second.Write(v, signed: false);
                Tensor stepped = (w - (m / (v.sqrt() + (s.Correction2 * s.Eps)) * s.StepSize)).to(dtype).to(ScalarType.Float32);
                return s.WeightDecay > 0 ? stepped * (1 - (s.Lr * s.WeightDecay)) : stepped;
            case Rule8.Momentum:
                Tensor buffer = Kept(s.Count == 1 ? g : (before * s.Beta1) + g);
                first.Write(buffer, signed: true);
                return w - (buffer * s.Lr);
            case Rule8.Lion:
                Tensor turn = (before * s.Beta1) + (g * (1 - s.Beta1));
                first.Write(Kept((before * s.Beta2) + (g * (1 - s.Beta2))), signed: true);
                Tensor decayed = s.WeightDecay > 0 ? (w * (1 - (s.Lr * s.WeightDecay))).to(dtype).to(ScalarType.Float32) : w;
                return decayed - (turn.sign() * s.Lr);
            default:
                Tensor square = Kept(s.Rule == Rule8.RmsProp ? (before * s.Beta1) + (g * g * (1 - s.Beta1)) : before + (g * g));
                first.Write(square, signed: true);
                return w - (g / (square.sqrt() + s.Eps) * s.Lr);
        }
    }

    /// <summary>A piece of a state.</summary>
    private sealed record State(Tensor Codes, Tensor? Absmax, CodeBook Book)
    {
        public Tensor Read()
        {
            if (Absmax is null)
            {
                return Codes.clone();
            }

            Tensor numbers = empty(Codes.shape, ScalarType.Float32, Codes.device);
            BlockwisePlain.Decode(Codes, Absmax, Book, Blockwise8Step.Block, numbers);
            return numbers;
        }

        public void Write(Tensor numbers, bool signed)
        {
            if (Absmax is null)
            {
                Codes.copy_(numbers);
                return;
            }

            BlockwisePlain.Encode(numbers, Book, Blockwise8Step.Block, Codes, Absmax);
            if (!signed)
            {
                return;
            }

            Tensor values = Book.On(Codes.device).Values.index_select(0, Codes.to(ScalarType.Int32));
            Tensor wrong = values.signbit().ne(numbers.signbit());
            Tensor fixedCodes = where(numbers > 0, Codes.to(ScalarType.Int32) + 1, Codes.to(ScalarType.Int32) - 1).bitwise_and(255).to(ScalarType.Byte);
            Codes.copy_(where(wrong, fixedCodes, Codes));
        }
    }
}
