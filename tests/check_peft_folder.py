#!/usr/bin/env python3
"""Reads an adapter folder as PEFT would, with nothing but the standard library: a reader that shares no code with the writer.

    check_peft_folder.py MODEL_FOLDER ADAPTER_FOLDER '{"r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], ...}'

Checks the settings against the expected ones, and that the safetensors file holds exactly the tensors that PEFT looks for in this
model: their names, shapes and dtypes, without gaps between them. Prints "ok N tensors", or what is wrong, and exits 1.
"""
import json
import math
import struct
import sys

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8}


def read_safetensors(path):
    with open(path, "rb") as f:
        data = f.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length].decode("utf-8"))
    metadata = header.pop("__metadata__", {})
    body = data[8 + length:]
    end = 0
    for name, t in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = t["data_offsets"]
        assert begin == end, f"{name} begins at {begin}, the tensor before it ends at {end}"
        assert stop - begin == math.prod(t["shape"]) * BYTES[t["dtype"]], f"{name}: {stop - begin} bytes for {t['dtype']} {t['shape']}"
        t["values"] = struct.unpack(f"<{math.prod(t['shape'])}f", body[begin:stop]) if t["dtype"] == "F32" else None
        end = stop
    assert end == len(body), f"{len(body) - end} bytes after the last tensor"
    return header, metadata


def linears(config):
    """Name, outputs and inputs of each linear that can carry an adapter."""
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    head = config.get("head_dim") or width // heads
    keys = config.get("num_key_value_heads", heads) * head
    for i in range(config["num_hidden_layers"]):
        for name, out, into in (
                ("self_attn.q_proj", heads * head, width), ("self_attn.k_proj", keys, width), ("self_attn.v_proj", keys, width),
                ("self_attn.o_proj", width, heads * head), ("mlp.gate_proj", inner, width), ("mlp.up_proj", inner, width),
                ("mlp.down_proj", width, inner)):
            yield f"model.layers.{i}.{name}", out, into
    yield "lm_head", config["vocab_size"], width


def main(model, adapter, expected):
    with open(f"{model}/config.json", encoding="utf-8") as f:
        config = json.load(f)
    with open(f"{adapter}/adapter_config.json", encoding="utf-8") as f:
        settings = json.load(f)
    dtype = expected.pop("dtype")
    for key, value in {"peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "fan_in_fan_out": False, **expected}.items():
        found = sorted(settings[key]) if isinstance(value, list) else settings[key]
        assert found == (sorted(value) if isinstance(value, list) else value), f"{key} is {settings[key]!r}, not {value!r}"
        assert type(found) is type(value) or isinstance(value, (int, float)), f"{key} is a {type(found).__name__}"

    wanted = {}
    for name, out, into in linears(config):
        if name.split(".")[-1] in settings["target_modules"]:
            prefix = f"base_model.model.{name}."
            wanted[prefix + "lora_A.weight"] = [settings["r"], into]
            wanted[prefix + "lora_B.weight"] = [out, settings["r"]]
            if settings["use_dora"]:
                wanted[prefix + "lora_magnitude_vector"] = [out]
            if name == "lm_head":
                wanted[prefix + "base_layer.weight"] = [out, into]
    tensors, metadata = read_safetensors(f"{adapter}/adapter_model.safetensors")
    assert set(tensors) == set(wanted), f"missing {sorted(set(wanted) - set(tensors))}, unexpected {sorted(set(tensors) - set(wanted))}"
    for name, t in tensors.items():
        assert t["shape"] == wanted[name], f"{name}: shape {t['shape']}, not {wanted[name]}"
        assert t["dtype"] == dtype, f"{name}: dtype {t['dtype']}, not {dtype}"
        if t["values"] is not None:
            assert all(map(math.isfinite, t["values"])), f"{name} has a value that is no number"
            assert any(t["values"]), f"{name} is zero: nothing was trained"
    assert metadata.get("format") == "pt", f"metadata is {metadata}"
    print(f"ok {len(tensors)} tensors")


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
    except (AssertionError, KeyError, OSError, ValueError, struct.error) as e:
        sys.exit(f"{type(e).__name__}: {e}")
