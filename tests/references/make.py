#!/usr/bin/env python3
"""Computes the numbers that tests/model.rs compares with, by an independent implementation.

transformers dequantises the GGUF file and runs it in single precision under torch; PEFT applies the
adapter; sentence-transformers embeds. Made with

    python3 tests/references/make.py SmolLM2-135M-Instruct.Q4_1.gguf all-MiniLM-L6-v2/ > tests/references/references.json

and transformers, torch, peft, gguf, sentence-transformers (versions are in the output).
"""

import json
import math
import sys
from pathlib import Path

import peft
import sentence_transformers
import torch
import transformers

PROMPTS = [
    "The capital of France is",
    "Plant maize 5 cm deep when the soil is at 10 °C.",
    "def add(a, b):\n    return",
    "Nitrogen: 181 lb/acre, phosphorus: 40 lb/acre, potassium:",
]
CHATS = [
    [
        {"role": "system", "content": "Answer from the passage in one sentence."},
        {
            "role": "user",
            "content": "Passage: Plant maize 2 inches (5 cm) deep in most soils.\n\nQuestion: How deep should I plant maize?",
        },
    ],
    [{"role": "user", "content": "Why do farmers rotate crops?"}],
]
TEXTS = [
    "How deep should I plant maize?",
    "Corn seed goes five centimetres into the soil.",
    "The tractor is red.",
    "Naïve café: 12 °C, ½ inch — 氮肥.",
    "Long text. " * 200,
]
# Ids whose logits are kept: spread over the whole vocabulary.
KEPT = list(range(7, 49152, 1531))
RANK = 3
ALPHA = 6.0


def wave(index, seed):
    """Weights of the test adapter: a formula, so that nothing needs to be stored."""
    return math.sin(0.37 * index + seed) * 0.02


def adapter_state(model):
    """Fills every LoRA matrix by the formula, in the order of the sorted names."""
    names = sorted(name for name, _ in model.named_parameters() if "lora_" in name)
    parameters = dict(model.named_parameters())
    for seed, name in enumerate(names):
        parameter = parameters[name]
        values = [wave(index, seed) for index in range(parameter.numel())]
        parameter.data = torch.tensor(values, dtype=torch.float64).to(torch.float16).to(torch.float32).view(parameter.shape)


def last_logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -1].double()


def describe(model, ids):
    logits = last_logits(model, ids)
    return {
        "tokens": ids,
        "argmax": int(logits.argmax()),
        "logsumexp": float(logits.logsumexp(0)),
        "logits": [float(logits[id]) for id in KEPT],
    }


def nll(model, ids, window=512):
    """Sum of the negative log-likelihoods of all tokens but the first of each window; and their count."""
    total, count = 0.0, 0
    for start in range(0, len(ids) - 1, window):
        part = ids[start : start + window]
        if len(part) < 2:
            break
        with torch.no_grad():
            logits = model(torch.tensor([part])).logits[0].double()
        scores = logits[:-1].log_softmax(-1)
        total -= float(scores[range(len(part) - 1), part[1:]].sum())
        count += len(part) - 1
    return total, count


def main():
    gguf, minilm = Path(sys.argv[1]), Path(sys.argv[2])
    text = Path(__file__).with_name("text.txt").read_text()
    folder, file = str(gguf.parent), gguf.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    model.eval()
    out = {
        "versions": {m.__name__: m.__version__ for m in (transformers, torch, peft, sentence_transformers)},
        "kept_ids": KEPT,
    }
    prompts = [tokenizer.encode(prompt, add_special_tokens=False) for prompt in PROMPTS]
    chats = [tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in CHATS]
    prompts += [tokenizer.encode(chat, add_special_tokens=False) for chat in chats]
    out["chats"] = [{"messages": chat, "prompt": prompt} for chat, prompt in zip(CHATS, chats)]
    out["prompts"] = [
        {"text": text, **describe(model, ids)} for text, ids in zip(PROMPTS + chats, prompts)
    ]
    ids = tokenizer.encode(text, add_special_tokens=False)
    total, count = nll(model, ids)
    out["text"] = {"tokens": len(ids), "nll": total, "scored": count}

    sentences = sentence_transformers.SentenceTransformer(str(minilm), device="cpu")
    vectors = sentences.encode(TEXTS, normalize_embeddings=True)
    out["embeddings"] = [{"text": text, "vector": [round(float(x), 7) for x in vector]} for text, vector in zip(TEXTS, vectors)]

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM")
    tuned = peft.get_peft_model(model, config)
    tuned.eval()
    adapter_state(tuned)
    out["adapter"] = {
        "rank": RANK,
        "alpha": ALPHA,
        "names": sorted(name for name, _ in tuned.named_parameters() if "lora_" in name)[:8],
        "prompts": [describe(tuned, ids) for ids in prompts],
    }
    json.dump(out, sys.stdout, indent=1)


main()
