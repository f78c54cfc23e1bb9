namespace TuneSharp.Config;

/// <summary>
/// Keys that torchtune's own files carry and that have no effect here. They give one warning; every other unknown key is a mistake.
/// A recipe that does read such a key simply has it in its record: this list is asked last.
/// </summary>
internal static class IgnoredKeys
{
    /// <summary>By path: whether a value may be passed over. Where it may not, the user asked for something we do not do.</summary>
    private static readonly Dictionary<string, Func<ConfigNode, ConfigMapping, bool>> Table = new(StringComparer.Ordinal)
    {
        // They change memory or speed, never a result.
        ["compile"] = Always,
        ["optimizer.fused"] = Always,
        ["optimizer.foreach"] = Always,
        ["optimizer_in_bwd"] = Always,
        ["enable_activation_offloading"] = Always,
        ["activation_offloading_use_streams"] = Always,
        ["low_cpu_ram"] = Always,
        ["ac_mode"] = Always,
        ["ac_option"] = Always,
        ["enable_async_checkpointing"] = Always,
        ["log_level"] = Always,

        // Sharding of one process is no sharding.
        ["fsdp"] = Always,
        ["fsdp_cpu_offload"] = Always,
        ["fsdp_reshard_after_forward"] = Always,
        ["memory_efficient_fsdp_wrap"] = Always,
        ["custom_sharded_layers"] = Always,
        ["data_parallel_shard_dim"] = (node, _) => IsOneOf(node, null, 1L, -1L),
        ["data_parallel_replicate_dim"] = (node, _) => IsOneOf(node, null, 1L),
        ["tensor_parallel_dim"] = (node, _) => IsOneOf(node, null, 1L),
        ["tensor_parallel_plan"] = (_, root) => root["tensor_parallel_dim"] is not { } dim || IsOneOf(dim, null, 1L),
        ["context_parallel_dim"] = (node, _) => IsOneOf(node, null, 1L),
        ["context_parallel_rotate_method"] = Always,

        // Off is what they are here.
        ["profiler"] = (node, _) => IsOff(node),
        ["quantizer"] = (node, _) => IsOff(node),
        ["enable_fp8_training"] = (node, _) => IsOff(node),
        ["fp8_recipe_name"] = (node, _) => IsOff(node),

        // torchtune does not read them either.
        ["apply_chat_template"] = Always,
        ["reward_functions"] = Always,
    };

    /// <summary>Whether a key that no member takes may stand.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="node">Its value.</param>
    /// <param name="root">The whole config.</param>
    /// <returns>True: pass over and warn. False: known to torchtune, but asks for what is missing here. Null: not on the list.</returns>
    public static bool? MayStand(string path, ConfigNode node, ConfigMapping root) =>
        Table.TryGetValue(path, out Func<ConfigNode, ConfigMapping, bool>? rule) ? rule(node, root) : null;

    private static bool Always(ConfigNode node, ConfigMapping root) => true;

    private static bool IsOneOf(ConfigNode node, params ReadOnlySpan<object?> values)
    {
        foreach (object? value in values)
        {
            if (node is ConfigScalar s && Equals(s.Value, value))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsOff(ConfigNode node) =>
        node is ConfigMapping section ? section["enabled"] is { } enabled && IsOff(enabled) : IsOneOf(node, null, false);
}
