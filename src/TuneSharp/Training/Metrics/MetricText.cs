using System.Globalization;
using System.Text;
using System.Text.Json;

namespace TuneSharp.Training.Metrics;

/// <summary>The two spellings of one step's metrics: torchtune's text line and a JSON object.</summary>
internal static class MetricText
{
    /// <summary><c>Step 3 | loss:2.31 lr:0.0003 </c>, with the blank that torchtune writes at the end.</summary>
    public static string Line(long step, ReadOnlySpan<(string Name, double Value)> metrics)
    {
        StringBuilder line = new(string.Create(CultureInfo.InvariantCulture, $"Step {step} | "));
        foreach ((string name, double value) in metrics)
        {
            line.Append(name).Append(':').Append(Number(value)).Append(' ');
        }

        return line.ToString();
    }

    /// <summary>One object; a value that JSON cannot write (NaN, infinity) is null.</summary>
    public static string Json(long step, ReadOnlySpan<(string Name, double Value)> metrics)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes))
        {
            json.WriteStartObject();
            json.WriteNumber("step", step);
            foreach ((string name, double value) in metrics)
            {
                if (double.IsFinite(value))
                {
                    json.WriteNumber(name, value);
                }
                else
                {
                    json.WriteNull(name);
                }
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    /// <summary>A number as Python writes it, so that scripts for torchtune's logs read ours: 2.0, 3e-05, nan, inf.</summary>
    private static string Number(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        string text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        return text.Contains('.', StringComparison.Ordinal) || text.Contains('e', StringComparison.Ordinal) ? text : text + ".0";
    }
}
