#!/usr/bin/env python3
"""Computes the numbers that tests/family.rs compares with: tiny decoders of each kind, by transformers.

Nothing of a model is stored: every weight is a formula of its tensor's number and its own, here and in the test
alike. Quantised tensors are random bytes with sane scales, unpacked here by the `gguf` package. Made with

    python3 tests/references/family.py > tests/references/family.json

and transformers, torch, gguf, numpy (versions are in the output).
"""

import importlib.metadata
import json
import math
import sys

import numpy
import torch
import transformers
from gguf import GGMLQuantizationType, quants

CONTEXT = 64
TOKENS = 40
# Bytes and values of a block; where its half-precision scale and minimum lie; what scales its levels to about 1,
# and the minimum over the scale.
BLOCKS = {
    "Q4_0": (18, 32, 0, None, 1 / 4.6, 0.0),
    "Q4_1": (20, 32, 0, 2, 1 / 4.6, -7.5),
    "Q5_0": (22, 32, 0, None, 1 / 9.2, 0.0),
    "Q5_1": (24, 32, 0, 2, 1 / 9.2, -15.5),
    "Q8_0": (34, 32, 0, None, 1 / 74, 0.0),
    "Q4_K": (144, 256, 0, 2, 1 / 252, 7.5),
    "Q5_K": (176, 256, 0, 2, 1 / 504, 15.5),
    "Q6_K": (210, 256, 208, None, 1 / 1369, 0.0),
}
FLOATS = {"F32": numpy.float32, "F16": numpy.float16, "BF16": None}


def words(seed, count):
    """Numbers of 64 bits: splitmix64 of the tensor's number and the place."""
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(seed << 32) + numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return z ^ (z >> numpy.uint64(31))


def uniform(seed, count):
    """Numbers from -0.5 to 0.5."""
    return (words(seed, count) >> numpy.uint64(40)).astype(numpy.float64) / 2**24 - 0.5


def scaled(name, shape, seed):
    numbers = uniform(seed, math.prod(shape))
    if "norm" in name:
        numbers = 1 + 0.25 * numbers
    elif len(shape) == 2:
        numbers = numbers * math.sqrt(12 / shape[1])
    return numbers.astype(numpy.float32).reshape(shape)


def as_stored(numbers, kind):
    if kind == "BF16":
        bits = numbers.view(numpy.uint32) & numpy.uint32(0xFFFF0000)
        return bits.view(numpy.float32)
    return numbers.astype(FLOATS[kind]).astype(numpy.float32)


def quantised(shape, seed, kind):
    size, values, scale_at, minimum_at, unit, minimum = BLOCKS[kind]
    rows, columns = shape
    count = rows * columns // values
    raw = (words(seed, count * size) & numpy.uint64(255)).astype(numpy.uint8).reshape(count, size)
    scale = unit / math.sqrt(columns) * (1 + uniform(seed + 1000, count))
    for at, number in ((scale_at, scale), (minimum_at, scale * minimum)):
        if at is not None:
            halves = number.astype(numpy.float32).astype(numpy.float16)
            raw[:, at : at + 2] = halves.view(numpy.uint8).reshape(count, 2)
    return quants.dequantize(raw.reshape(rows, -1), GGMLQuantizationType[kind])


def shapes(case):
    hidden, wide = case["hidden"], case["intermediate"]
    query, keys = case["heads"] * case["head_dim"], case["kv_heads"] * case["head_dim"]
    found = {"model.embed_tokens.weight": (case["vocabulary"], hidden), "model.norm.weight": (hidden,)}
    if not case["tied"]:
        found["lm_head.weight"] = (case["vocabulary"], hidden)
    for layer in range(case["layers"]):
        modules = {
            "self_attn.q_proj": (query, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, query),
            "mlp.gate_proj": (wide, hidden),
            "mlp.up_proj": (wide, hidden),
            "mlp.down_proj": (hidden, wide),
        }
        prefix = f"model.layers.{layer}."
        for module, shape in modules.items():
            found[f"{prefix}{module}.weight"] = shape
            if module in case["biased"]:
                found[f"{prefix}{module}.bias"] = shape[:1]
        found[f"{prefix}input_layernorm.weight"] = (hidden,)
        found[f"{prefix}post_attention_layernorm.weight"] = (hidden,)
    return found


