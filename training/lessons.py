"""Lessons as `almanac study lessons` writes them: read, drawn for an epoch, cut into batches."""

import json
import random
from collections import defaultdict
from pathlib import Path


class Lesson:
    """One prompt with the answer to learn, as tokens: `ids[:prompt]` is read, `ids[prompt:]` is learned."""

    def __init__(self, ids, prompt):
        self.ids = ids
        self.prompt = prompt


def tokens(tokenizer, messages):
    """The served prompt and its answer with the end of the turn, as one Lesson."""
    read = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
    answer = messages[-1]["content"] + tokenizer.eos_token
    prompt = tokenizer(read, add_special_tokens=False)["input_ids"]
    learned = tokenizer(answer, add_special_tokens=False)["input_ids"]
    return Lesson(prompt + learned, len(prompt))


class Lessons:
    """A file of lessons by question."""

    def __init__(self, path, tokenizer, longest):
        self.by_question = defaultdict(lambda: {"nothing": [], "document": [], "fact": [], "kind": None})
        self.left_out = 0
        for line in Path(path).read_text().splitlines():
            row = json.loads(line)
            lesson = tokens(tokenizer, row["messages"])
            if len(lesson.ids) > longest:
                self.left_out += 1
                continue
            question = self.by_question[row["id"]]
            question["kind"] = row["kind"]
            question[row["withheld"]].append(lesson)
        if not self.by_question:
            raise SystemExit(f"{path}: no lessons; `almanac study lessons --out {path}` writes them")

    def epoch(self, data, chance: random.Random):
        """The lessons of one epoch, drawn by `chance`."""
        drawn = []
        for _, question in sorted(self.by_question.items()):
            answerable = question["kind"] == "answerable"
            for _ in range(1 if answerable else data["unanswerable_repeats"]):
                if question["nothing"]:
                    drawn.append(chance.choice(question["nothing"]))
            for withheld in ("document", "fact"):
                share = data[f"{withheld}_withheld_share"]
                if share and question[withheld] and chance.random() < share:
                    drawn.append(chance.choice(question[withheld]))
        return drawn


def batches(lessons, most_tokens, chance: random.Random):
    """Batches of like length, at most `most_tokens` padded tokens each, in random order."""
    ordered = sorted(lessons, key=lambda lesson: len(lesson.ids) + chance.random() * 24)
    made, batch = [], []
    for lesson in ordered:
        longest = max(len(lesson.ids), *(len(one.ids) for one in batch)) if batch else len(lesson.ids)
        if batch and longest * (len(batch) + 1) > most_tokens:
            made.append(batch)
            batch = []
        batch.append(lesson)
    if batch:
        made.append(batch)
    chance.shuffle(made)
    return made
