#!/usr/bin/env python3
"""Writes short documents that copying alone predicts: what a model learns before long-range recall.

    tools/nano/copy_tasks.py OUT.jsonl --tokenizer DIR [--documents 100000] [--seed 7]

A document is one of
    repeated  5 to 20 digits or words, and the same ones again, up to three times
    pairs     2 to 8 keys with values, and twice the same pairs in another order
Words are single tokens of the tokenizer (but never those of recall_eval.py), numbers are written
without spaces, so that each token but the first of a copy follows from the one before it: in longer
words and in prose the same skill is learned much later. Half of the tokens or more are copies. The
same arguments give the same file.
"""

import argparse
import json
import pathlib
import random

from recall_tasks import EVALUATION_KEYS, EVALUATION_VALUES

SEPARATORS = ("\n", "\n\n", " . ", "; ")
PAIRS = (" {} {}", " {}: {}", " {} = {}", " {} is {}.")


def single_tokens(tokenizer: pathlib.Path) -> list[str]:
    """Lower-case words of three letters or more that are one token behind a space."""
    model = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    words = sorted(token[1:] for token in model["vocab"] if token.startswith("\u0120"))
    return [word for word in words if len(word) >= 3 and word.isascii() and word.isalpha()
            and word.islower() and word not in EVALUATION_KEYS + EVALUATION_VALUES]


def repeated(rng: random.Random, words: list[str]) -> str:
    count = rng.randint(5, 20)
    if rng.random() < 0.5:
        digits = "0123456789"[:rng.choice((10, 10, 10, 10, rng.randint(3, 9)))]
        text = "".join(rng.choice(digits) for _ in range(count))
    else:
        few = rng.sample(words, min(len(words), rng.choice((10, 30, 100, 1000))))
        text = " " + " ".join(rng.choice(few) for _ in range(count))
    return rng.choice(SEPARATORS).join([text] * rng.randint(2, 4))


def pairs(rng: random.Random, words: list[str]) -> str:
    form, kind = rng.choice(PAIRS), rng.random()

    def value() -> str:
        if kind < 0.5:
            return rng.choice(words)
        return str(rng.randrange(10) if kind < 0.7 else rng.randrange(100, 100_000))

    rows = [form.format(key, value()) for key in rng.sample(words, rng.randint(2, 8))]
    return rng.choice(("\n", "")).join(rows + rng.sample(rows, len(rows))
                                       + rng.sample(rows, len(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    rng, words = random.Random(options.seed), single_tokens(options.tokenizer)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    part = options.out.with_name(options.out.name + ".part")
    with open(part, "w", encoding="ascii") as sink:
        for _ in range(options.documents):
            task = repeated if rng.random() < 0.6 else pairs
            sink.write(json.dumps({"text": task(rng, words).strip()}) + "\n")
    part.replace(options.out)
    print(f"{options.out}: {options.documents:,} documents")


if __name__ == "__main__":
    main()
