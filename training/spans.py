"""Short answers copied from a passage: lessons of a question set with spans, and what an adapter makes of them.

    python training/spans.py lessons --set BEIR_FOLDER --out FOLDER
    python training/spans.py measure --set BEIR_FOLDER --base model.gguf --adapter FOLDER --found found.jsonl

The set is a BEIR folder whose queries have `answers`. It is split by passage: no passage of a test question is
learned from. The arms are the paper's four, the model published or tuned, without or with its passage. All are
asked for a span, and the published model is asked again after three worked examples, so that the form of the
answer is not mistaken for knowledge. `found` is what `almanac search --batch queries.jsonl --json` printed.
"""

import argparse
import hashlib
import json
import os
import random
import re
import string
from collections import Counter
from pathlib import Path

ASKED = "Answer with the fewest words of the text that answer the question, copied exactly, and nothing else."
ASKED_CLOSED = "Answer the question with the fewest words, and nothing else."
# Passages beside the right one in a lesson, and those that a retrieved prompt holds.
BESIDE, FOUND = 2, 3
LONGEST_ANSWER = 48
EXAMPLES = 3


def rows(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]


def read(folder):
    """Texts by id, and the questions with the id of their passage."""
    texts = {row["_id"]: row["text"] for row in rows(folder / "corpus.jsonl")}
    questions = {row["_id"]: row for row in rows(folder / "queries.jsonl")}
    for path in sorted((folder / "qrels").glob("*.tsv")):
        for line in path.read_text().splitlines()[1:]:
            question, passage, grade = line.split("\t")
            if int(grade) > 0 and question in questions:
                questions[question]["passage"] = passage
    asked = [row for row in questions.values() if row.get("answers") and "passage" in row]
    if not asked:
        raise SystemExit(f"{folder}: no question has `answers` and a passage in qrels/")
    return texts, asked


def part(passage):
    """train (six in ten), watch (one) or test (three), by the passage's id alone."""
    share = hashlib.sha256(passage.encode()).digest()[0] / 256
    return "train" if share < 0.6 else "watch" if share < 0.7 else "test"


def asked(question, passages):
    joined = "\n\n".join(passages)
    text = f"Text:\n{joined}\n\n" if passages else ""
    return {"role": "user", "content": f"{text}Question: {question}"}


def chat(question, passages, examples=()):
    """The prompt: `examples` are (question, passages, answer) worked before the question."""
    turns = [{"role": "system", "content": ASKED if passages else ASKED_CLOSED}]
    for shown, beside, answer in examples:
        turns += [asked(shown, beside), {"role": "assistant", "content": answer}]
    return [*turns, asked(question, passages)]


def examples(texts, questions):
    """Worked examples of the training part: the shortest passages, each once, so that a small context holds them."""
    learned = [row for row in questions if part(row["passage"]) == "train"]
    learned.sort(key=lambda row: (len(texts[row["passage"]]), row["_id"]))
    first = {row["passage"]: row for row in reversed(learned)}
    some = sorted(first.values(), key=lambda row: len(texts[row["passage"]]))[:EXAMPLES]
    return [(row["text"], texts[row["passage"]], row["answers"][0]) for row in some]


def write_lessons(args):
    texts, questions = read(args.set)
    chance = random.Random(17)
    args.out.mkdir(parents=True, exist_ok=True)
    made = {"train": [], "watch": []}
    for row in questions:
        side = part(row["passage"])
        if side not in made:
            continue
        own = texts[row["passage"]]
        others = sorted(id for id in texts if part(id) == side and id != row["passage"])
        among = [own, *(texts[id] for id in chance.sample(others, min(BESIDE, len(others))))]
        chance.shuffle(among)
        for passages in ([own], among):
            answer = {"role": "assistant", "content": row["answers"][0]}
            messages = [*chat(row["text"], passages), answer]
            made[side].append(
                {"id": row["_id"], "kind": "answerable", "withheld": "nothing", "messages": messages}
            )
    for side, lessons in made.items():
        path = args.out / f"{side}.jsonl"
        path.write_text("".join(json.dumps(lesson) + "\n" for lesson in lessons))
        print(f"{path}: {len(lessons)} lessons")


