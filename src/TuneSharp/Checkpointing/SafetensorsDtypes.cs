namespace TuneSharp.Checkpointing;

/// <summary>The element types of the safetensors format, in the format's own order (its writer puts the widest first).</summary>
internal static class SafetensorsDtypes
{
    /// <summary>One element type.</summary>
    /// <param name="Name">Name in the header.</param>
    /// <param name="Bits">Bits per element.</param>
    /// <param name="Type">TorchSharp's type, or null when it has none.</param>
    internal sealed record Entry(string Name, int Bits, ScalarType? Type);

    // safetensors/src/tensor.rs, enum Dtype: "ordered by increasing alignment".
    private static readonly Entry[] All =
    [
        new("BOOL", 8, ScalarType.Bool),
        new("F4", 4, null),
        new("F6_E2M3", 6, null),
        new("F6_E3M2", 6, null),
        new("U8", 8, ScalarType.Byte),
        new("I8", 8, ScalarType.Int8),
        new("F8_E5M2", 8, null),
        new("F8_E4M3", 8, null),
        new("F8_E8M0", 8, null),
        new("F8_E4M3FNUZ", 8, null),
        new("F8_E5M2FNUZ", 8, null),
        new("I16", 16, ScalarType.Int16),
        new("U16", 16, null),
        new("F16", 16, ScalarType.Float16),
        new("BF16", 16, ScalarType.BFloat16),
        new("I32", 32, ScalarType.Int32),
        new("U32", 32, null),
        new("F32", 32, ScalarType.Float32),
        new("C64", 64, ScalarType.ComplexFloat32),
        new("F64", 64, ScalarType.Float64),
        new("I64", 64, ScalarType.Int64),
        new("U64", 64, null),
    ];

    private static readonly Dictionary<string, Entry> ByName = All.ToDictionary(e => e.Name, StringComparer.Ordinal);
    private static readonly Dictionary<ScalarType, int> Order =
        All.Select((e, i) => (e, i)).Where(p => p.e.Type is not null).ToDictionary(p => p.e.Type!.Value, p => p.i);

    /// <summary>All names, for messages.</summary>
    internal static string Names => string.Join(", ", All.Where(e => e.Type is not null).Select(e => e.Name));

    internal static Entry? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>The format's entry of a TorchSharp type; null when the format has none.</summary>
    internal static Entry? Find(ScalarType type) => Order.TryGetValue(type, out int i) ? All[i] : null;

    /// <summary>The place of a type in the format's order; the writer sorts by it, widest first.</summary>
    internal static int Rank(ScalarType type) => Order[type];

    /// <summary>Bytes per element of a type that the format has.</summary>
    internal static int Size(ScalarType type) => All[Order[type]].Bits / 8;
}
