#!/usr/bin/env python3
"""Runs `ringlet logprobs` on random checkpoints and compares it with the float64 reference.

  compare.py BINARY DIR [--presets a,b] [--random N] [--seed N]    against the reference
  compare.py BINARY DIR --contract [--presets a,b]                 the row contract, byte for byte

DIR receives the checkpoints and the GGUF twins. Exits with 1 when a mean absolute difference of
log-probs is above the tolerance, a printed byte differs, or the program fails.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time

try:
    import numpy as np
except ImportError:
    sys.exit("compare.py needs numpy for /usr/bin/python3: apt-get install python3-numpy")

import forward
import make_checkpoint
import to_gguf
from presets import PRESETS

# Mean absolute difference of the tokens' log-probabilities. The last row is one draw of the error
# where the tokens are an average, so it is held to twice as much. Block formats are multiplied with
# INT8 activations, which round more coarsely than BF16.
TOLERANCE = {"f32": 2e-3, "bf16": 2e-2}
INT8_TOLERANCE = 3e-2
# GGUF twins: preset -> formats. The reference decodes the same file, so that quantization itself
# does not count as a difference.
TWINS = {
    "llama": ["F32", "Q5_0"],
    "llama_tied": ["F16", "Q8_0"],
    "llama256": ["Q4_0", "Q4_K"],
    "qwen3": ["BF16", "Q4_1"],
    "all_softmax": ["F32", "Q5_1"],
    "softmax_yarn": ["F32"],
    "softmax_shared2": ["F32"],
    "mtp1": ["F32"],
    "softmax256": ["Q4_K", "Q5_K", "Q6_K"],
}
# What `ringlet quantize` makes of a preset: its options. The reference decodes the result, so that it
# checks the form of the files and the arithmetic, not the loss.
QUANTIZED = {
    "hybrid10": ["--dtype int4", "--dtype int4 --portable", "--dtype int8 --group 128",
                 "--dtype fp8"],
    "mtp1": ["--dtype int4 --group 32 --shard-size 1"],
    "narrow": ["--dtype int4"],  # hardly a matrix has whole groups
    "fp8": ["--dtype int4 --keep *.dense=int8"],
    "llama_tied": ["--dtype int4 --keep *embed_tokens=int4"],
}
CONTRACT_PRESETS = ["remainder", "heads6", "narrow", "long", "fp8", "f32", "rotary_dim", "llama"]
CONTRACT_TWINS = {"llama256": ["Q4_K"], "llama_tied": ["Q8_0"]}
CONTRACT_QUANTIZED = {"remainder": ["--dtype int4"], "heads6": ["--dtype int8"]}
# (chunk, threads): one row at a time, ragged, a chunk boundary and its neighbour, all at once.
CONTRACT_RUNS = [(1, 1), (7, 2), (64, 3), (65, 1), (100000, 4)]


class Failed(Exception):
    pass


class Case:
    """A model on disk with the tokens to feed it; the reference is computed once."""

    def __init__(self, label, path, vocab, count, seed):
        self.label = label
        self.path = path
        self.tokens = np.random.default_rng(seed + 1).integers(0, vocab, count).tolist()
        self.token_file = path.rstrip("/") + ".tokens.json"
        with open(self.token_file, "w") as out:
            json.dump(self.tokens, out)
        self._expected = None

    def expected(self):
        if self._expected is None:
            values, last = forward.logprobs(forward.load(self.path), self.tokens)
            self._expected = np.array(values[1:]), last
        return self._expected


def run(binary, case, compute, extra=()):
    command = [binary, "logprobs", case.path, "--tokens", case.token_file, "--json", "--all"]
    command += ["--compute", compute, *extra]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        complaint = result.stderr.strip()[-400:]
        raise Failed(f"{' '.join(command)}\n  exit {result.returncode}: {complaint}")
    return result.stdout


def differences(case, printed):
    """(mean over the tokens, mean over the last row, largest of both) of absolute differences."""
    output = json.loads(printed)
    if output["tokens"] != case.tokens or output["logprobs"][0] is not None:
        raise Failed("tokens are not those asked for, or logprobs[0] is not null")
    values, last = case.expected()
    found, found_last = np.array(output["logprobs"][1:]), np.array(output["last_row"])
    if found.shape != values.shape or found_last.shape != last.shape:
        raise Failed(f"{found.shape} log-probs and a last row of {found_last.shape}")
    token_error, row_error = np.abs(found - values), np.abs(found_last - last)
    return token_error.mean(), row_error.mean(), max(token_error.max(), row_error.max())


def compare(binary, case):
    good = True
    for compute, tolerance in TOLERANCE.items():
        if compute == "bf16" and ":Q" in case.label:
            tolerance = INT8_TOLERANCE
        start = time.monotonic()
        try:
            tokens, row, largest = differences(case, run(binary, case, compute))
        except (Failed, ValueError, KeyError) as error:
            print(f"{case.label:34} {compute:5} FAILED {error}", flush=True)
            good = False
            continue
        # `not <=` also catches NaN.
        verdict = "ok" if tokens <= tolerance and row <= 2 * tolerance else f"ABOVE {tolerance:g}"
        seconds = time.monotonic() - start
        print(
            f"{case.label:34} {compute:5} {tokens:9.2e} {row:9.2e} {largest:9.2e} "
            f"{seconds:6.2f}  {verdict}",
            flush=True,
        )
        good &= verdict == "ok"
    return good


def check_contract(binary, case):
    good = True
    for compute in TOLERANCE:
        try:
            base = run(binary, case, compute)
            different = [
                f"--chunk {chunk} --threads {threads}"
                for chunk, threads in CONTRACT_RUNS
                if run(binary, case, compute, ["--chunk", str(chunk), "--threads", str(threads)])
                != base
            ]
        except Failed as error:
            different = [str(error)]
        verdict = "; ".join(["DIFFERS", *different]) if different else "same bytes"
        print(f"{case.label:34} {compute:5} {verdict}", flush=True)
        good &= not different
    return good


def quantize(binary, path, options):
    """A quantized copy of a checkpoint; returns its path."""
    out = path + "".join(c if c.isalnum() else "_" for c in options)
    shutil.rmtree(out, ignore_errors=True)
    command = [binary, "quantize", path, out, "--quiet", *options.split()]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n  exit {result.returncode}: {result.stderr.strip()}")
    return out


def make_cases(binary, directory, presets, twins, quantized, seed):
    for name in presets:
        # Another seed gives another shape too when the preset is drawn at random.
        label = f"{name}{seed}" if name == "random" else name
        path = os.path.join(directory, label)
        make_checkpoint.make(name, path, seed)
        preset = make_checkpoint.find_preset(name, seed)
        vocab = preset.config["vocab_size"]
        yield Case(label, path, vocab, preset.tokens, seed)
        for kind in twins.get(name, []):
            twin = f"{path}-{kind}.gguf"
            to_gguf.convert(path, twin, kind)
            yield Case(f"{label}:{kind}", twin, vocab, preset.tokens, seed)
        for options in quantized.get(name, []):
            kind = "Q " + options.replace("--dtype ", "").replace("--", "")
            copy = quantize(binary, path, options)
            yield Case(f"{label}:{kind}", copy, vocab, preset.tokens, seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="for example build/release/ringlet")
    parser.add_argument("directory", help="where the checkpoints go")
    parser.add_argument("--contract", action="store_true")
    parser.add_argument("--presets", help="comma-separated; default: all, or a few for --contract")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="add N random shapes")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not os.access(args.binary, os.X_OK):
        sys.exit(f"{args.binary}: not an executable file; build the program first")
    os.makedirs(args.directory, exist_ok=True)

    presets = CONTRACT_PRESETS + list(CONTRACT_TWINS) if args.contract else list(PRESETS)
    if args.presets is not None:
        presets = [name for name in args.presets.split(",") if name]
    twins = CONTRACT_TWINS if args.contract else TWINS
    check = check_contract if args.contract else compare
    if not args.contract:
        print(f"{'model':34} {'':5} {'mean':>9} {'last row':>9} {'largest':>9} seconds")
    quantized = CONTRACT_QUANTIZED if args.contract else QUANTIZED
    cases = list(make_cases(args.binary, args.directory, presets, twins, quantized, args.seed))
    for i in range(args.random):
        cases += make_cases(args.binary, args.directory, ["random"], {}, {}, args.seed + i)
    failed = [case.label for case in cases if not check(args.binary, case)]
    print(f"{len(cases) - len(failed)} of {len(cases)} models passed")
    if failed:
        print("failed: " + " ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
