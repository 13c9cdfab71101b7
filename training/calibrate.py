"""Measures a decoder's activations, for `almanac models import --calibration`.

    python training/calibrate.py --base model.gguf --lessons train.jsonl --documents FOLDER --out model.calibration.safetensors

Reads lessons as the box would (their prompts and answers) and the documents that they are about. Of the largest value
of each channel that a linear layer reads it makes scales that smooth them (SmoothQuant), powers of two in int8; and it
notes how large keys and values become. `src/model/import/calibration.rs` says how both are used.
"""

import argparse
import hashlib
import json
import os
import random
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

# The share of a channel's size that goes over to the weights. On SmolLM2-135M 8 bits cost least perplexity there.
ALPHA = 0.6
MAX_TOKENS = 512


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, type=Path, help="the decoder's GGUF file, or its folder")
    parser.add_argument("--lessons", required=True, type=Path, help="what it reads: lessons of `almanac study lessons`")
    parser.add_argument("--documents", required=True, type=Path, help="folder of the documents that they are about")
    parser.add_argument("--count", default=64, type=int, help="so many of the lessons")
    parser.add_argument("--alpha", default=ALPHA, type=float)
    parser.add_argument("--out", required=True, type=Path)
    return parser.parse_args()


def opened(base):
    """Tokenizer and model, in single precision."""
    if base.is_dir():
        return AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    named = {"gguf_file": base.name}
    model = AutoModelForCausalLM.from_pretrained(base.parent, dtype=torch.float32, **named)
    return AutoTokenizer.from_pretrained(base.parent, **named), model


def texts(args, tokenizer):
    """Token ids of what is read."""
    lessons = [json.loads(line) for line in args.lessons.read_text().splitlines()]
    drawn = random.Random(0).sample(lessons, min(args.count, len(lessons)))
    found = [tokenizer.apply_chat_template(lesson["messages"], tokenize=False) for lesson in drawn]
    names = {name for lesson in lessons for name in lesson["documents"]}
    found += [(args.documents / name).read_text() for name in sorted(names)]
    return [tokenizer(text, add_special_tokens=False)["input_ids"][:MAX_TOKENS] for text in found]


def reading(layer):
    """The linear layers that read the same, by what the importer calls them."""
    attention, forward = layer.self_attn, layer.mlp
    return {
        "qkv": [attention.q_proj, attention.k_proj, attention.v_proj],
        "o": [attention.o_proj],
        "gate_up": [forward.gate_proj, forward.up_proj],
        "down": [forward.down_proj],
    }


def kept(seen, key, config):
    """Notes the largest value of each channel of what a cache keeps."""

    def note(_, inputs, output):
        size = output.detach().unflatten(-1, (config.num_key_value_heads, config.head_dim)).flatten(0, -3).abs()
        if key[1] == "keys":
            # Each pair is rotated by its position, so either of it can become as large as both.
            first, second = size.chunk(2, -1)
            size = torch.hypot(first, second).repeat(1, 1, 2)
        size = size.amax(0)
        seen[key] = torch.maximum(seen[key], size) if key in seen else size

    return note


@torch.no_grad()
def largest(model, ids):
    """The largest absolute value of each channel that each group of linear layers reads, and of keys and values."""
    seen, hooks = {}, []
    for number, layer in enumerate(model.model.layers):
        for name, group in reading(layer).items():
            key = (number, name)

            def note(_, inputs, key=key):
                size = inputs[0].abs().flatten(0, -2).amax(0)
                seen[key] = torch.maximum(seen[key], size) if key in seen else size

            hooks.append(group[0].register_forward_pre_hook(note))
        for name, linear in (("keys", layer.self_attn.k_proj), ("values", layer.self_attn.v_proj)):
            hooks.append(linear.register_forward_hook(kept(seen, (number, name), model.config)))
    for one in ids:
        model(torch.tensor([one]), use_cache=False)
    for hook in hooks:
        hook.remove()
    return seen


@torch.no_grad()
def exponents(model, seen, alpha):
    """log2 of `max|x|^alpha / max|W|^(1 - alpha)`, less its mean, rounded: by layer and group of linear layers."""
    config = model.config
    heads, width = config.num_key_value_heads, config.head_dim
    found = {}
    for number, layer in enumerate(model.model.layers):
        for name, group in reading(layer).items():
            read = seen[number, name]
            weights = torch.stack([linear.weight.abs().amax(0) for linear in group]).amax(0)
            if name == "o":
                # Query heads that share values share their scales.
                read = read.view(heads, -1, width).amax(1)
                weights = weights.view(heads, -1, width).amax(1)
            scale = alpha * read.clamp(min=1e-5).log2() - (1 - alpha) * weights.clamp(min=1e-5).log2()
            found[f"{number}.{name}"] = (scale - scale.mean()).round().clamp(-12, 12).to(torch.int8)
    return found


def main():
    args = arguments()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    tokenizer, model = opened(args.base)
    seen = largest(model.eval(), texts(args, tokenizer))
    found = exponents(model, seen, args.alpha)
    found |= {f"{number}.{name}": size for (number, name), size in seen.items() if name in ("keys", "values")}
    lessons = hashlib.sha256(args.lessons.read_bytes()).hexdigest()
    save_file(found, args.out, {"alpha": str(args.alpha), "count": str(args.count), "lessons_sha256": lessons})
    print(f"{args.out}: {len(model.model.layers)} layers")


if __name__ == "__main__":
    main()
