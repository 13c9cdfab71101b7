"""Runs usearch and onnxruntime on what `almanac bench retrieval --scale --export` wrote; prints both beside ours."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

THREADS = 2
os.environ["OMP_NUM_THREADS"] = str(THREADS)

import numpy as np  # noqa: E402  (the threads are set before it is loaded)
import onnxruntime  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from usearch.index import Index, MetricKind, search  # noqa: E402

BATCH = 16
LONGEST = 256
# Ours and theirs take turns, so that a busy moment of the machine hits both.
ROUNDS = 3


def percentile(times, percent):
    return float(np.percentile(np.array(times) * 1000.0, percent))


def timed(queries, ask):
    found, times = [], []
    for query in queries:
        begin = time.perf_counter()
        found.append(np.asarray(ask(query)))
        times.append(time.perf_counter() - begin)
    return found, times


def recall(found, truth):
    hits = sum(len(set(own.tolist()) & set(best.tolist())) for own, best in zip(found, truth))
    return hits / sum(len(best) for best in truth)


def searched(name, queries, ask, truth, ours):
    ask(queries[0])
    found, times = timed(queries, ask)
    p50 = percentile(times, 50)
    print(
        f"  {name:<34} {p50:7.2f} ms (p99 {percentile(times, 99):.2f}), recall@10 {recall(found, truth):.4f},"
        f" ours takes {ours / p50:.2f} of its time"
    )


def vectors(folder, shape, ours):
    stored = np.fromfile(folder / "passages.f32", dtype="<f4").reshape(shape["passages"], shape["dimension"])
    queries = np.fromfile(folder / "queries.f32", dtype="<f4").reshape(shape["queries"], shape["dimension"])
    truth = [np.argsort(-(stored @ query), kind="stable")[:10] for query in queries]
    dense = ours["dense_p50_ms"]
    print(f"{len(stored)} vectors of {shape['dimension']}, {len(queries)} queries, {THREADS} threads")
    print(f"  {'ours: ' + ours['dense']:<34} {dense:7.2f} ms (p99 {ours['dense_p99_ms']:.2f}), recall@10 {ours['recall_at_10']:.4f}")
    exact = lambda query: search(stored, query, 10, MetricKind.IP, exact=True, threads=THREADS).keys
    searched("usearch exact f32", queries, exact, truth, dense)
    for dtype in ("f32", "i8"):
        index = Index(ndim=shape["dimension"], metric="cos", dtype=dtype)
        begin = time.perf_counter()
        index.add(np.arange(len(stored)), stored, threads=THREADS)
        built = time.perf_counter() - begin
        for expansion in (64, 256, 1024):
            index.expansion_search = expansion
            name = f"usearch HNSW {dtype}, expansion {expansion}"
            searched(name, queries, lambda query: index.search(query, 10, threads=THREADS).keys, truth, dense)
        print(f"  usearch HNSW {dtype} built in {built:.1f} s; ours has nothing to build")


def embedding(model, shape, command):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model / "model.onnx"), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()

    def embed(texts):
        encoded = tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([one.ids for one in encoded], dtype=np.int64),
            "attention_mask": np.array([one.attention_mask for one in encoded], dtype=np.int64),
        }
        return session.run(None, feed)[0]

    texts = shape["texts"]
    embed(texts[:BATCH])
    ours, theirs = [], []
    for _ in range(ROUNDS):
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        ours.append(json.loads(told.splitlines()[0])["embedded_per_s"])
        begin = time.perf_counter()
        for first in range(0, len(texts), BATCH):
            embed(texts[first : first + BATCH])
        theirs.append(len(texts) / (time.perf_counter() - begin))
    own, other = statistics.median(ours), statistics.median(theirs)
    print(
        f"embedding {len(texts)} passages, medians of {ROUNDS}: ours {own:.1f} a second, Python onnxruntime"
        f" {onnxruntime.__version__} {other:.1f} a second, ratio {own / other:.2f}"
        f" (rounds: {', '.join(f'{a:.1f} against {b:.1f}' for a, b in zip(ours, theirs))})"
    )


def main():
    work, model = Path(sys.argv[1]), Path(sys.argv[2])
    rows = [json.loads(line) for line in (work / "ours.jsonl").read_text().splitlines()]
    for row in rows:
        print(json.dumps(row))
    shape = json.loads((work / "export" / "shape.json").read_text())
    vectors(work / "export", shape, rows[-1])
    embedding(model, shape, sys.argv[3:])


if __name__ == "__main__":
    main()
