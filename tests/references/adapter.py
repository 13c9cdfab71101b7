#!/usr/bin/env python3
"""Computes what tests/adapter.rs compares with: the shipped adapter on the base, by PEFT over transformers.

Prompts are questions of the sample farm over the beginning of their gold section. Kept of each are some logits of the last
position and the greedy text. Left out are prompts where the two best tokens of a step are nearly equal, for rounding decides
there, and those with a digit after two line breaks, which transformers, of a GGUF file, does not split as the publisher's
tokenizer does. Made with

    python3 tests/references/adapter.py SmolLM2-135M-Instruct.Q4_1.gguf > tests/references/adapter.json

and transformers, torch, peft, gguf (versions are in the output).
"""

import json
import re
import sys
from pathlib import Path

import peft
import torch
import transformers

ROOT = Path(__file__).resolve().parents[2]
FARM = ROOT / "examples" / "farm"
# Ids whose logits are kept: spread over the whole vocabulary.
KEPT = list(range(7, 49152, 3071))
COUNT = 24
# Every so many questions one: neighbours ask of the same section.
STRIDE = 41
CHARACTERS = 500
TOKENS = 24
# Least distance of the two best logits, all along a text.
APART = 0.02
RULE = "Answer only with what the text says, in one short sentence."


def chats():
    lines = (FARM / "questions.jsonl").read_text().splitlines()
    for line in lines[::STRIDE]:
        question = json.loads(line)
        gold = question.get("gold")
        if not gold:
            continue
        document = (FARM / "documents" / gold["document"]).read_text()
        start = document.find("## " + gold["section"])
        if start < 0:
            continue
        text = document[start : start + CHARACTERS]
        user = f"Text:\n{text}\n\nQuestion: {question['question']}"
        yield [{"role": "system", "content": RULE}, {"role": "user", "content": user}]


def main():
    gguf = Path(sys.argv[1])
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    base = transformers.AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(base, str(ROOT / "models" / "farm-adapter"))
    model.eval()
    ends = {tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>")}
    prompts, left_out = [], 0
    for chat in chats():
        if len(prompts) == COUNT:
            break
        text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        if re.search(r"\s\s\d", text):
            left_out += 1
            continue
        ids = tokenizer.encode(text, add_special_tokens=False)
        with torch.no_grad():
            step = model(torch.tensor([ids]), use_cache=True)
            first = step.logits[0, -1].double()
            written, apart = [], float("inf")
            while True:
                best = step.logits[0, -1].topk(2)
                apart = min(apart, float(best.values[0] - best.values[1]))
                token = int(best.indices[0])
                if token in ends:
                    break
                written.append(token)
                if len(written) == TOKENS:
                    break
                step = model(torch.tensor([[token]]), past_key_values=step.past_key_values, use_cache=True)
        print(f"{len(ids)} tokens, apart {apart:.3f}: {tokenizer.decode(written)}", file=sys.stderr)
        if apart < APART:
            left_out += 1
            continue
        prompts.append(
            {
                "messages": chat,
                "tokens": len(ids),
                "argmax": int(first.argmax()),
                "logsumexp": round(float(first.logsumexp(0)), 5),
                "logits": [round(float(first[id]), 5) for id in KEPT],
                "text": tokenizer.decode(written, skip_special_tokens=True),
            }
        )
    out = {
        "versions": {m.__name__: m.__version__ for m in (transformers, torch, peft)},
        "kept_ids": KEPT,
        "max_tokens": TOKENS,
        "left_out": left_out,
        "prompts": prompts,
    }
    json.dump(out, sys.stdout, indent=1, ensure_ascii=False)
    print()


main()
