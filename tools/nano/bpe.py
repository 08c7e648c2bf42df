"""Token counts and ids by a tokenizer.json of `ringlet data tokenizer --pattern ling`.

For plain ASCII text the result is that of `ringlet tokenize`; recall_tasks.py checks its documents
to be ASCII, and `ringlet data info` shows that the lengths agree.
"""

import json
import pathlib
import re
import sys

WORD = re.compile(
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\w]?+[^\W\d_]+|_[^\W\d_]+|\d| ?(?:[^\s\w]|_)++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+")


def byte_alphabet() -> list[str]:
    """The character that stands for each byte in byte-level vocabularies."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(spare)) for b in range(256)]


class Bpe:
    """A trained vocabulary, with a cache of words."""

    def __init__(self, directory: pathlib.Path) -> None:
        data = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))
        merges = [m.split(" ") if isinstance(m, str) else m for m in data["model"]["merges"]]
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
        self.vocab: dict[str, int] = data["model"]["vocab"]
        self.alphabet = byte_alphabet()
        self.cache: dict[str, tuple[int, ...]] = {}

    def word(self, text: str) -> tuple[int, ...]:
        """Ids of one piece of the pre-tokenizer."""
        if (known := self.cache.get(text)) is not None:
            return known
        parts = [self.alphabet[b] for b in text.encode()]
        while len(parts) > 1:
            best = min(zip(parts, parts[1:]), key=lambda p: self.ranks.get(p, sys.maxsize))
            if best not in self.ranks:
                break
            merged, i = [], 0
            while i < len(parts):
                step = 2 if tuple(parts[i:i + 2]) == best else 1
                merged.append("".join(parts[i:i + step]))
                i += step
            parts = merged
        ids = tuple(self.vocab[part] for part in parts)
        self.cache[text] = ids
        return ids

    def encode(self, text: str) -> list[int]:
        return [i for piece in WORD.findall(text) for i in self.word(piece)]

    def count(self, text: str) -> int:
        return sum(len(self.word(piece)) for piece in WORD.findall(text))
