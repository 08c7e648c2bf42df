#!/usr/bin/env python3
"""Peak memory of `ringlet train` beside what `ringlet train --check` says it needs.

    bench/train_memory.py build/release/ringlet
    options: --preset hybrid-100m dense-23m --batch 4 --tokens 1024

Two steps of every kind of recomputation, in BF16 and fp32. The program itself, the data and the
kernels' scratch are in what is measured, not all of them in the estimate: it is to be within 10%.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import train_speed
import training_runs


def measure(ringlet, config, out):
    """(estimate, peak) in bytes."""
    check = subprocess.run([ringlet, "train", config, "--check", "--json"], check=True,
                           capture_output=True, text=True)
    last = training_runs.steps(ringlet, config, 2, "--out", out)[-1]
    return json.loads(check.stdout)["memory"]["total"], last["memory_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ringlet", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--preset", nargs="+", default=["hybrid-100m", "dense-23m"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=1024)
    options = parser.parse_args()
    worst = 0
    print(f"{'model':14} {'compute':8} {'recompute':10} {'estimate':>10} {'peak':>10}  ratio")
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        train_speed.make_data(options.ringlet, directory, 8 * options.batch * options.tokens)
        config = directory / "run.toml"
        runs = [(preset, compute, recompute) for preset in options.preset
                for compute in ("bf16", "f32") for recompute in ("none", "attention", "block")]
        for i, (preset, compute, recompute) in enumerate(runs):
            config.write_text(train_speed.CONFIG.format(
                batch_tokens=options.batch * options.tokens, tokens=options.tokens, preset=preset,
                compute=compute, recompute=recompute))
            estimate, peak = measure(options.ringlet, config, directory / f"run{i}")
            worst = max(worst, abs(estimate / peak - 1))
            print(f"{preset:14} {compute:8} {recompute:10} {estimate / 2**20:6.0f} MiB "
                  f"{peak / 2**20:6.0f} MiB  {estimate / peak:.3f}", flush=True)
    print(f"furthest off: {100 * worst:.1f}%")
    sys.exit(worst > 0.1)


if __name__ == "__main__":
    main()
