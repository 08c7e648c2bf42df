#!/usr/bin/env python3
"""Measures whether a model finds a fact placed anywhere in a long text, against distance.

    tools/nano/recall_eval.py build/release/ringlet MODEL --filler heldout.jsonl --out DIR
        [--name TEXT] [--lengths 512 1024 ...] [--depths 0 25 50 75 100] [--trials 4]
    tools/nano/recall_eval.py --plot DIR results.json [results.json ...]

A prompt of a given length in tokens is held-out prose with one sentence of the form

    The password of the lighthouse is amber-falcon-27.

at a depth of 0 (the beginning) to 100 % (the end) of the prose, and then the question

    What is the password of the lighthouse? The password of the lighthouse is

It counts as found if the greedy continuation (`ringlet run --raw --temp 0`) starts with exactly the
value and a full stop. Keys and values are made of words that recall_tasks.py never uses. OUT gets
recall.json, recall.md (share found, by length and depth) and recall.svg (share against the distance
between fact and question). With --plot the results of several models go into one picture. Equal
arguments give equal prompts.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys

from bpe import Bpe
from recall_tasks import ATTRIBUTES, EVALUATION_KEYS, EVALUATION_VALUES, Filler

LENGTHS = (512, 1024, 2048, 4096, 8192, 16384, 32768)
DEPTHS = (0, 25, 50, 75, 100)
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df")

def needle(rng: random.Random) -> tuple[str, str, str]:
    """(fact, question, answer)."""
    attribute = rng.choice(ATTRIBUTES)
    key = rng.choice(EVALUATION_KEYS)
    value = f"{rng.choice(EVALUATION_VALUES)}-{rng.choice(EVALUATION_VALUES)}-" + str(
        rng.randint(10, 99))
    if rng.random() < 0.5:
        value = str(rng.randint(10_000, 99_999))
    stem = f"The {attribute} of the {key} is"
    return f"{stem} {value}.", f"What is the {attribute} of the {key}? {stem}", f"{value}."


def prompt(filler: Filler, bpe: Bpe, length: int, depth: int, rng: random.Random,
           ) -> tuple[str, str, int]:
    """(prompt, answer, tokens between the fact's end and the prompt's end)."""
    fact, question, answer = needle(rng)
    room = length - bpe.count(fact) - bpe.count(question) - 6
    sentences = filler.sentences(rng, room, bpe)
    place = round(len(sentences) * depth / 100)
    before = "".join(sentences[:place]).rstrip()
    after = "".join(sentences[place:]).strip()
    head = "\n\n".join(part for part in (before, fact) if part)
    tail = "\n\n".join(part for part in (after, question) if part)
    return f"{head}\n\n{tail}", answer, bpe.count(tail)


def ask(options: argparse.Namespace, text: str, tokens: int) -> str:
    """The greedy continuation."""
    command = [options.program, "run", options.model, "--raw", "--temp", "0", "-n", str(tokens),
               "-f", "-", "--quiet"]
    if options.threads:
        command += ["--threads", str(options.threads)]
    result = subprocess.run(command, input=text, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"{options.program} run: {result.stderr.strip()}")
    return result.stdout


def is_found(continuation: str, answer: str) -> bool:
    return continuation.strip().startswith(answer)


def measure(options: argparse.Namespace) -> dict:
    bpe, filler = Bpe(options.model), Filler([options.filler])
    cells = []
    for length in options.lengths:
        for depth in options.depths:
            found, distances, samples = 0, [], []
            for trial in range(options.trials):
                rng = random.Random(f"{options.seed}/{length}/{depth}/{trial}")
                text, answer, distance = prompt(filler, bpe, length, depth, rng)
                said = ask(options, text, bpe.count(" " + answer) + 4)
                found += is_found(said, answer)
                distances.append(distance)
                samples.append({"answer": answer, "said": said.strip()[:80]})
            cells.append({"length": length, "depth": depth, "found": found,
                          "trials": options.trials, "samples": samples,
                          "distance": sum(distances) / len(distances)})
            print(f"{length:6} tokens, depth {depth:3} %: {found} of {options.trials}",
                  file=sys.stderr, flush=True)
    return {"name": options.name or options.model.name, "seed": options.seed, "cells": cells}


def markdown(result: dict) -> str:
    depths = sorted({cell["depth"] for cell in result["cells"]})
    by_place = {(c["length"], c["depth"]): c for c in result["cells"]}
    lines = [f"Facts found by {result['name']}, greedy, by length of the prompt and the fact's depth "
             "in it.", "", "| tokens | " + " | ".join(f"{d} %" for d in depths) + " | all |",
             "|---:|" + "---:|" * (len(depths) + 1)]
    for length in sorted({cell["length"] for cell in result["cells"]}):
        row = [by_place[length, depth] for depth in depths]
        found, trials = sum(c["found"] for c in row), sum(c["trials"] for c in row)
        lines.append(f"| {length:,} | " + " | ".join(f"{c['found']}/{c['trials']}" for c in row)
                     + f" | {100 * found / trials:.0f} % |")
    return "\n".join(lines) + "\n"


def by_distance(result: dict) -> list[tuple[int, float]]:
    """(distance, share found) in octaves of the distance in tokens."""
    octaves: dict[int, list[int]] = {}
    for cell in result["cells"]:
        octave = 1 << max(4, round(cell["distance"]).bit_length() - 1)
        sums = octaves.setdefault(octave, [0, 0])
        sums[0] += cell["found"]
        sums[1] += cell["trials"]
    return [(octave, found / trials) for octave, (found, trials) in sorted(octaves.items())]


def svg(results: list[dict]) -> str:
    """Share found against distance, a line for each result."""
    width, height, left, top, bottom = 720, 360, 60, 24, 48
    ticks = sorted({distance for result in results for distance, _ in by_distance(result)})
    low, high = ticks[0].bit_length(), max(ticks[-1].bit_length(), ticks[0].bit_length() + 1)

    def x(distance: int) -> float:
        return left + (width - left - 24) * (distance.bit_length() - low) / (high - low)

    def y(share: float) -> float:
        return top + (height - top - bottom) * (1 - share)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path d="M{left} {y(share):.1f}H{width - 24}" stroke="#d8dee4"/>'
                     f'<text x="{left - 8}" y="{y(share) + 4:.1f}" text-anchor="end">'
                     f'{100 * share:.0f} %</text>')
    for tick in ticks:
        parts.append(f'<text x="{x(tick):.1f}" y="{height - bottom + 18}" text-anchor="middle">'
                     f'{tick:,}+</text>')
    parts.append(f'<text x="{(width + left) / 2:.0f}" y="{height - 10}" text-anchor="middle">'
                 'tokens between the fact and the end of the question</text>')
    for number, result in enumerate(results):
        colour = COLOURS[number % len(COLOURS)]
        points = [(x(d), y(s)) for d, s in by_distance(result)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>'
                  for px, py in points]
        name = result["name"].replace("&", "&amp;").replace("<", "&lt;")
        parts.append(f'<text x="{left + 10}" y="{height - bottom - 12 - 16 * number}" '
                     f'fill="{colour}">{name}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def write(out: pathlib.Path, results: list[dict]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "recall.md").write_text("\n".join(markdown(result) for result in results))
    (out / "recall.svg").write_text(svg(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path, nargs="?")
    parser.add_argument("model", type=pathlib.Path, nargs="?")
    parser.add_argument("--filler", type=pathlib.Path, help="held-out JSONL documents")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--name", help="of the model, in table and plot")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS)
    parser.add_argument("--trials", type=int, default=4, help="prompts for each length and depth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--plot", type=pathlib.Path, nargs="+", metavar="PATH",
                        help="a directory for the plot, then results.json of each model")
    options = parser.parse_args()
    try:
        if options.plot:
            write(options.plot[0], [json.loads(p.read_text()) for p in options.plot[1:]])
            return
        if not (options.program and options.model and options.filler and options.out):
            sys.exit("recall_eval.py: expected PROGRAM MODEL --filler FILE --out DIR")
        result = measure(options)
        write(options.out, [result])
        (options.out / "recall.json").write_text(json.dumps(result, indent=1) + "\n")
        print((options.out / "recall.md").read_text(), end="")
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"recall_eval.py: {error}")


if __name__ == "__main__":
    main()
