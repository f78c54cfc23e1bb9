using FsCheck.Xunit;
using TuneSharp.Config;

namespace TuneSharp.Tests.Config;

public class NearestNameTests
{
    [Theory]
    [InlineData("lora_rnk", "lora_rank")]
    [InlineData("lora-rank", "lora_rank")]
    [InlineData("BATCH_SIZE", "batch_size")]
    [InlineData("bacth_size", "batch_size")]
    [InlineData("zebra", null)]
    [InlineData("x", null)]
    public void The_probable_name_is_found_and_nothing_far_off(string word, string? name) =>
        Assert.Equal(name, NearestName.Find(word, ["lora_rank", "lora_alpha", "batch_size", "epochs"]));

    [Property]
    public bool The_distance_is_symmetric_and_zero_only_for_equals(string? a, string? b) =>
        NearestName.Distance(a ?? "", b ?? "") == NearestName.Distance(b ?? "", a ?? "")
        && NearestName.Distance(a ?? "", b ?? "") == 0 == ((a ?? "") == (b ?? ""));
}
