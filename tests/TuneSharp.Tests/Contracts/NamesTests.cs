using System.Reflection;
using TuneSharp.Config;
using TuneSharp.Modules;

namespace TuneSharp.Tests.Contracts;

/// <summary>Names on the wire are torchtune's, and C# names follow from them by rule.</summary>
public sealed class NamesTests
{
    private static readonly (string Name, MemberInfo Member)[] Components = [.. Find()];

    [Theory]
    [InlineData("lora_llama2_7b", "LoraLlama2_7B")]
    [InlineData("qwen2_5_0_5b", "Qwen2_5_0_5B")]
    [InlineData("qwen2_5_14b_base", "Qwen2_5_14B_Base")]
    [InlineData("phi3_mini", "Phi3Mini")]
    [InlineData("llama2_reward_7b", "Llama2Reward7B")]
    [InlineData("llama4_scout_17b_16e", "Llama4Scout17B_16E")]
    [InlineData("get_cosine_schedule_with_warmup", "GetCosineScheduleWithWarmup")]
    [InlineData("AdamW", "AdamW")]
    public void The_rule_gives(string wire, string csharp) => Assert.Equal(csharp, Image(wire));

    [Fact]
    public void Every_component_has_the_name_that_the_rule_gives()
    {
        Assert.True(Components.Length > 90);
        Assert.Empty(
            from c in Components
            let wanted = Image(c.Name[(c.Name.LastIndexOf('.') + 1)..])
            where c.Member.Name != wanted
            select $"{c.Name}: {c.Member.DeclaringType?.Name}.{c.Member.Name}, by the rule {wanted}");
    }

    [Fact]
    public void Every_component_name_is_unique_and_registered() =>
        Assert.Equal(Components.Select(c => c.Name).Order(StringComparer.Ordinal), Own(ComponentRegistry.Names));

    [Fact]
    public void Builders_stand_in_the_class_and_file_of_their_family() =>
        Assert.Empty(
            from c in Components
            where c.Member is MethodInfo m && m.ReturnType == typeof(TransformerDecoder) && c.Name.StartsWith("torchtune.models.", StringComparison.Ordinal)
            let family = Image(c.Name.Split('.')[2])
            where c.Member.DeclaringType!.FullName != $"TuneSharp.Models.{family}.{family}Builders"
            select $"{c.Name} is in {c.Member.DeclaringType}");

    [Fact]
    public void Every_Llama_of_torchtune_is_there()
    {
        string[] wanted =
        [
            .. Sizes("llama2", "", "_7b", "_13b", "_70b", "_reward_7b", "_classifier"),
            .. Sizes("llama3", "", "_8b", "_70b"),
            .. Sizes("llama3_1", "", "_8b", "_70b", "_405b"),
            .. Sizes("llama3_2", "", "_1b", "_3b"),
            .. Sizes("llama3_3", "_70b"),
        ];
        Assert.Equal(46, wanted.Length);
        Assert.Empty(wanted.Except(Components.Select(c => c.Name)));
        Assert.All(wanted, name => Assert.Equal(typeof(TransformerDecoder), ComponentRegistry.Find(name)!.Result));
    }

    /// <summary>Plain and lora_ for each; qlora_ for those of a fixed size.</summary>
    private static IEnumerable<string> Sizes(string family, params string[] sizes) =>
        from size in sizes
        from prefix in size.EndsWith('b') ? (string[])["", "lora_", "qlora_"] : ["", "lora_"]
        select $"torchtune.models.{family}.{prefix}{family}{size}";

    /// <summary>Each part in Pascal case, sizes in upper case; the underscore stays between digits and after a size.</summary>
    private static string Image(string wire)
    {
        if (wire.Any(char.IsAsciiLetterUpper))
        {
            return wire;
        }

        string image = "";
        bool afterSize = false;
        foreach (string part in wire.Split('_'))
        {
            bool size = part.Length > 1 && part[^1] is 'b' or 'm' or 'e' && part[..^1].All(char.IsAsciiDigit);
            bool keep = image.Length > 0 && (afterSize || (char.IsAsciiDigit(image[^1]) && char.IsAsciiDigit(part[0])));
            image += (keep ? "_" : "") + (size ? part.ToUpperInvariant() : char.ToUpperInvariant(part[0]) + part[1..]);
            afterSize = size;
        }

        return image;
    }

    private static IEnumerable<(string, MemberInfo)> Find() =>
        from type in typeof(ComponentRegistry).Assembly.GetTypes()
        from member in type.GetMembers(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            .Where(m => m is MethodInfo).Prepend(type)
        from name in member.GetCustomAttributes<ComponentAttribute>(inherit: false)
        select (name.Name, member);

    /// <summary>Without the components that other tests register.</summary>
    private static IEnumerable<string> Own(IEnumerable<string> names) =>
        names.Where(n => (ComponentRegistry.Find(n)!.Factory.DeclaringType ?? typeof(int)).Assembly == typeof(ComponentRegistry).Assembly);
}