def words(text):
    """As SQuAD compares answers: no case, marks or articles."""
    text = "".join(" " if mark in string.punctuation else mark for mark in text.lower())
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def scores(answer, golds):
    """Exact match, token F1, and whether the answer holds the span whole; against the best of `golds`."""
    said = words(answer)
    best = (0.0, 0.0, 0.0)
    for gold in map(words, golds):
        same = sum((Counter(said) & Counter(gold)).values())
        f1 = 2 * same / (len(said) + len(gold)) if same else 0.0
        holds = f" {' '.join(gold)} " in f" {' '.join(said)} "
        best = tuple(map(max, best, (float(said == gold), f1, float(holds))))
    return best


def interval(values):
    """95 % bootstrap interval of the mean, over questions."""
    chance = random.Random(0)
    means = sorted(sum(chance.choices(values, k=len(values))) / len(values) for _ in range(1000))
    return means[25], means[974]


def answers(model, tokenizer, chats):
    """Greedy answers, eight prompts of like length at a time."""
    import torch

    prompts = [
        tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in chats
    ]
    order = sorted(range(len(prompts)), key=lambda at: len(prompts[at]))
    found = [("", 0)] * len(prompts)
    for start in range(0, len(order), 8):
        some = order[start : start + 8]
        batch = tokenizer(
            [prompts[at] for at in some], return_tensors="pt", padding=True, add_special_tokens=False
        )
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            out = model.generate(**batch, max_new_tokens=LONGEST_ANSWER, do_sample=False)
        for at, ids in zip(some, out[:, batch["input_ids"].shape[1] :]):
            text = tokenizer.decode(ids, skip_special_tokens=True).strip()
            found[at] = (text, len(tokenizer(text, add_special_tokens=False)["input_ids"]))
    return found


def measure(args):
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    texts, questions = read(args.set)
    worked = examples(texts, questions)
    questions = [row for row in questions if part(row["passage"]) == "test"]
    # Passages are cut out of documents: whole texts are what both arms are given.
    found = {row["id"]: list(dict.fromkeys(hit["document"] for hit in row["results"])) for row in rows(args.found)}
    hit = sum(row["passage"] in found[row["_id"]][:FOUND] for row in questions)
    given = {
        "closed book": lambda row: [],
        "passage given": lambda row: [texts[row["passage"]]],
        "passages retrieved": lambda row: [texts[id] for id in found[row["_id"]][:FOUND]],
    }
    folder, file = args.base.parent, args.base.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file, padding_side="left")
    base = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    base.generation_config.pad_token_id = tokenizer.eos_token_id
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    print(f"{len(questions)} questions; the right passage is among the {FOUND} retrieved for {hit}\n")
    print("| | | exact match | token F1 (95 %) | span contained | tokens |\n|---|---|---|---|---|---|")
    for title, shown in (("published", 0), (f"published, {EXAMPLES} examples", EXAMPLES), ("tuned", 0)):
        model = PeftModel.from_pretrained(base, args.adapter).merge_and_unload() if title == "tuned" else base
        model.eval()
        for manner, passages in given.items():
            before = [
                (question, [passage] if manner != "closed book" else [], answer)
                for question, passage, answer in worked[:shown]
            ]
            chats = [chat(row["text"], passages(row), before) for row in questions]
            said = answers(model, tokenizer, chats)
            each = [scores(text, row["answers"]) for (text, _), row in zip(said, questions)]
            exact, f1, holds = (sum(column) / len(each) for column in zip(*each))
            low, high = interval([score[1] for score in each])
            tokens = sum(count for _, count in said) / len(said)
            print(
                f"| {title} | {manner} | {exact:.2f} | {f1:.2f} ({low:.2f} to {high:.2f}) | {holds:.2f} | {tokens:.1f} |",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(required=True)
    one = parts.add_parser("lessons", help="write train.jsonl and watch.jsonl for train.py")
    one.add_argument("--set", required=True, type=Path)
    one.add_argument("--out", required=True, type=Path)
    one.set_defaults(run=write_lessons)
    two = parts.add_parser("measure", help="print the arms' table for the test part")
    for name in ("--set", "--base", "--adapter", "--found"):
        two.add_argument(name, required=True, type=Path)
    two.set_defaults(run=measure)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
