using TuneSharp.Kernels;

namespace TuneSharp.Tests.Kernels;

public sealed class KernelChoiceTests
{
    [Theory]
    [InlineData(null, true)]
    [InlineData("fused", true)]
    [InlineData("reference", false)]
    public void The_variable_switches_all_kernels(string? value, bool fused) => Assert.Equal(fused, KernelChoice.Read(value));

    [Fact]
    public void Another_value_is_an_error_that_names_both() =>
        Assert.Contains("is slow. Set it to fused or reference", Assert.Throws<ArgumentException>(() => KernelChoice.Read("slow")).Message, StringComparison.Ordinal);
}
