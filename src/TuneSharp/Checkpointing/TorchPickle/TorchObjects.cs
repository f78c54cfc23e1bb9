namespace TuneSharp.Checkpointing;

/// <summary>A storage that a pickle refers to: bytes in an entry of the archive.</summary>
/// <param name="Key">The entry's name under <c>data/</c>.</param>
/// <param name="Dtype">Element type.</param>
/// <param name="Count">Elements.</param>
internal sealed record TorchStorage(string Key, ScalarType Dtype, long Count);

/// <summary>A tensor as a pickle describes it; not checked against its storage yet.</summary>
internal sealed record TorchTensor(TorchStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>A name that a pickle may call or mention. There is no other way to make anything but plain data.</summary>
internal sealed record TorchGlobal(string Name, Func<object?[], object?>? Call, ScalarType? StorageType)
{
    private static readonly Dictionary<string, TorchGlobal> Allowed = Build();

    /// <summary>The allowed names, for messages.</summary>
    internal static TorchGlobal? Find(string name) => Allowed.GetValueOrDefault(name);

    private static Dictionary<string, TorchGlobal> Build()
    {
        Dictionary<string, TorchGlobal> all = new(StringComparer.Ordinal);
        void Add(string name, Func<object?[], object?>? call, ScalarType? storage = null) => all[name] = new TorchGlobal(name, call, storage);

        Add("torch._utils._rebuild_tensor_v2", RebuildTensor);
        Add("torch._utils._rebuild_tensor", RebuildTensor);
        Add("torch._utils._rebuild_parameter", a => a is [TorchTensor t, ..] ? t : throw new FormatException("_rebuild_parameter of something that is no tensor"));
        Add("collections.OrderedDict", OrderedDict);
        Add("torch.Size", a => a is [object?[] sizes] ? sizes : a is [List<object?> list] ? list.ToArray() : throw new FormatException("a torch.Size of no tuple"));
        Add("torch.device", a => string.Join(':', a));
        foreach ((string name, ScalarType type) in (ReadOnlySpan<(string, ScalarType)>)[
            ("FloatStorage", ScalarType.Float32), ("HalfStorage", ScalarType.Float16), ("BFloat16Storage", ScalarType.BFloat16),
            ("DoubleStorage", ScalarType.Float64), ("ByteStorage", ScalarType.Byte), ("CharStorage", ScalarType.Int8),
            ("ShortStorage", ScalarType.Int16), ("IntStorage", ScalarType.Int32), ("LongStorage", ScalarType.Int64),
            ("BoolStorage", ScalarType.Bool), ("ComplexFloatStorage", ScalarType.ComplexFloat32)])
        {
            Add("torch." + name, null, type);
        }

        foreach (string dtype in (string[])["float32", "float16", "bfloat16", "float64", "uint8", "int8", "int16", "int32", "int64", "bool", "complex64",
            "float", "half", "double", "int", "long", "short"])
        {
            Add("torch." + dtype, null);
        }

        return all;
    }

    private static TorchTensor RebuildTensor(object?[] a) => a is [TorchStorage storage, long offset, object?[] size, object?[] stride, ..]
        ? new TorchTensor(storage, offset, Longs(size), Longs(stride))
        : throw new FormatException("_rebuild_tensor_v2 with other arguments than storage, offset, size, stride");

    private static Dictionary<object, object?> OrderedDict(object?[] a)
    {
        Dictionary<object, object?> dict = [];
        if (a is [])
        {
            return dict;
        }

        foreach (object? pair in a is [List<object?> pairs] ? pairs : throw new FormatException("an OrderedDict of no list"))
        {
            (object? key, object? value) = pair is object?[] { Length: 2 } t ? (t[0], t[1]) : pair is List<object?> { Count: 2 } l ? (l[0], l[1])
                : throw new FormatException("an OrderedDict of something that is no pair");
            dict[RestrictedUnpickler.Key(key)] = value;
        }

        return dict;
    }

    private static long[] Longs(object?[] values) =>
        Array.ConvertAll(values, v => v is long l ? l : throw new FormatException("a size or stride that is no whole number"));
}
