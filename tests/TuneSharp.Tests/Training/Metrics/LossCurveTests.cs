using SkiaSharp;
using TuneSharp.Tests.Checkpointing;
using TuneSharp.Training.Metrics;

namespace TuneSharp.Tests.Training.Metrics;

public sealed class LossCurveTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(600)]
    public void A_run_of_any_length_gives_a_picture(int steps)
    {
        WriteRun(steps);
        string path = LossCurve.Draw(_folder.Path, "lora_finetune_single_device")!;
        using SKBitmap picture = SKBitmap.Decode(path);
        Assert.Equal((1200, 675), (picture.Width, picture.Height));
        Assert.True(Count(picture, p => p.Blue > p.Red + 60) > 20); // the training line
        Assert.True(steps < 8 || Count(picture, p => p.Red > p.Blue + 90) > 200); // the validation line
    }

    [Fact]
    public void A_machine_without_fonts_gets_the_lines()
    {
        string path = Path.Combine(_folder.Path, "bare.png");
        LossCurve.Draw(path, "run", [(1, 3.0), (2, 2.0), (3, 1.5)], [], hasFonts: false);
        using SKBitmap picture = SKBitmap.Decode(path);
        Assert.True(Count(picture, p => p.Blue > p.Red + 60) > 200);
    }

    [Fact]
    public void Without_a_loss_or_a_folder_there_is_no_picture_and_no_error()
    {
        Assert.Null(LossCurve.Draw(_folder.Path, "run"));
        WriteRun(5);
        Directory.CreateDirectory(Path.Combine(_folder.Path, LossCurve.Name)); // cannot be written
        Assert.Null(LossCurve.Draw(_folder.Path, "run"));
    }

    [Fact]
    public void Smoothing_keeps_a_straight_line_and_quiets_noise()
    {
        double[] line = [.. Enumerable.Range(0, 200).Select(i => 5 - (0.01 * i))];
        Assert.All(LossCurve.Smooth(line).Zip(line), p => Assert.Equal(p.Second, p.First, 1e-9)); // no lag, ends included
        double[] noise = [.. Enumerable.Range(0, 200).Select(i => i % 2 == 0 ? 1.0 : -1.0)];
        Assert.All(LossCurve.Smooth(noise)[10..^10], value => Assert.True(Math.Abs(value) < 0.05));
    }

    public void Dispose() => _folder.Dispose();

    private static int Count(SKBitmap picture, Func<SKColor, bool> match) => picture.Pixels.Count(match);

    private void WriteRun(int steps)
    {
        using MetricsFile metrics = new(_folder.Path);
        Random random = new(1);
        for (int step = 1; step <= steps; step++)
        {
            double loss = 1.2 + (2.5 * Math.Exp(-step / 90.0)) + (0.25 * (random.NextDouble() - 0.5));
            if (step % Math.Max(1, steps / 8) == 0)
            {
                metrics.Log(step, ("loss", loss), ("val_loss", 1.35 + (2.4 * Math.Exp(-step / 95.0))));
            }
            else
            {
                metrics.Log(step, ("loss", loss));
            }
        }
    }
}
