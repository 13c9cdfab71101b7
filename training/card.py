"""Writes the card of an adapter: data, hashes, hyper-parameters, curves, figures, limits, licence.

    python3 training/card.py FOLDER [RESULTS IMPORTED]

FOLDER is what train.py wrote; RESULTS a `results.json` of `almanac study`, whose figures are taken when it
measured IMPORTED, the box's form of this adapter. Needs nothing but Python.
"""

import hashlib
import json
import sys
from pathlib import Path

ROWS = [
    ("key_fact_recall", "key facts right"),
    ("key_fact_precision", "of the facts stated, right"),
    ("fully_correct", "answers fully correct"),
    ("refusal_recall", "unanswerable questions refused"),
    ("refused_answerable", "answerable questions refused"),
    ("ungrounded", "ungrounded figures or names an answer"),
    ("length_ratio", "words for each word of the reference"),
]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cell(key, figure):
    if figure is None:
        return ""
    if key in ("ungrounded", "length_ratio"):
        return f"{figure['value']:.2f}"
    return f"{100 * figure['value']:.1f} % ({100 * figure['low']:.0f} to {100 * figure['high']:.0f})"


def figures(results):
    arms = results["arms"]
    counted = sum(results["questions"].values())
    lines = [
        f"On the {results['run']['split']} part of the sample farm's questions ({counted} questions, none of whose topics",
        "is in training), with 95 % intervals over questions; `make study` prints them anew:",
        "",
        "| | " + " | ".join(arm["title"] for arm in arms) + " |",
        "|---|" + "---|" * len(arms),
    ]
    for key, title in ROWS:
        cells = [cell(key, arm["figures"].get(key)) for arm in arms]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def card(folder, results):
    run = json.loads((folder / "run.json").read_text())
    lora, schedule = run["config"]["lora"], run["config"]["schedule"]
    lines = [
        "# The sample farm's adapter",
        "",
        "A LoRA adapter for SmolLM2-135M-Instruct that answers a farm question in one short sentence from the passages",
        "in the prompt, and says `The text does not say.` where they do not answer. The box's guard still checks every",
        "figure and name; the adapter is of no use without passages.",
        "",
        "- **Base**: SmolLM2-135M-Instruct, GGUF Q4_1 as `models/smollm2-135m-instruct.toml` fetches it, sha256",
        f"  `{run['base']['sha256']}`",
        f"- **Weights**: `adapter_model.safetensors`, half precision, sha256 `{sha256(folder / 'adapter_model.safetensors')}`",
        f"- **Data**: lessons of {run['questions']} questions of the training part of `examples/farm/questions.jsonl`,",
        "  written by `almanac study lessons` from the box's own retrieval; documents of the other parts hidden. sha256",
        f"  of the lessons `{run['lessons_sha256']}`, of the development lessons that were watched",
        f"  `{run['watch_sha256']}`",
        f"- **LoRA**: rank {lora['rank']}, alpha {lora['alpha']}, dropout {lora['dropout']}, on {', '.join(lora['layers'])}",
        f"- **Schedule**: {run['steps']} steps of at most {schedule['batch_tokens']} tokens ({schedule['epochs']} epochs,"
        f" {run['lessons_seen']} lessons seen), learning",
        f"  rate {schedule['learning_rate']:g} with {schedule['decay']} decay, seed {schedule['seed']};"
        f" {run['minutes']:.0f} minutes on {run['processes']} process ({run['device']})",
        f"- **Loss of answer tokens**: training {run['last_loss']:.3f} at the end, development"
        f" {run['watched_loss'][0]:.3f} first, {run['watched_loss'][-1]:.3f} last",
        "- **Again**: `make train`",
        "- **Licence**: Apache-2.0, as the base and the questions",
        "",
        "![Loss of the training and the development part](curves.svg)",
        "",
        "## What it is worth",
        "",
    ]
    lines += results or ["Not measured yet: `make study`."]
    lines += [
        "",
        "## Limits",
        "",
        "Tuned on eighteen topics of arable crops of twenty places in three countries, in English. It copies figures, it",
        "does not calculate. On near misses (the crop is there, the fact is not) it still answers too often; the box",
        "therefore also refuses by relevance, and quotes the source where a sentence is not grounded. Closed book it is",
        "as ignorant as its base and more confident.",
        "",
    ]
    return "\n".join(lines)


def main():
    folder = Path(sys.argv[1])
    results = None
    if len(sys.argv) > 3:
        results, imported = Path(sys.argv[2]), Path(sys.argv[3])
        results = json.loads(results.read_text())
        measured = (results["run"].get("adapter") or {}).get("sha256")
        if measured != sha256(imported):
            raise SystemExit(f"{sys.argv[2]} did not measure {imported}; run make study")
        results = figures(results)
    (folder / "README.md").write_text(card(folder, results))


if __name__ == "__main__":
    main()
