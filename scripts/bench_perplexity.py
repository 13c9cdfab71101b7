#!/usr/bin/env python3
"""Scores the tokens of a file that `almanac bench perplexity --scores` wrote, with transformers in single precision.

transformers dequantises the GGUF file by code of its own and runs it under torch: an implementation that shares nothing
with ours.

    bench_perplexity.py model.gguf SCORES OUT
"""

import json
import sys
from pathlib import Path

import torch
import transformers


def main():
    gguf, scores, out = (Path(argument) for argument in sys.argv[1:])
    asked = json.loads(scores.read_text())
    model = transformers.AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    model.eval()
    nll, choice = [], []
    tokens, window = asked["tokens"], asked["window"]
    for start in range(0, len(tokens), window):
        part = tokens[start : start + window]
        nll.append(None)
        choice.append(None)
        if len(part) < 2:
            continue
        with torch.no_grad():
            logits = model(torch.tensor([part])).logits[0, :-1].double()
        scored = logits.log_softmax(-1)
        nll += (-scored[range(len(part) - 1), part[1:]]).tolist()
        choice += logits.argmax(-1).tolist()
        print(f"\r{start + len(part)} of {len(tokens)} tokens", end="", file=sys.stderr)
    print(file=sys.stderr)
    program = f"transformers {transformers.__version__}, torch {torch.__version__}"
    out.write_text(json.dumps({"program": program, "window": window, "tokens": tokens, "nll": nll, "choice": choice}))


main()
