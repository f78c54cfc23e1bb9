"""Hugging Face transformers + PEFT on the shapes of `tune bench step`, random weights on the device, bf16, sdpa.

    python3 bench/peers/hf_peft.py --model llama3_1_8b --batch-size 2 --seq-len 2048 --rank 16 --checkpointing

Prints tokens per second (median), the peak of torch's allocator, and the share of the measured matmul rate is left to `tune bench`.
Needs torch, transformers and peft; nothing is downloaded.
"""
import argparse
import statistics
import time

import torch

SHAPES = {
    "llama3_1_8b": dict(vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                        num_key_value_heads=8, rope_theta=500000.0, tie_word_embeddings=False),
    "llama3_2_1b": dict(vocab_size=128256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
                        num_key_value_heads=8, rope_theta=500000.0, tie_word_embeddings=True),
    "smollm2_135m": dict(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
                         num_key_value_heads=3, rope_theta=100000.0, tie_word_embeddings=True),
}
PEFT_NAMES = {"q_proj": "q_proj", "k_proj": "k_proj", "v_proj": "v_proj", "output_proj": "o_proj", "w1": "gate_proj", "w3": "up_proj", "w2": "down_proj"}


def build(args):
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(**SHAPES[args.model], max_position_embeddings=8192, rms_norm_eps=1e-5, attn_implementation="sdpa", use_cache=False)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    torch.set_default_dtype(torch.float32)
    if args.mode == "lora":
        from peft import LoraConfig, get_peft_model

        names = list(PEFT_NAMES.values()) if args.lora_targets == "all" else [PEFT_NAMES[n] for n in args.lora_targets.split(",")]
        model = get_peft_model(model, LoraConfig(r=args.rank, lora_alpha=2 * args.rank, target_modules=names, task_type="CAUSAL_LM"),
                               autocast_adapter_dtype=False)
    if args.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if args.mode == "lora":
            model.enable_input_require_grads()
    model.train()
    return model.to("cuda")


def train(args):
    model = build(args)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    vocab = SHAPES[args.model]["vocab_size"]
    shape = (args.batch_size, args.seq_len)
    tokens = torch.randint(0, vocab, shape, device="cuda")
    labels = torch.randint(0, vocab, shape, device="cuda")
    times = []
    torch.cuda.reset_peak_memory_stats()
    for i in range(args.warmup + args.steps):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        loss = model(input_ids=tokens, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        torch.cuda.synchronize()
        if i >= args.warmup:
            times.append(time.perf_counter() - begin)
    step = statistics.median(times)
    count = args.batch_size * args.seq_len
    print(f"transformers+PEFT {args.model} {args.mode} {args.batch_size}x{args.seq_len} r{args.rank} {args.lora_targets}"
          f"{' checkpointing' if args.checkpointing else ''}: {count / step:.0f} tokens/s, {step * 1e3:.2f} ms a step (median of {len(times)}), "
          f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB allocated, {torch.cuda.max_memory_reserved() / 2**30:.2f} reserved, "
          f"loss {loss.item():.4f}", flush=True)


def generate(args):
    from transformers import StaticCache  # noqa: F401  (its absence would say that this transformers is too old)

    args.mode = "full"
    model = build(args).eval()
    model.config.use_cache = True
    tokens = torch.randint(0, SHAPES[args.model]["vocab_size"], (args.batch_size, 16), device="cuda")
    for _ in range(2):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        model.generate(tokens, max_new_tokens=args.steps, min_new_tokens=args.steps, do_sample=False, pad_token_id=0)
        torch.cuda.synchronize()
        spent = time.perf_counter() - begin
    print(f"transformers {args.model} greedy, batch {args.batch_size}: {args.batch_size * args.steps / spent:.1f} tokens/s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=SHAPES, default="llama3_1_8b")
    parser.add_argument("--mode", choices=["lora", "full", "generate"], default="lora")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--seq-len", type=int, default=2048)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--lora-targets", default="all")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--warmup", type=int, default=3)
    arguments = parser.parse_args()
    (generate if arguments.mode == "generate" else train)(arguments)
