#!/usr/bin/env python3
"""Compares `ringlet` with llama.cpp on one GGUF file: speed, or log-probabilities.

    bench/compare_llama_cpp.py MODEL --python PYTHON              decode and prefill, tokens/s
    bench/compare_llama_cpp.py MODEL --python PYTHON --logprobs   mean absolute difference
    bench/compare_llama_cpp.py MODEL                              Ringlet alone

PYTHON is an interpreter that has the package llama-cpp-python. Runs are interleaved (Ringlet, peer,
Ringlet, peer, ...), so that a change of the machine's speed meets both; the table shows medians and
the range, and the ratio of the medians. Both sides use the same threads and the same text.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run_json(command):
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nexit status {result.returncode}\n{result.stderr}")
    return json.loads(result.stdout)


def ringlet_speed(arguments):
    out = run_json([arguments.binary, "run", arguments.model, "-f", arguments.text, "--raw",
                    "-n", arguments.decode, "--temp", 0, "--ignore-eos",
                    "--threads", arguments.threads, "--json"])
    timings = out["timings"]
    return {"prompt_tokens": out["prompt_tokens"],
            "prefill": timings["prefill_tokens_per_second"],
            "decode": timings["decode_tokens_per_second"]}


def peer_command(arguments, mode):
    return [arguments.python, ROOT / "bench/llama_cpp_peer.py", mode, arguments.model,
            arguments.text, "--threads", arguments.threads, "--decode", arguments.decode]


def describe(values):
    return f"{statistics.median(values):8.1f} [{min(values):.1f}..{max(values):.1f}]"


def compare_speed(arguments):
    ours, theirs = [], []
    for _ in range(arguments.repeats):
        ours.append(ringlet_speed(arguments))
        if arguments.python:
            theirs.append(run_json(peer_command(arguments, "speed")))
    print(f"{arguments.threads} threads, prompt of {ours[0]['prompt_tokens']} tokens, "
          f"{arguments.decode} tokens decoded, {arguments.repeats} repeats; tokens/s, "
          "median [min..max]")
    for what in ("prefill", "decode"):
        mine = [run[what] for run in ours]
        line = f"{what:8} ringlet {describe(mine)}"
        if theirs:
            peer = [run[what] for run in theirs]
            ratio = statistics.median(mine) / statistics.median(peer)
            line += f"   llama.cpp {describe(peer)}   ratio {ratio:.2f}"
        print(line)


def compare_logprobs(arguments):
    ours = run_json([arguments.binary, "logprobs", arguments.model, "-f", arguments.text,
                     "--threads", arguments.threads, "--json"])
    theirs = run_json(peer_command(arguments, "logprobs"))
    if ours["tokens"] != theirs["tokens"]:
        sys.exit(f"different token ids: {len(ours['tokens'])} and {len(theirs['tokens'])} tokens")
    pairs = list(zip(ours["logprobs"][1:], theirs["logprobs"][1:]))
    differences = [abs(a - b) for a, b in pairs]
    print(f"{len(ours['tokens'])} tokens, the same ids")
    print(f"mean log-prob: ringlet {statistics.fmean(a for a, _ in pairs):.6f}, "
          f"llama.cpp {statistics.fmean(b for _, b in pairs):.6f}")
    print(f"absolute difference: mean {statistics.fmean(differences):.6f}, "
          f"max {max(differences):.6f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--python", help="an interpreter with llama-cpp-python")
    parser.add_argument("--logprobs", action="store_true", help="compare log-probabilities")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/ringlet")
    parser.add_argument("--text", type=pathlib.Path, default=ROOT / "tests/data/english_500.txt")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--decode", type=int, default=128, help="tokens to decode")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.logprobs and not arguments.python:
        parser.error("--logprobs needs --python")
    (compare_logprobs if arguments.logprobs else compare_speed)(arguments)


if __name__ == "__main__":
    main()
