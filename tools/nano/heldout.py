#!/usr/bin/env python3
"""Held-out loss of a model in bits per byte, beside `xz -9` of the same text.

    tools/nano/heldout.py build/release/ringlet MODEL heldout.jsonl [--window 2048] [--context 512]
        [--out results.json]

What is counted: every byte of the documents' text (UTF-8), once. A document is encoded as a whole
and its tokens are scored in windows: the model reads the last --context tokens before a window,
which are not scored again, then the window. The very first token of a document has nothing before
it and is charged log2(vocabulary) bits. Tokens that end documents are not counted. xz compresses
the concatenation of the same documents, so it may use all text before a document, which the model
may not: the comparison favours xz.
"""

import argparse
import json
import lzma
import math
import pathlib
import subprocess
import sys
from collections.abc import Iterator


class Engine:
    """Calls of the ringlet program for one model."""

    def __init__(self, program: pathlib.Path, model: pathlib.Path, threads: int | None) -> None:
        self.program, self.model = program, model
        self.options = ["--quiet"] + (["--threads", str(threads)] if threads else [])

    def call(self, command: str, *arguments: str, text: str) -> dict:
        result = subprocess.run(
            [self.program, command, self.model, *arguments, "--json", *self.options],
            input=text, capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f"{self.program} {command}: {result.stderr.strip()}")
        return json.loads(result.stdout)

    def encode(self, text: str) -> list[int]:
        return token_ids(self.call("tokenize", "-f", "-", "--no-special", text=text))

    def logprobs(self, tokens: list[int]) -> list[float]:
        """Of every token but the first."""
        return scores(self.call("logprobs", "--tokens", "-", text=json.dumps(tokens)))


def token_ids(answer: dict) -> list[int]:
    """The ids in the answer of `ringlet tokenize --json`."""
    return [t["id"] if isinstance(t, dict) else t for t in answer["tokens"]]


def scores(answer: dict) -> list[float]:
    """The log-probabilities in the answer of `ringlet logprobs --json`, without the first's."""
    return [x for x in answer["logprobs"] if x is not None]


def windows(count: int, window: int, context: int) -> Iterator[tuple[int, int, int]]:
    """(first token read, first token scored, end) so that tokens 1 to count - 1 are scored once."""
    scored = 1
    while scored < count:
        end = min(count, max(scored + window, window) if scored > 1 else window)
        yield max(0, scored - context), scored, end
        scored = end


def document_bits(engine: Engine, tokens: list[int], vocabulary: int, window: int,
                  context: int) -> float:
    bits = math.log2(vocabulary)
    for read, scored, end in windows(len(tokens), window, context):
        values = engine.logprobs(tokens[read:end])
        bits -= sum(values[scored - read - 1:]) / math.log(2)
    return bits


def read_documents(path: pathlib.Path, limit: int) -> list[str]:
    """The first documents, of `limit` bytes in all."""
    documents, size = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["text"]
        size += len(text.encode())
        if size > limit and documents:
            break
        documents.append(text)
    return documents


def xz_bits_per_byte(documents: list[str]) -> float:
    data = "\n\n".join(documents).encode()
    return 8 * len(lzma.compress(data, preset=9)) / len(data)


def vocabulary_of(model: pathlib.Path) -> int:
    return json.loads((model / "config.json").read_text())["vocab_size"]


def evaluate(options: argparse.Namespace) -> dict:
    engine = Engine(options.program, options.model, options.threads)
    documents = read_documents(options.heldout, options.limit)
    vocabulary = vocabulary_of(options.model)
    bits = size = tokens = 0
    for number, text in enumerate(documents):
        ids = engine.encode(text)
        bits += document_bits(engine, ids, vocabulary, options.window, options.context)
        tokens += len(ids)
        size += len(text.encode())
        if sys.stderr.isatty():
            print(f"\r\x1b[K{number + 1} of {len(documents)} documents, {bits / size:.4f} bits per "
                  "byte", end="", file=sys.stderr)
    return {"documents": len(documents), "bytes": size, "tokens": tokens,
            "bytes_per_token": size / tokens, "bits_per_byte": bits / size,
            "loss_per_token": bits * math.log(2) / tokens,
            "xz_bits_per_byte": xz_bits_per_byte(documents), "window": options.window,
            "context": options.context}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("heldout", type=pathlib.Path)
    parser.add_argument("--window", type=int, default=2048, help="tokens scored at a time")
    parser.add_argument("--context", type=int, default=512, help="tokens read before a window")
    parser.add_argument("--limit", type=int, default=1 << 40, help="bytes of text at most, about")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=pathlib.Path, help="also write the figures as JSON")
    options = parser.parse_args()
    if options.window < 2 or options.context < 1:
        sys.exit("heldout.py: expected --window of at least 2 and --context of at least 1")
    try:
        result = evaluate(options)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"heldout.py: {error}")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{result['bits_per_byte']:.4f} bits per byte ({result['loss_per_token']:.4f} nats per "
          f"token) of {result['bytes']:,} bytes; xz -9: {result['xz_bits_per_byte']:.4f}")


if __name__ == "__main__":
    main()
