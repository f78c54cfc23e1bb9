namespace TuneSharp.Config;

/// <summary>The two spellings of a config, and the one form behind both: torchtune's flat keys and <c>_component_</c>.</summary>
/// <remarks>
/// Everything that has a second spelling is in <see cref="Renamed"/> and <see cref="OfModel"/>; a <c>train:</c> section's keys are
/// lifted to the top, and <c>type:</c> with <c>params:</c> becomes <c>_component_</c> with its arguments beside it. Files,
/// overrides and interpolations all go through here.
/// </remarks>
internal static class NormalForm
{
    private const string Train = "train";
    private const string Type = "type";
    private const string Params = "params";
    private const string PromptKey = "prompt";
    private const string User = "user";
    private const string Text = "text";

    /// <summary>A key as other trainers spell it, and where torchtune has it.</summary>
    internal static readonly IReadOnlyDictionary<string, string> Renamed = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["num_epochs"] = "epochs",
        ["num_train_epochs"] = "epochs",
        ["log_interval"] = "log_every_n_steps",
        ["logging_steps"] = "log_every_n_steps",
        ["save_interval"] = "save_every_n_steps",
        ["save_steps"] = "save_every_n_steps",
        ["eval_interval"] = "run_val_every_n_steps",
        ["eval_steps"] = "run_val_every_n_steps",
        ["val_batch_size"] = "batch_size_val",
        ["learning_rate"] = "optimizer.lr",
        ["lr"] = "optimizer.lr",
        ["weight_decay"] = "optimizer.weight_decay",
        ["warmup_steps"] = "lr_scheduler.num_warmup_steps",
        ["num_warmup_steps"] = "lr_scheduler.num_warmup_steps",
        ["max_grad_norm"] = "clip_grad_norm",
        ["grad_clip"] = "clip_grad_norm",
        ["gradient_checkpointing"] = "enable_activation_checkpointing",
    };

    /// <summary>Keys of the model that may be written at the top.</summary>
    internal static readonly IReadOnlySet<string> OfModel = new HashSet<string>(StringComparer.Ordinal)
    {
        "lora_rank", "lora_alpha", "lora_dropout", "lora_attn_modules", "apply_lora_to_mlp", "apply_lora_to_output",
        "lora_mlp_modules", "use_dora", "use_rslora", "quantize_base",
        "quant_type", "double_quant", "quantize_output", "quantize_embedding",
    };

    /// <summary>Brings a file into the normal form, in place.</summary>
    /// <param name="root">The config as it was read.</param>
    /// <param name="problems">Takes keys that are given in both spellings.</param>
    public static void Apply(ConfigMapping root, List<ConfigProblem> problems)
    {
        foreach (ConfigEntry entry in root.Entries.ToList())
        {
            Component(entry.Node, isPart: true);
        }

        Prompt(root, problems);

        foreach (ConfigEntry entry in root.Entries.ToList())
        {
            if (entry is { Key: Train, Node: ConfigMapping section })
            {
                root.Remove(Train);
                foreach (ConfigEntry inner in section.Entries)
                {
                    Place(root, inner, $"{Train}.{inner.Key}", problems);
                }
            }
            else if (TopLevel(entry.Key) is not null)
            {
                root.Remove(entry.Key);
                Place(root, entry, entry.Key, problems);
            }
        }
    }

    /// <summary>The normal path of an override's key or an interpolation.</summary>
    /// <param name="path">The path as written.</param>
    /// <param name="root">The config in normal form: a section that is no component keeps a <c>type</c> of its own.</param>
    public static string[] Path(string[] path, ConfigMapping root)
    {
        if (path is [Train, _, ..] && root[Train] is null)
        {
            path = path[1..];
        }

        if (TopLevel(path[0]) is { } place)
        {
            path = [.. place.Split('.'), .. path[1..]];
        }

        if (path is [PromptKey, User, Text] && (root[PromptKey] as ConfigMapping)?[User] is not ConfigMapping)
        {
            path = path[..^1];
        }

        List<string> result = [];
        ConfigNode? node = root;
        for (int i = 0; i < path.Length; i++)
        {
            bool mayBeComponent = i > 0 && (node is not ConfigMapping { Entries.Count: > 0 } m || m[ConfigMapping.ComponentKey] is not null);
            if (mayBeComponent && path[i] == Params && i < path.Length - 1 && (node as ConfigMapping)?[Params] is null)
            {
                continue;
            }

            string step = mayBeComponent && path[i] == Type && i == path.Length - 1 && (node as ConfigMapping)?[Type] is null
                ? ConfigMapping.ComponentKey
                : path[i];
            result.Add(step);
            node = (node as ConfigMapping)?[step];
        }

        return [.. result];
    }

    /// <summary>Turns <c>type:</c> and <c>params:</c> into <c>_component_</c> and its arguments, here and below.</summary>
    /// <param name="node">A value of a config.</param>
    /// <param name="isPart">True for a value of the top level, where a <c>type</c> can only name a component.</param>
    public static void Component(ConfigNode node, bool isPart)
    {
        if (node is ConfigSequence list)
        {
            list.Items.ForEach(item => Component(item, isPart));
            return;
        }

        if (node is not ConfigMapping mapping)
        {
            return;
        }

        if (mapping.Find(Type) is { Node: ConfigScalar { Value: string name } type } entry
            && mapping[ConfigMapping.ComponentKey] is null
            && (isPart || mapping[Params] is ConfigMapping || ComponentRegistry.Find(name) is not null))
        {
            int at = mapping.Entries.IndexOf(entry);
            mapping.Entries[at] = new(ConfigMapping.ComponentKey, entry.KeyPlace, type);
            if (mapping[Params] is ConfigMapping arguments)
            {
                mapping.Remove(Params);
                mapping.Entries.AddRange(arguments.Entries.Where(a => mapping.Find(a.Key) is null).ToList());
            }
            else if (mapping[Params] is ConfigScalar { Value: null })
            {
                mapping.Remove(Params);
            }
        }

        foreach (ConfigEntry inner in mapping.Entries)
        {
            Component(inner.Node, isPart: false);
        }
    }

    /// <summary>generate_v2 splits what the user says into <c>text</c> and <c>image</c>; here it is text.</summary>
    private static void Prompt(ConfigMapping root, List<ConfigProblem> problems)
    {
        if (root[PromptKey] is not ConfigMapping prompt || prompt.Find(User) is not { Node: ConfigMapping parts } user)
        {
            return;
        }

        if (parts.Find("image") is { Node: not ConfigScalar { Value: null } } image)
        {
            ConfigPlace place = image.KeyPlace;
            problems.Add(new GapProblem(place.File, place.Line, place.Column, "prompt.user.image", TorchtuneGaps.Pictures));
        }

        if (parts[Text] is { } text && parts.Keys.All(k => k is Text or "image"))
        {
            prompt.Set(User, text, user.KeyPlace);
        }
    }

    private static string? TopLevel(string key) =>
        Renamed.TryGetValue(key, out string? place) ? place : OfModel.Contains(key) ? "model." + key : null;

    private static void Place(ConfigMapping root, ConfigEntry entry, string written, List<ConfigProblem> problems)
    {
        string[] path = (TopLevel(entry.Key) ?? entry.Key).Split('.');
        ConfigMapping section = root;
        foreach (string step in path[..^1])
        {
            ConfigNode? next = section[step];
            if (next is ConfigScalar { Value: string name } bare)
            {
                // `model: lora_llama3_2_1b` and `lora_rank: 8` beside it: a component named by a word, with an argument.
                ConfigMapping named = new(bare.Place);
                named.Set(ConfigMapping.ComponentKey, new ConfigScalar(name, name, bare.Place), bare.Place);
                section.Set(step, named, section.Find(step)!.KeyPlace);
                next = named;
            }

            if (next is null or ConfigScalar { Value: null })
            {
                ConfigMapping fresh = new(entry.KeyPlace);
                section.Set(step, fresh, entry.KeyPlace);
                next = fresh;
            }

            if (next is not ConfigMapping mapping)
            {
                problems.Add(new(entry.KeyPlace.File, entry.KeyPlace.Line, entry.KeyPlace.Column,
                    $"{written} belongs into {string.Join('.', path)}, but {step} is a list here. Write it inside the list's item."));
                return;
            }

            section = mapping;
        }

        if (section.Find(path[^1]) is { } other)
        {
            problems.Add(new(entry.KeyPlace.File, entry.KeyPlace.Line, entry.KeyPlace.Column,
                $"{written} and {string.Join('.', path)} mean the same, and both are given (the other at line {other.KeyPlace.Line}). Remove one."));
            return;
        }

        section.Set(path[^1], entry.Node, entry.KeyPlace);
    }
}
