namespace TuneSharp.Config;

/// <summary>Names that torchtune has and that a user may bring along: for them we say "not available yet", not "a typo?".</summary>
internal static class TorchtuneNames
{
    private static readonly Dictionary<string, string> ByPackage = new(StringComparer.Ordinal)
    {
        ["bitsandbytes.optim"] = "PagedAdamW PagedAdamW8bit AdamW8bit Adam8bit PagedAdam8bit",
        ["torchao.optim"] = "AdamW8bit AdamW4bit AdamWFp8 CPUOffloadOptimizer",
        ["torchao.prototype.low_bit_optim"] = "AdamW8bit AdamW4bit AdamWFp8 CPUOffloadOptimizer",
        ["torch.optim"] = "AdamW Adam SGD RMSprop Adagrad Adadelta NAdam RAdam Adamax ASGD LBFGS Rprop SparseAdam Adafactor Muon",
        ["torchtune.datasets"] =
            "alpaca_cleaned_dataset alpaca_dataset stack_exchange_paired_dataset text_completion_dataset chat_dataset instruct_dataset " +
            "preference_dataset cnn_dailymail_articles_dataset grammar_dataset hh_rlhf_helpful_dataset samsum_dataset slimorca_dataset " +
            "wikitext_dataset ConcatDataset PackedDataset SFTDataset PreferenceDataset TextCompletionDataset",
        ["torchtune.datasets.multimodal"] =
            "the_cauldron_dataset the_cauldron_transform multimodal_chat_dataset llava_instruct_dataset vqa_dataset",
        ["torchtune.dev.grpo.gsm8k"] = "gsm8k_dataset gsm8k_sft",
        ["torchtune.dev.grpo.loss"] = "GRPOLoss GRPOSimpleLoss GRPOCompletionLoss",
        ["torchtune.dev.rl.linear_grpo_loss"] = "LinearGRPOLoss",
        ["torchtune.dev.rl.rewards"] = "FormattedMathCorrectnessReward ThinkingAnswerFormattingReward",
        ["torchtune.models.llama2"] =
            "llama2 lora_llama2 llama2_classifier lora_llama2_classifier llama2_tokenizer llama2_7b llama2_13b llama2_70b lora_llama2_7b " +
            "lora_llama2_13b lora_llama2_70b qlora_llama2_7b qlora_llama2_13b qlora_llama2_70b llama2_reward_7b lora_llama2_reward_7b " +
            "qlora_llama2_reward_7b",
        ["torchtune.models.llama3"] =
            "llama3 lora_llama3 llama3_tokenizer llama3_8b llama3_70b lora_llama3_8b lora_llama3_70b qlora_llama3_8b qlora_llama3_70b " +
            "base_llama_tp_plan fp8_llama_tp_plan llama3_reward_8b",
        ["torchtune.models.llama3_1"] =
            "llama3_1 lora_llama3_1 llama3_1_8b llama3_1_70b llama3_1_405b lora_llama3_1_8b lora_llama3_1_70b lora_llama3_1_405b " +
            "qlora_llama3_1_8b qlora_llama3_1_70b qlora_llama3_1_405b",
        ["torchtune.models.llama3_2"] =
            "llama3_2 lora_llama3_2 llama3_2_1b llama3_2_3b lora_llama3_2_1b lora_llama3_2_3b qlora_llama3_2_1b qlora_llama3_2_3b",
        ["torchtune.models.llama3_3"] = "llama3_3_70b lora_llama3_3_70b qlora_llama3_3_70b",
        ["torchtune.models.llama3_2_vision"] =
            "llama3_2_vision_transform llama3_2_vision_11b llama3_2_vision_90b lora_llama3_2_vision_11b lora_llama3_2_vision_90b " +
            "qlora_llama3_2_vision_11b qlora_llama3_2_vision_90b",
        ["torchtune.models.llama4"] =
            "llama4_transform decoder_only_tp_plan llama4_scout_17b_16e llama4_maverick_17b_128e lora_llama4_scout_17b_16e",
        ["torchtune.models.smol"] = "smollm2_135m smollm2_360m smollm2_1_7b",
        ["torchtune.models.mistral"] =
            "mistral lora_mistral mistral_classifier mistral_tokenizer mistral_7b lora_mistral_7b qlora_mistral_7b mistral_reward_7b",
        ["torchtune.models.phi3"] = "phi3 lora_phi3 phi3_mini_tokenizer phi3_mini lora_phi3_mini qlora_phi3_mini",
        ["torchtune.models.phi4"] = "phi4_tokenizer phi4_14b lora_phi4_14b qlora_phi4_14b",
        ["torchtune.models.gemma"] =
            "gemma lora_gemma gemma_tokenizer gemma_2b gemma_7b lora_gemma_2b lora_gemma_7b qlora_gemma_2b qlora_gemma_7b",
        ["torchtune.models.gemma2"] =
            "gemma2 lora_gemma2 gemma2_2b gemma2_9b gemma2_27b lora_gemma2_2b lora_gemma2_9b lora_gemma2_27b qlora_gemma2_2b " +
            "qlora_gemma2_9b qlora_gemma2_27b",
        ["torchtune.models.qwen2"] =
            "qwen2 lora_qwen2 qwen2_tokenizer qwen2_0_5b qwen2_1_5b qwen2_7b lora_qwen2_0_5b lora_qwen2_1_5b lora_qwen2_7b",
        ["torchtune.models.qwen2_5"] =
            "qwen2_5_tokenizer qwen2_5_0_5b qwen2_5_1_5b_base qwen2_5_1_5b_instruct qwen2_5_3b qwen2_5_7b_base qwen2_5_7b_instruct " +
            "qwen2_5_14b_base qwen2_5_14b_instruct qwen2_5_32b_base qwen2_5_32b_instruct qwen2_5_72b_base qwen2_5_72b_instruct " +
            "lora_qwen2_5_0_5b lora_qwen2_5_1_5b_base lora_qwen2_5_1_5b_instruct lora_qwen2_5_3b lora_qwen2_5_7b_base " +
            "lora_qwen2_5_7b_instruct lora_qwen2_5_14b_base lora_qwen2_5_14b_instruct lora_qwen2_5_32b_base lora_qwen2_5_32b_instruct " +
            "lora_qwen2_5_72b_base lora_qwen2_5_72b_instruct",
        ["torchtune.models.qwen3"] =
            "qwen3 lora_qwen3 qwen3_tokenizer qwen3_0_6b_base qwen3_0_6b_instruct qwen3_1_7b_base qwen3_1_7b_instruct qwen3_4b_base " +
            "qwen3_4b_instruct qwen3_8b_base qwen3_8b_instruct qwen3_14b_base qwen3_14b_instruct qwen3_32b lora_qwen3_0_6b_base " +
            "lora_qwen3_0_6b_instruct lora_qwen3_1_7b_base lora_qwen3_1_7b_instruct lora_qwen3_4b_base lora_qwen3_4b_instruct " +
            "lora_qwen3_8b_base lora_qwen3_8b_instruct lora_qwen3_14b_base lora_qwen3_14b_instruct lora_qwen3_32b",
        ["torchtune.models.clip"] = "clip_text_vit_large_patch14 clip_tokenizer clip_vit_224_transform clip_vision_encoder",
        ["torchtune.models.t5"] = "t5_v1_1_xxl_encoder t5_tokenizer",
        ["torchtune.models.flux"] = "flux_1_autoencoder",
        ["torchtune.modules"] = "classifier_model",
        ["torchtune.modules.loss"] =
            "LinearCrossEntropyLoss CEWithChunkedOutputLoss ForwardKLLoss ForwardKLWithChunkedOutputLoss ReverseKLLoss " +
            "ReverseKLWithChunkedOutputLoss SymmetricKLLoss SymmetricKLWithChunkedOutputLoss",
        ["torchtune.rlhf.loss"] = "DPOLoss RSOLoss PPOLoss",
        ["torchtune.training"] =
            "FullModelHFCheckpointer FullModelMetaCheckpointer FullModelTorchTuneCheckpointer DistributedCheckpointer setup_torch_profiler",
        ["torchtune.training.lr_schedulers"] = "get_cosine_schedule_with_warmup",
        ["torchtune.training.metric_logging"] = "DiskLogger StdoutLogger WandBLogger TensorBoardLogger CometLogger MLFlowLogger",
        ["torchtune.training.quantization"] =
            "Int8DynActInt4WeightQuantizer Int8DynActInt4WeightQATQuantizer Int4WeightOnlyQuantizer Int4WeightOnlyQATQuantizer " +
            "Float8TrainingQuantizer",
    };

    private static readonly Dictionary<string, string> Packages = ByName();

    /// <summary>True for a name of torchtune's, written in full or as its last segment.</summary>
    public static bool Contains(string name) => Packages.ContainsKey(name);

    /// <summary>The package of such a name, or null; of a last segment that several have, the first of the list above.</summary>
    public static string? PackageOf(string name) => Packages.GetValueOrDefault(name);

    private static Dictionary<string, string> ByName()
    {
        Dictionary<string, string> packages = new(StringComparer.Ordinal);
        foreach ((string package, string names) in ByPackage)
        {
            foreach (string name in names.Split(' '))
            {
                packages[$"{package}.{name}"] = package;
                packages.TryAdd(name, package);
            }
        }

        return packages;
    }
}
