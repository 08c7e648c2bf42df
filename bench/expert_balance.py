#!/usr/bin/env python3
"""How evenly experts are chosen, with and without balancing (docs/training.md, "Balance of experts").

    bench/expert_balance.py build/release/ringlet TEXT...
    options: --steps 1000 --batch 4096 --sequence 256 --rules off:0 sign:0.001 proportional:0.02

TEXT are files or directories of text. The same small hybrid (16 experts, two for each token) is
trained once for each rule. Printed: the coefficient of variation of the load of a step's batch, mean
and largest over the layers, mean over the last tenth of the steps; the same of loads drawn with equal
chances would be "chance". Short sequences, because a batch of few documents is uneven by itself.
"""

import argparse
import json
import math
import pathlib
import statistics
import sys
import tempfile

import training_runs

EXPERTS, TOP_K = 16, 2
CONFIG = """
name = "balance"
steps = {steps}
batch_tokens = {batch}
micro_batch_tokens = {batch}
[model]
preset = "tiny-hybrid"
[model.set]
vocab_size = 2048
num_hidden_layers = 6
num_experts = {experts}
num_experts_per_tok = {top_k}
num_nextn_predict_layers = 0
[[data]]
path = "data"
[[stage]]
sequence = {sequence}
[optimizer]
lr = 3e-3
[schedule]
warmup_steps = 50
[balance]
rule = "{rule}"
rate = {rate}
""" + training_runs.ONLY_STEPS


def measure(options, directory, rule, rate):
    """Of one run: CVs of the last tenth of its steps, by layer and averaged; and its last losses."""
    config = directory / f"{rule}-{rate}.toml"
    config.write_text(CONFIG.format(steps=options.steps, batch=options.batch, experts=EXPERTS,
                                    top_k=TOP_K, sequence=options.sequence, rule=rule, rate=rate))
    last = training_runs.steps(options.ringlet, config, options.steps)[-max(1, options.steps // 10):]
    layers = [statistics.mean(values) for values in zip(*(step["load_cv"] for step in last))]
    return {"rule": rule, "rate": float(rate), "steps": options.steps,
            "cv_mean": statistics.mean(layers), "cv_worst_layer": max(layers),
            "load_max": statistics.mean(max(step["load_max"]) for step in last),
            "loss": statistics.mean(step["loss"] for step in last)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ringlet", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("texts", nargs="+", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--sequence", type=int, default=256)
    parser.add_argument("--rules", nargs="+",
                        default=["off:0", "sign:0.001", "proportional:0.02"])
    options = parser.parse_args()
    share = TOP_K / EXPERTS
    chance = math.sqrt((1 - share) / (options.batch * share))
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        training_runs.make_shards(options.ringlet, directory, 2048,
                                  [text.resolve() for text in options.texts])
        print(f"chance: {chance:.3f}", file=sys.stderr)
        for rule in options.rules:
            print(json.dumps(measure(options, directory, *rule.split(":"))), flush=True)


if __name__ == "__main__":
    main()
