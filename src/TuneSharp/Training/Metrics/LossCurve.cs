using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace TuneSharp.Training.Metrics;

/// <summary>Draws a run's loss from its <see cref="MetricsFile"/>: each step, the smoothed course, and the validation loss.</summary>
public static class LossCurve
{
    /// <summary>Name of the picture in the run's folder.</summary>
    public const string Name = "loss.png";

    private const int Width = 1200, Height = 675;

    private static readonly string[] SansSerif =
        ["Segoe UI", "Helvetica Neue", "Noto Sans", "Open Sans", "Liberation Sans", "Arial", "DejaVu Sans"];

    private static readonly Color Ink = Color.FromHex("#24292f"), Faint = Color.FromHex("#e6e9ed");
    private static readonly Color Train = Color.FromHex("#3b6fb6"), Validation = Color.FromHex("#d9682b");

    /// <summary>Draws it.</summary>
    /// <param name="outputDir">The run's folder, with metrics <c>loss</c> and, if there is one, <c>val_loss</c>.</param>
    /// <param name="title">What stands above, as the run's name.</param>
    /// <returns>The picture's path, or null when there is no loss to draw or no picture can be made here; a run never fails for it.</returns>
    public static string? Draw(string outputDir, string title)
    {
        IReadOnlyList<(long Step, double Value)> loss = MetricsFile.Read(outputDir, "loss");
        if (loss.Count == 0)
        {
            return null;
        }

        string path = Path.Combine(outputDir, Name);
        try
        {
            Draw(path, title, loss, MetricsFile.Read(outputDir, "val_loss"), SKFontManager.Default.FontFamilyCount > 0);
            return path;
        }
        catch (Exception)
        {
            // Skia is native code that may not load here, and the disk may be full: the numbers are in the log all the same.
            return null;
        }
    }

    internal static void Draw(
        string path, string title, IReadOnlyList<(long Step, double Value)> loss, IReadOnlyList<(long Step, double Value)> validation, bool hasFonts)
    {
        using Plot plot = new();
        bool isLong = loss.Count > 20;
        double[] steps = [.. loss.Select(p => (double)p.Step)], values = [.. loss.Select(p => p.Value)];
        Line(plot, steps, values, isLong ? Train.WithAlpha(0.30) : Train, isLong ? 1.2f : 2.5f, isLong ? "each step" : "training loss");
        if (isLong)
        {
            Line(plot, steps, Smooth(values), Train, 3, "training loss, smoothed");
        }

        if (validation.Count > 0)
        {
            ScottPlot.Plottables.Scatter line = Line(
                plot, [.. validation.Select(p => (double)p.Step)], [.. validation.Select(p => p.Value)], Validation, 3, "validation loss");
            line.MarkerSize = 9;
        }

        Style(plot, hasFonts, title, loss, validation);
        plot.Axes.Margins(0.02, 0.08);
        plot.SavePng(path, Width, Height);
    }

    /// <summary>A straight line fitted at each step under a bell of about a twentieth of the run.</summary>
    /// <remarks>A plain mean would lag behind a falling loss, or at the ends follow the noise of the last steps.</remarks>
    internal static double[] Smooth(double[] values)
    {
        double sigma = Math.Max(1, values.Length / 60.0);
        int reach = (int)Math.Ceiling(3 * sigma);
        double[] smooth = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            double w = 0, wx = 0, wxx = 0, wy = 0, wxy = 0;
            for (int k = Math.Max(0, i - reach); k <= Math.Min(values.Length - 1, i + reach); k++)
            {
                double x = (k - i) / sigma, bell = Math.Exp(-x * x / 2);
                w += bell;
                wx += bell * x;
                wxx += bell * x * x;
                wy += bell * values[k];
                wxy += bell * x * values[k];
            }

            double spread = (w * wxx) - (wx * wx);
            smooth[i] = spread < 1e-12 ? wy / w : ((wy * wxx) - (wxy * wx)) / spread;
        }

        return smooth;
    }

    private static ScottPlot.Plottables.Scatter Line(Plot plot, double[] x, double[] y, Color color, float width, string legend)
    {
        ScottPlot.Plottables.Scatter line = plot.Add.Scatter(x, y, color);
        line.LineWidth = width;
        line.MarkerSize = x.Length == 1 ? 9 : 0;
        line.LegendText = legend;
        return line;
    }

    private static void Style(
        Plot plot, bool hasFonts, string title, IReadOnlyList<(long Step, double Value)> loss, IReadOnlyList<(long Step, double Value)> validation)
    {
        plot.FigureBackground.Color = Colors.White;
        plot.Grid.MajorLineColor = Faint;
        plot.Axes.Color(Ink);
        plot.Axes.Right.IsVisible = plot.Axes.Top.IsVisible = false;
        plot.Layout.Fixed(new PixelPadding(left: 90, right: 40, bottom: 75, top: 60));
        if (!hasFonts)
        {
            return; // Skia then draws no letters; the lines and the grid remain
        }

        if (SansSerif.FirstOrDefault(SKFontManager.Default.FontFamilies.Contains) is { } font)
        {
            plot.Font.Set(font);
        }

        double[] course = Smooth([.. loss.Select(p => p.Value)]); // a single last step may be a lucky one
        string last = string.Create(CultureInfo.InvariantCulture, $"loss {course[0]:F3} to {course[^1]:F3}");
        string best = validation.Count == 0
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $",  validation {validation[^1].Value:F3}");
        plot.Title($"{title}:  {last}{best}", size: 20);
        plot.XLabel("step", size: 17);
        plot.YLabel("loss per token", size: 17);
        plot.Axes.Bottom.TickLabelStyle.FontSize = plot.Axes.Left.TickLabelStyle.FontSize = 15;
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true, LabelFormatter = Tick, TickDensity = 0.5 };
        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { LabelFormatter = Tick, TickDensity = 0.6 };
        Legend legend = plot.ShowLegend(Alignment.UpperRight);
        legend.FontSize = 15;
        legend.OutlineColor = Faint;
        legend.ShadowColor = Colors.Transparent;
    }

    private static string Tick(double value) => Math.Abs(value) >= 10_000
        ? value.ToString("#,0", CultureInfo.InvariantCulture)
        : value.ToString("0.######", CultureInfo.InvariantCulture);
}
