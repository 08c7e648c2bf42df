#!/usr/bin/env python3
"""Kills a training run at random moments and compares what it computed with an uninterrupted one.

    bench/train_kills.py build/release/ringlet [--kills 200] [--seed 1] [--threads 2]

Every process trains a tiny hybrid model with a checkpoint every few steps and dies by SIGKILL after
a random time: while it loads, trains, or writes a checkpoint. Counted are checkpoints that a new
process could not read (lost) and steps whose loss differs from the uninterrupted run's in any bit.
Prints one JSON object; exit status 1 when either count is not zero.
"""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import training_runs

CONFIG = """
name = "kills"
steps = {steps}
batch_tokens = 256
micro_batch_tokens = 256
[model]
preset = "tiny-hybrid"
[model.set]
vocab_size = 300
num_nextn_predict_layers = 0
[[data]]
path = "data"
[[stage]]
sequence = 128
[optimizer]
lr = 0.003
[checkpoint]
every_steps = 2
keep = 2
[evaluation]
every_steps = 0
"""
WORDS = "the a small big red old cat dog bird saw met liked and then it ran sat".split()


def make_data(ringlet, directory):
    """A tokenizer and shards of made-up sentences below `directory`."""
    words = random.Random(1)
    text = directory / "text.txt"
    text.write_text("\n%\n".join(" ".join(words.choices(WORDS, k=60)) for _ in range(300)))
    training_runs.make_shards(ringlet, directory, 300, [text], "--separator", "%")


def losses(log):
    """Loss by step of a run's log."""
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    return {step["step"]: step["loss"] for step in steps if step["kind"] == "step"}


def train(ringlet, directory, config, out, threads, seconds=None):
    """Runs until the end, or kills after `seconds`. Returns (exit status, stderr)."""
    command = [ringlet, "train", config, "--out", out, "--threads", str(threads)]
    with open(directory / "stderr.txt", "w+", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        errors.seek(0)
        return process.returncode, errors.read()


def measure(ringlet, directory, kills, seed, threads):
    """The report of all kills."""
    make_data(ringlet, directory)
    config = directory / "run.toml"
    config.write_text(CONFIG.format(steps=40))
    begin = time.monotonic()
    status, errors = train(ringlet, directory, config, directory / "whole", threads)
    assert status == 0, errors
    # A killed process lives for about as long as a whole run needs for a few steps.
    span = (time.monotonic() - begin) / 4
    want = losses(directory / "whole/log.jsonl")
    moments = random.Random(seed)
    done = lost = different = runs = 0
    while done < kills:
        out = directory / f"run{runs}"
        runs += 1
        status = -signal.SIGKILL
        while status != 0:
            wait = moments.uniform(0.02, 2 * span) if done < kills else None
            status, errors = train(ringlet, directory, config, out, threads, wait)
            if status == -signal.SIGKILL:
                done += 1
            elif status != 0:
                raise SystemExit(f"run {runs}, after {done} kills: {errors}")
            lost += errors.count("damaged checkpoint")
        got = losses(out / "log.jsonl")
        different += sum(got.get(step) != loss for step, loss in want.items())
        same = (out / "model/model.safetensors").read_bytes() == (
            directory / "whole/model/model.safetensors").read_bytes()
        different += not same
        if sys.stderr.isatty():
            print(f"\r{done}/{kills} kills, {runs} runs", end="", file=sys.stderr, flush=True)
    return {"kills": done, "runs": runs, "steps": runs * len(want), "lost_checkpoints": lost,
            "different": different}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ringlet", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = measure(options.ringlet.resolve(), pathlib.Path(directory), options.kills,
                         options.seed, options.threads)
    print(json.dumps(report))
    return 1 if report["lost_checkpoints"] or report["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
