using System.Globalization;

namespace TuneSharp.Data;

/// <summary>Values of columnar files in the few types that a <see cref="Row"/> has, so that a value is the same whatever file it came from.</summary>
internal static class Scalars
{
    /// <summary>Whole numbers are <see cref="long"/>, others <see cref="double"/>; times and what else there is become ISO text.</summary>
    public static object? Plain(object? value) => value switch
    {
        null or string or bool or long or double => value,
        Half half => (double)half,
        float or decimal => Convert.ToDouble(value, CultureInfo.InvariantCulture),
        ulong big => big <= long.MaxValue ? (long)big : (object)(double)big,
        sbyte or byte or short or ushort or int or uint => Convert.ToInt64(value, CultureInfo.InvariantCulture),
        DateTime { TimeOfDay.Ticks: 0 } date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        DateTime time => time.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture),
        DateTimeOffset time => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture),
        DateOnly date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };
}