def halves_first(rows, heads):
    """llama.cpp keeps the two of a rotated pair beside each other; transformers has halves."""
    shape = rows.shape
    return rows.reshape(heads, shape[0] // heads // 2, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def state(case):
    found = {}
    for seed, (name, shape) in enumerate(sorted(shapes(case).items())):
        if len(shape) == 2 and case["kind"] in BLOCKS:
            rows = quantised(shape, seed, case["kind"])
        else:
            kind = "F32" if len(shape) == 1 and case["source"] == "gguf" else case["kind"]
            rows = as_stored(scaled(name, shape, seed), kind)
        if case["source"] == "gguf" and case["architecture"] == "llama":
            if ".q_proj." in name:
                rows = halves_first(rows, case["heads"])
            if ".k_proj." in name:
                rows = halves_first(rows, case["kv_heads"])
        found[name] = torch.tensor(numpy.ascontiguousarray(rows), dtype=torch.float64)
    return found


def logits(case, ids):
    kinds = {
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
    }
    config, model = kinds[case["architecture"]]
    more = {"head_dim": case["head_dim"], "attention_bias": bool(case["biased"])} if case["architecture"] == "llama" else {}
    config = config(
        vocab_size=case["vocabulary"],
        hidden_size=case["hidden"],
        intermediate_size=case["intermediate"],
        num_hidden_layers=case["layers"],
        num_attention_heads=case["heads"],
        num_key_value_heads=case["kv_heads"],
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        rope_parameters=case["rope"],
        tie_word_embeddings=case["tied"],
        attn_implementation="eager",
        **more,
    )
    model = model(config).double().eval()
    missing, unexpected = model.load_state_dict(state(case), strict=False)
    assert not unexpected, unexpected
    assert missing == (["lm_head.weight"] if case["tied"] else []), missing
    model.tie_weights()
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -1]


def factors(rope, head_dim):
    """What `rope_freqs.weight` of a GGUF file holds: how much longer each wave became."""
    base = rope["rope_theta"]
    original = rope["original_max_position_embeddings"]
    found = []
    for pair in range(head_dim // 2):
        wave = 2 * math.pi * base ** (2 * pair / head_dim)
        if wave < original / rope["high_freq_factor"]:
            found.append(1.0)
        elif wave > original / rope["low_freq_factor"]:
            found.append(rope["factor"])
        else:
            smooth = (original / wave - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            found.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return found


DEFAULT = {"rope_type": "default", "rope_theta": 10000.0}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
QKV = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]


def case(name, **more):
    """A case; what is not said is as in a small plain Llama."""
    small = {"hidden": 64, "intermediate": 96, "heads": 4, "kv_heads": 2, "head_dim": 16, "layers": 2, "vocabulary": 48}
    plain = {"architecture": "llama", "kind": "F32", "tied": False, "biased": [], "rope": DEFAULT, "style": "new", "files": 1}
    return {"name": name, "source": "safetensors", **small, **plain, **more}


def in_gguf(name, kind, **more):
    wide = {"hidden": 256, "intermediate": 256, "head_dim": 64, "layers": 1, "vocabulary": 32}
    return case(name, source="gguf", kind=kind, **{**wide, **more})


CASES = [
    case("llama"),
    case("llama tied, bfloat16, linear", kind="BF16", tied=True, rope=LINEAR, style="old"),
    case("llama in halves, wide heads, llama3", kind="F16", head_dim=32, rope=LLAMA3),
    case("llama, llama3 in an older file", rope=LLAMA3, style="old", kv_heads=1),
    case("llama with biases", biased=[*QKV, "self_attn.o_proj"]),
    case("qwen2 tied", architecture="qwen2", tied=True, biased=QKV, rope={**DEFAULT, "rope_theta": 1000000.0}),
    case("qwen2 in two files", architecture="qwen2", kind="BF16", biased=QKV, files=2, kv_heads=4, style="old"),
    *(in_gguf(f"llama {kind}", kind, tied=number % 2 == 0) for number, kind in enumerate([*FLOATS, *BLOCKS])),
    in_gguf("qwen2 Q8_0", "Q8_0", architecture="qwen2", biased=QKV, rope={**DEFAULT, "rope_theta": 1000000.0}),
    in_gguf("qwen2 Q4_K, tied", "Q4_K", architecture="qwen2", biased=QKV, tied=True),
    in_gguf("llama F16, linear", "F16", rope=LINEAR),
    in_gguf("llama F16, llama3", "F16", rope=LLAMA3),
]


def main():
    out = {
        "versions": {name: importlib.metadata.version(name) for name in ("transformers", "torch", "gguf", "numpy")},
        "context": CONTEXT,
        "cases": [],
    }
    for one in CASES:
        ids = [(7 * at + 3) % one["vocabulary"] for at in range(TOKENS)]
        if one["source"] == "gguf" and one["rope"]["rope_type"] == "llama3":
            one["factors"] = factors(one["rope"], one["head_dim"])
        one["tokens"] = ids
        one["logits"] = [round(float(number), 6) for number in logits(one, ids)]
        out["cases"].append(one)
    json.dump(out, sys.stdout)
    print()


main()
