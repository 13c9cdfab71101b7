"""Draws the loss curves of a run as SVG."""

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

SMOOTH = 10


def draw(log, path):
    """`log` are the rows of log.jsonl; training loss as a running mean, and the watched loss."""
    figure, axes = pyplot.subplots(figsize=(7, 3.5))
    steps = [row["step"] for row in log]
    loss = [row["loss"] for row in log]
    smooth = []
    for at in range(len(loss)):
        window = loss[max(0, at - SMOOTH + 1) : at + 1]
        smooth.append(sum(window) / len(window))
    axes.plot(steps, loss, color="#c8d6c0", linewidth=0.8, label="training, each step")
    axes.plot(steps, smooth, color="#3a6b35", label=f"training, mean of {SMOOTH} steps")
    seen = [row for row in log if "watched" in row]
    axes.plot(
        [row["step"] for row in seen],
        [row["watched"] for row in seen],
        color="#b3541e",
        marker="o",
        markersize=3,
        label="development part",
    )
    axes.set_xlabel("step")
    axes.set_ylabel("cross entropy of answer tokens (nats)")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
