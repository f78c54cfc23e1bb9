namespace TuneSharp.Config;

/// <summary>
/// Keys that torchtune's own files carry and that have no effect here. They give one warning; every other unknown key is a mistake.
/// A recipe that does read such a key simply has it in its record: this list is asked last.
/// </summary>
internal static class IgnoredKeys
{
    /// <summary>By path: whether a value may be passed over. Where it may not, the user asked for something we do not do.</summary>
    private static readonly Dictionary<string, Func<ConfigNode, bool>> Table = new(StringComparer.Ordinal)
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
        ["use_flex"] = Always,
        ["enable_async_checkpointing"] = Always,
        ["log_level"] = Always,

        // How work is spread over processes; it never changes a result, and one process spreads nothing.
        ["fsdp"] = Always,
        ["fsdp_cpu_offload"] = Always,
        ["fsdp_reshard_after_forward"] = Always,
        ["memory_efficient_fsdp_wrap"] = Always,
        ["custom_sharded_layers"] = Always,
        ["data_parallel_shard_dim"] = Always,
        ["data_parallel_replicate_dim"] = Always,
        ["tensor_parallel_dim"] = Always,
        ["tensor_parallel_plan"] = Always,
        ["context_parallel_dim"] = Always,
        ["context_parallel_rotate_method"] = Always,
        ["use_distributed_state_dict"] = Always,

        // Off is what they are here.
        ["profiler"] = IsOff,
        ["quantizer"] = IsOff,
        ["enable_fp8_training"] = IsOff,
        ["fp8_recipe_name"] = IsOff,

        // Llama 4's text runs without its part that sees: nothing of that is trained, however it is asked for.
        ["model.encoder_trainable"] = Always,
        ["model.fusion_trainable"] = Always,
        ["model.decoder_trainable"] = IsLora,
        ["tokenizer.max_num_tiles"] = Always,

        // torchtune does not read them either.
        ["apply_chat_template"] = Always,
        ["reward_functions"] = Always,
    };

    /// <summary>
    /// Arguments of Hugging Face's <c>load_dataset</c> that change how Python works, not which rows there are: scripts are never run here,
    /// files are always checked, and the token comes from <c>HF_TOKEN</c> (a config is written to logs).
    /// </summary>
    private static readonly HashSet<string> LoadDatasetKeys = new(StringComparer.Ordinal)
    {
        "trust_remote_code", "num_proc", "keep_in_memory", "verification_mode", "ignore_verifications", "save_infos", "download_mode",
        "download_config", "storage_options", "writer_batch_size", "token", "use_auth_token", "features", "task",
    };

    /// <summary>Whether a key that no member takes may stand.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="node">Its value.</param>
    /// <returns>True: pass over and warn. False: known to torchtune, but asks for what is missing here. Null: not on the list.</returns>
    public static bool? MayStand(string path, ConfigNode node) =>
        Table.TryGetValue(path, out Func<ConfigNode, bool>? rule) ? rule(node)
        : path.StartsWith("dataset", StringComparison.Ordinal) && LoadDatasetKeys.Contains(path[(path.LastIndexOf('.') + 1)..]) ? true : null;

    private static bool IsLora(ConfigNode node) => node is ConfigScalar { Value: "lora" };

    private static bool Always(ConfigNode node) => true;

    private static bool IsOff(ConfigNode node) =>
        node is ConfigMapping section ? section["enabled"] is { } enabled && IsOff(enabled) : node is ConfigScalar { Value: null or false };
}
