using TuneSharp.Kernels;

namespace TuneSharp.Checkpointing;

/// <summary>Turns weights that are about to be written into bitsandbytes' parts.</summary>
internal static class BnbWriter
{
    /// <summary>The parts of a weight that is quantised already.</summary>
    /// <param name="name">Its name in the file.</param>
    /// <param name="weight">The weight; not copied.</param>
    public static LazyTensors Parts(string name, QuantizedTensor weight)
    {
        List<TensorInfo> infos = [];
        Dictionary<string, Func<Tensor>> parts = new(StringComparer.Ordinal);
        foreach ((string part, Func<Tensor> read, TensorInfo info) in BnbLayout.Tensors(name, weight))
        {
            infos.Add(info);
            parts[part] = read;
        }

        return new LazyTensors(infos, part => parts[part]());
    }

    /// <summary>Quantises some weights while they are written: each is read twice, and only its scales are kept between.</summary>
    /// <param name="weights">By their names in the file.</param>
    /// <param name="chosen">Which are quantised.</param>
    /// <param name="format">How.</param>
    public static LazyTensors Quantize(LazyTensors weights, Func<TensorInfo, bool> chosen, Quantization format)
    {
        List<TensorInfo> infos = [];
        Dictionary<string, Func<Tensor>> parts = new(StringComparer.Ordinal);
        foreach (TensorInfo info in weights.Infos)
        {
            if (!chosen(info))
            {
                infos.Add(info);
                parts[info.Name] = () => weights.Read(info.Name);
                continue;
            }

            QuantizedTensor Make()
            {
                using DisposeScope scope = NewDisposeScope();
                return QuantizedTensor.Quantize(weights.Read(info.Name).to(info.Dtype), format);
            }

            using QuantizedTensor once = Make();
            foreach ((string part, Func<Tensor> read, TensorInfo partInfo) in BnbLayout.Tensors(info.Name, once))
            {
                infos.Add(partInfo);
                if (part == info.Name)
                {
                    parts[part] = () =>
                    {
                        using QuantizedTensor again = Make();
                        return again.Codes.clone();
                    };
                    continue;
                }

                Tensor kept = read().cpu().clone().DetachFromDisposeScope();
                parts[part] = () => kept.alias();
            }
        }

        return new LazyTensors(infos, name => parts[name]());
    }
}
