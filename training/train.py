"""Tunes a LoRA adapter on lessons of the box; CPU, one GPU, or many through `accelerate launch`.

    python training/train.py --lessons train.jsonl --watch dev.jsonl --base model.gguf --out FOLDER

Goes on from its last checkpoint when it was cut. Writes a PEFT folder (adapter_config.json,
adapter_model.safetensors), log.jsonl, curves.svg and run.json (data hashes, hyper-parameters, time).
"""

import argparse
import hashlib
import json
import math
import os
import random
import time
import tomllib
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from accelerate import Accelerator
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from curves import draw
from lessons import Lessons, batches


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).parent
    parser.add_argument("--lessons", required=True, type=Path, help="lessons to learn")
    parser.add_argument("--watch", required=True, type=Path, help="lessons to watch, never learned")
    parser.add_argument("--base", required=True, type=Path, help="the base model's GGUF file")
    parser.add_argument("--out", required=True, type=Path, help="folder of the adapter")
    parser.add_argument("--config", default=here / "train.toml", type=Path)
    return parser.parse_args()


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def padded(batch, pad, device):
    """Token ids [batch, length], padded on the right, and the positions whose next token is learned."""
    longest = max(len(lesson.ids) for lesson in batch)
    ids = torch.full((len(batch), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    rows, columns, wanted = [], [], []
    for row, lesson in enumerate(batch):
        ids[row, : len(lesson.ids)] = torch.tensor(lesson.ids)
        mask[row, : len(lesson.ids)] = 1
        for at in range(lesson.prompt, len(lesson.ids)):
            rows.append(row)
            columns.append(at - 1)
            wanted.append(lesson.ids[at])
    where = (torch.tensor(rows, device=device), torch.tensor(columns, device=device))
    return ids.to(device), mask.to(device), where, torch.tensor(wanted, device=device)


def losses(model, batch, pad, device):
    """Cross entropy of every answer token. The head runs on answer positions alone: on a CPU it would
    otherwise cost as much as a third of the layers."""
    ids, mask, where, wanted = padded(batch, pad, device)
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model.module.get_base_model()
    hidden = causal.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    logits = causal.lm_head(hidden[where])
    return functional.cross_entropy(logits.float(), wanted, reduction="none")


def share_at(step, steps, warmup):
    """The learning rate's share of its peak: linear up, cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@torch.no_grad()
def watched(model, lessons, accelerator, pad):
    model.eval()
    with accelerator.autocast():
        each = [losses(model, [lesson], pad, accelerator.device) for lesson in lessons]
    model.train()
    return torch.cat(each).mean().item()


def checkpoint(path, model, optimizer, step, log):
    """Written whole, then renamed: a cut leaves the one before."""
    state = {
        "adapter": get_peft_model_state_dict(model),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "log": log,
    }
    torch.save(state, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def plan(lessons, config):
    """Every batch of the run, the same for the same seed: a run that was cut goes on where it stood."""
    chance = random.Random(config["schedule"]["seed"])
    steps = []
    for _ in range(config["schedule"]["epochs"]):
        drawn = lessons.epoch(config["data"], chance)
        steps.extend(batches(drawn, config["schedule"]["batch_tokens"], chance))
    return steps


def main():
    args = arguments()
    config = tomllib.loads(args.config.read_text())
    schedule = config["schedule"]
    torch.manual_seed(schedule["seed"])
    # Torch counts physical cores; a second thread on a core is still worth a third.
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    accelerator = Accelerator(mixed_precision="bf16")
    tokenizer = AutoTokenizer.from_pretrained(args.base.parent, gguf_file=args.base.name)
    base = AutoModelForCausalLM.from_pretrained(
        args.base.parent, gguf_file=args.base.name, dtype=torch.float32
    )
    base.config.use_cache = False
    lora = config["lora"]
    model = get_peft_model(
        base,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=lora["layers"],
        ),
    )
    longest = config["data"]["max_tokens"]
    lessons = Lessons(args.lessons, tokenizer, longest)
    to_watch = Lessons(args.watch, tokenizer, longest).epoch(config["data"], random.Random(0))
    random.Random(0).shuffle(to_watch)
    to_watch = to_watch[: config["watch"]["lessons"]]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    optimizer = torch.optim.AdamW(
        [weight for weight in model.parameters() if weight.requires_grad],
        lr=schedule["learning_rate"],
        weight_decay=schedule["weight_decay"],
    )
    args.out.mkdir(parents=True, exist_ok=True)
    saved = args.out / "checkpoint.pt"
    first, log = 0, []
    if saved.exists():
        state = torch.load(saved, map_location="cpu", weights_only=True)
        set_peft_model_state_dict(model, state["adapter"])
        optimizer.load_state_dict(state["optimizer"])
        first, log = state["step"], state["log"]
    raw = model
    model, optimizer = accelerator.prepare(model, optimizer)
    steps = plan(lessons, config)
    warmup = max(1, int(len(steps) * schedule["warmup_share"]))
    say = accelerator.print
    say(f"{len(steps)} steps, from {first}; {lessons.left_out} lessons longer than {longest} tokens left out")
    began, spent = time.monotonic(), log[-1]["seconds"] if log else 0.0
    model.train()
    for step in range(first, len(steps)):
        for group in optimizer.param_groups:
            group["lr"] = schedule["learning_rate"] * share_at(step, len(steps), warmup)
        mine = steps[step][accelerator.process_index :: accelerator.num_processes] or steps[step][:1]
        with accelerator.autocast():
            loss = losses(model, mine, pad, accelerator.device).mean()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), schedule["clip"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        last = step + 1 == len(steps)
        row = {"step": step + 1, "loss": loss.item(), "seconds": spent + time.monotonic() - began}
        if last or (step + 1) % config["watch"]["every_steps"] == 0:
            row["watched"] = watched(model, to_watch, accelerator, pad)
            row["seconds"] = spent + time.monotonic() - began
        log.append(row)
        if (step + 1) % 4 == 0 and "watched" not in row:
            say(f"step {step + 1} of {len(steps)}: loss {row['loss']:.3f}, {row['seconds']:.0f} s")
        if accelerator.is_main_process and "watched" in row:
            checkpoint(saved, raw, optimizer, step + 1, log)
            left = (row["seconds"] / (step + 1)) * (len(steps) - step - 1)
            recent = [one["loss"] for one in log[-config["watch"]["every_steps"] :]]
            say(
                f"step {step + 1} of {len(steps)}: loss {sum(recent) / len(recent):.3f}, "
                f"watched {row['watched']:.3f}, {left / 60:.0f} min left"
            )
    if not accelerator.is_main_process:
        return
    # Half precision, as the box keeps it: half the bytes over the air, and a file that can be committed.
    for weight in raw.parameters():
        if weight.requires_grad:
            weight.data = weight.data.half()
    # The base by its name: the folder is this computer's own.
    for written in raw.peft_config.values():
        written.base_model_name_or_path = args.base.parent.name
    raw.save_pretrained(args.out)
    # PEFT writes a card of its own; ours is made by card.py, from figures.
    (args.out / "README.md").unlink(missing_ok=True)
    (args.out / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    draw(log, args.out / "curves.svg")
    run = {
        "base": {"file": args.base.name, "sha256": sha256(args.base)},
        "lessons_sha256": sha256(args.lessons),
        "watch_sha256": sha256(args.watch),
        "questions": len(lessons.by_question),
        "steps": len(steps),
        "lessons_seen": sum(len(step) for step in steps),
        "minutes": round(log[-1]["seconds"] / 60, 1),
        "device": str(accelerator.device),
        "processes": accelerator.num_processes,
        "last_loss": round(sum(row["loss"] for row in log[-20:]) / len(log[-20:]), 4),
        "watched_loss": [round(row["watched"], 4) for row in log if "watched" in row],
        "torch": torch.__version__,
        "config": config,
    }
    (args.out / "run.json").write_text(json.dumps(run, indent=2) + "\n")
    saved.unlink(missing_ok=True)
    say(f"{args.out}: {run['minutes']} minutes")


if __name__ == "__main__":
    main()
