#!/usr/bin/env python3
"""Training throughput of `ringlet train`, beside eager PyTorch on the same model and batch.

    bench/train_speed.py build/release/ringlet                      Ringlet alone
    bench/train_speed.py build/release/ringlet --python PYTHON      and PyTorch (bench/train_twin.py)
    options: --preset hybrid-100m --batch 1 --tokens 2048 --rounds 3 --steps 4 --compute bf16 f32

PYTHON has torch 2 and numpy. Runs alternate, so that a slow minute hits both; figures are medians of
all steps after each run's first (Ringlet) or after PyTorch's own warm-up. "share" is of the matrix
peak that the same process measured first. Both do whole steps: forward, backward and AdamW.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import training_runs

CONFIG = """
name = "speed"
steps = 1000000
batch_tokens = {batch_tokens}
micro_batch_tokens = {batch_tokens}
compute = "{compute}"
recompute = "{recompute}"
[model]
preset = "{preset}"
[[data]]
path = "data"
[[stage]]
sequence = {tokens}
[optimizer]
lr = 1e-5
""" + training_runs.ONLY_STEPS


def make_data(ringlet, directory, tokens):
    """Shards of made-up words, at least `tokens` of them."""
    words = random.Random(1)
    vocabulary = ["".join(words.choices("abcdefghijklmnop", k=words.randint(2, 9)))
                  for _ in range(5000)]
    text = directory / "text.txt"
    text.write_text(" ".join(words.choices(vocabulary, k=2 * tokens)))
    training_runs.make_shards(ringlet, directory, 8192, [text])


def ringlet_steps(options, directory, compute, run):
    """Records of the steps of one process, the first left out."""
    config = directory / f"{compute}.toml"
    config.write_text(CONFIG.format(batch_tokens=options.batch * options.tokens, compute=compute,
                                    recompute=options.recompute, preset=options.preset,
                                    tokens=options.tokens))
    return training_runs.steps(options.ringlet, config, options.steps + 1, "--out",
                               directory / f"{compute}{run}", "--threads",
                               str(options.threads))[1:]


def torch_report(options, model):
    """What the twin prints for its fastest policy."""
    twin = pathlib.Path(__file__).with_name("train_twin.py")
    output = subprocess.run(
        [options.python, twin, model, "--batch", str(options.batch), "--tokens",
         str(options.tokens), "--steps", str(options.steps), "--threads", str(options.threads)],
        check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def measure(options, directory):
    """Medians over all rounds."""
    make_data(options.ringlet, directory, options.batch * options.tokens * 8)
    model = directory / "model"
    if options.python:
        subprocess.run([options.ringlet, "new", options.preset, model, "--quiet"], check=True)
    steps = {compute: [] for compute in options.compute}
    peer = []
    for run in range(options.rounds):
        for compute in options.compute:
            steps[compute] += ringlet_steps(options, directory, compute, run)
        if options.python:
            peer.append(torch_report(options, model))
    report = {"preset": options.preset, "batch": options.batch, "tokens": options.tokens}
    for compute, records in steps.items():
        report[compute] = {
            "tokens_per_s": statistics.median(r["tokens_per_second"] for r in records),
            "slowest": min(r["tokens_per_second"] for r in records),
            "fastest": max(r["tokens_per_second"] for r in records),
            "share": statistics.median(r["peak_share"] for r in records),
            "peak_memory": max(r["memory_bytes"] for r in records),
        }
    if peer:
        speeds = [run["tokens_per_s"] for run in peer]
        report["pytorch"] = {"tokens_per_s": statistics.median(speeds), "slowest": min(speeds),
                             "fastest": max(speeds), "policy": peer[0]["best"]}
        for compute in options.compute:
            report[compute]["ratio"] = (report[compute]["tokens_per_s"]
                                        / report["pytorch"]["tokens_per_s"])
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ringlet", type=pathlib.Path)
    parser.add_argument("--python")
    parser.add_argument("--preset", default="hybrid-100m")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recompute", default="none")
    parser.add_argument("--compute", nargs="+", default=["bf16"])
    options = parser.parse_args()
    options.ringlet = options.ringlet.resolve()
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(measure(options, pathlib.Path(directory)), indent=1))


if __name__ == "__main__":
    sys.exit(main())
