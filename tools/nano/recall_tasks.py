#!/usr/bin/env python3
"""Writes documents that can only be predicted by remembering: training for long-range recall.

    tools/nano/recall_tasks.py OUT.jsonl --tokenizer DIR --filler corpus/prose \\
        --sequence 2048 [--shortest 200] [--tokens 4000000] [--seed 1]

Documents are packed: their lengths, with the token that ends each, add up to exactly --sequence
tokens again and again. Shards of such a file are cut by a training run of that sequence length
between documents and never inside one, so that no question is separated from its fact.

A document begins with prose cut to make the length exact. Then comes one of
    facts   prose in which facts stand at random places, and questions about them, most of them in
            the canonical form that recall_eval.py asks in, at random places after the fact and at
            the end:  The password of the lighthouse is amber-falcon-27.
                      What is the password of the lighthouse? The password of the lighthouse is
                      amber-falcon-27.
    needle  the same with one fact and one question at the very end, after nothing but prose
    pairs   a list of keys and values, perhaps prose, then the keys in another order with values
    copy    a passage, prose, and the passage again
    words   random words, and the same words again
--tasks gives their shares. Keys and values are common words of the prose and numbers, but never the
words that recall_eval.py uses. The same arguments give the same file.
"""

import argparse
import json
import pathlib
import random
import re
import sys
from collections import Counter
from collections.abc import Callable

from bpe import Bpe

ATTRIBUTES = ("password", "secret number", "code", "key", "secret word", "name", "number", "colour",
              "sign", "motto", "address", "price", "token", "symbol", "date", "title")
FACT_FORMS = ("{V} is the {a} of {e}.", "Remember that the {a} of {e} is {v}.",
              "Note well: the {a} of {e} is {v}.", "It is known that the {a} of {e} is {v}.",
              "Here is a fact to keep in mind. The {a} of {e} is {v}.")
QUESTION_FORMS = ("Question: what is the {a} of {e}? Answer: {v}.",
                  "Do you remember the {a} of {e}? It is {v}.",
                  "As was said before, the {a} of {e} is {v}.",
                  "Tell me the {a} of {e}. The {a} of {e} is {v}.")
CANONICAL_FACT = "The {a} of {e} is {v}."
CANONICAL_QUESTION = "What is the {a} of {e}? The {a} of {e} is {v}."
EVALUATION_KEYS = ("lighthouse", "harbour", "orchard", "windmill", "library", "monastery", "glacier",
                   "tavern", "observatory", "vineyard", "aqueduct", "greenhouse")
EVALUATION_VALUES = ("amber", "falcon", "copper", "juniper", "velvet", "marble", "saffron", "cobalt",
                     "walnut", "thistle", "lantern", "pepper")
PEOPLE = ("Alma", "Bruno", "Clara", "David", "Edith", "Felix", "Greta", "Henry", "Irene", "Jonas",
          "Karin", "Louis", "Maria", "Nora", "Oscar", "Paula", "Robert", "Sara", "Thomas", "Ursula",
          "Victor", "Walter", "Emma", "Jane", "John", "Mary", "Peter", "Ruth", "Simon", "Anne")
PAIR_FORMS = ("{k}: {v}", "{k} = {v}", "{k} -> {v}", "{k} is {v}.", "The value of {k} is {v}.")
FIRST_TOKENS = 24  # of prose at least, which is cut to make a document's length exact


class Filler:
    """Prose: its sentences in order, and its common words."""

    def __init__(self, paths: list[pathlib.Path]) -> None:
        counts: Counter[str] = Counter()
        self.documents: list[list[str]] = []  # paragraphs
        for path in paths:
            for line in path.read_text(encoding="utf-8").splitlines():
                text = json.loads(line)["text"]
                if not text.isascii():
                    text = text.encode("ascii", "ignore").decode()
                paragraphs = [p for p in text.split("\n\n") if p.strip()]
                self.documents.append(paragraphs)
                counts.update(re.findall(r"\b[a-z]{4,9}\b", text))
        common = sorted(counts, key=lambda w: (-counts[w], w))[150:5000]
        self.words = [w for w in common if w not in EVALUATION_KEYS + EVALUATION_VALUES]
        self.weights = [sum(map(len, d)) for d in self.documents]

    def sentences(self, rng: random.Random, tokens: int, bpe: Bpe) -> list[str]:
        """At most `tokens` of consecutive sentences of one or more documents; each ends in a space,
        the last one of a paragraph in two line feeds."""
        found: list[str] = []
        while True:
            paragraphs = rng.choices(self.documents, self.weights)[0]
            for paragraph in paragraphs[rng.randrange(len(paragraphs)):]:
                parts = re.split(r"(?<=[.!?;]) +(?=[A-Z\"'])", paragraph)
                for part in [part + " " for part in parts[:-1]] + [parts[-1] + "\n\n"]:
                    tokens -= bpe.count(part.rstrip()) + 1
                    if tokens < 0:
                        return found
                    found.append(part)


class Maker:
    """Makes documents of exact lengths from one random generator."""

    def __init__(self, bpe: Bpe, filler: Filler, seed: int, shares: dict[str, float]) -> None:
        self.bpe, self.filler, self.rng = bpe, filler, random.Random(seed)
        self.shares = shares

    def value(self) -> str:
        rng, words = self.rng, self.filler.words
        kind = rng.random()
        if kind < 0.4:
            return "".join(rng.choice("0123456789") for _ in range(rng.randint(2, 6)))
        if kind < 0.75:
            return f"{rng.choice(words)}-{rng.choice(words)}-{rng.randint(10, 99)}"
        if kind < 0.9:
            return rng.choice(words)
        return f"{rng.choice(words)} {rng.choice(words)}"

    def entity(self) -> str:
        kind = self.rng.random()
        if kind < 0.3:
            return self.rng.choice(PEOPLE)
        if kind < 0.4:
            return f"the {self.rng.choice(self.filler.words)} {self.rng.choice(self.filler.words)}"
        return "the " + self.rng.choice(self.filler.words)

    def fact_set(self, count: int) -> list[dict[str, str]]:
        """Facts whose attributes and entities recur, so that both are needed to tell them apart."""
        facts: dict[tuple[str, str], dict[str, str]] = {}
        entities = [self.entity() for _ in range(max(1, int(count * self.rng.uniform(0.4, 1))))]
        attributes = self.rng.sample(ATTRIBUTES, self.rng.randint(1, 6))
        for number in range(count):
            entity = entities[number] if number < len(entities) else self.rng.choice(entities)
            attribute = self.rng.choice(attributes)
            value = self.value()
            facts[attribute, entity] = {"a": attribute, "e": entity, "v": value,
                                        "V": value[0].upper() + value[1:]}
        return list(facts.values())

    def say(self, canonical: str, others: tuple[str, ...], fact: dict[str, str]) -> str:
        form = canonical if self.rng.random() < 0.65 else self.rng.choice(others)
        return form.format(**fact)

    def room(self, length: int, texts: list[str]) -> int:
        """Tokens that are left for prose, with some for the document's beginning."""
        return length - self.bpe.count("\n\n".join(texts)) - 2 * len(texts) - FIRST_TOKENS

    def prose(self, tokens: int) -> list[str]:
        return self.filler.sentences(self.rng, tokens, self.bpe)

    def woven(self, items: list[tuple[float, str]], room: int) -> str:
        """Prose of at most `room` tokens with items at their places: 0 to 1, and 2 after it all."""
        sentences = self.prose(room)
        size = sum(map(len, sentences))
        out: list[str] = []
        done, waiting = 0, sorted(items, key=lambda item: item[0])
        for sentence in sentences:
            while waiting and waiting[0][0] * size <= done:
                text = waiting.pop(0)[1]
                if out and out[-1].endswith(" ") and ("?" in text or self.rng.random() < 0.5):
                    out[-1] = out[-1].rstrip() + "\n\n"
                out.append(text + (" " if out and out[-1].endswith(" ") else "\n\n"))
            out.append(sentence)
            done += len(sentence)
        if out:
            out[-1] = out[-1].rstrip() + "\n\n"
        return "".join(out + [text + "\n\n" for _, text in waiting]).rstrip()

    def facts(self, length: int) -> str:
        share = self.rng.uniform(0.5, 0.95) if length < 400 else self.rng.uniform(0.08, 0.5)
        count = max(1, int(length * share / 75))
        items: list[tuple[float, str]] = []
        last: list[str] = []
        for fact in self.fact_set(count):
            place = self.rng.random() * 0.95
            items.append((place, self.say(CANONICAL_FACT, FACT_FORMS, fact)))
            for _ in range(self.rng.choice((1, 1, 2))):
                question = self.say(CANONICAL_QUESTION, QUESTION_FORMS, fact)
                if self.rng.random() < 0.5:
                    last.append(question)
                else:
                    items.append((self.rng.uniform(place, 1), question))
        self.rng.shuffle(last)
        items += [(2.0, question) for question in last]
        return self.woven(items, self.room(length, [text for _, text in items]))

    def needle(self, length: int) -> str:
        fact = self.fact_set(1)[0]
        items = [(self.rng.random() * 0.98, CANONICAL_FACT.format(**fact)),
                 (2.0, CANONICAL_QUESTION.format(**fact))]
        return self.woven(items, self.room(length, [text for _, text in items]))

    def at_most(self, tokens: float, make: Callable[[], str]) -> list[str]:
        """Made strings of so many tokens in all, one at least."""
        found: list[str] = []
        while True:
            text = make()
            tokens -= self.bpe.count(" " + text) + 1
            if found and tokens < 0:
                return found
            found.append(text)

    def pairs(self, length: int) -> str:
        form, digits = self.rng.choice(PAIR_FORMS), self.rng.random() < 0.6
        keys = iter(self.rng.sample(self.filler.words, len(self.filler.words)))

        def row() -> str:
            value = (str(self.rng.randrange(10 ** self.rng.randint(1, 4))) if digits else
                     self.rng.choice(self.filler.words))
            return form.format(k=next(keys), v=value)

        rows = self.at_most(min(length * self.rng.uniform(0.15, 0.45), 1500), row)
        again = self.rng.sample(rows, len(rows))
        return self.with_gap("\n".join(rows), "\n".join(again), length)

    def words(self, length: int) -> str:
        times = 3 if self.rng.random() < 0.3 else 1
        budget = min(length * self.rng.uniform(0.1, 0.9) / (1 + times), 1000)
        passage = " ".join(self.at_most(budget, lambda: self.rng.choice(self.filler.words)))
        return self.with_gap(passage, "\n\n".join([passage] * times), length)

    def copy(self, length: int) -> str:
        size = int(length * self.rng.uniform(0.1, 0.4))
        passage = "".join(self.prose(min(size, 800))).strip()
        return self.with_gap(passage, passage, length)

    def with_gap(self, head: str, tail: str, length: int) -> str:
        """Prose of any length before, then `head`, prose, `tail`; often no prose in between."""
        room = self.room(length, [head, tail])
        gap = 0 if self.rng.random() < 0.3 else int(max(room, 0) * self.rng.random())
        before, between = self.woven([], room - gap), self.woven([], gap)
        return "\n\n".join(part for part in (before, head, between, tail) if part)

    def fit(self, text: str, tokens: int) -> str | None:
        """`text` after as much prose as makes it exactly `tokens` long; None if that fails."""
        missing = tokens - self.bpe.count(text)
        if missing < 1:
            return text if missing == 0 else None
        for _ in range(20):
            first = "".join(self.prose(missing + 80)).strip() + "\n\n"
            excess = self.bpe.count(first) - missing
            for match in re.finditer(r"\S+\s+", first):
                if excess <= 0:
                    break
                excess -= self.bpe.count(" " + match.group().strip())
                if excess == 0 and self.bpe.count(first[match.end():] + text) == tokens:
                    return first[match.end():] + text
        return None

    def document(self, length: int) -> str:
        """A document of `length` tokens with the one that ends it."""
        while True:
            task = self.rng.choices(list(self.shares), list(self.shares.values()))[0]
            text = self.fit(getattr(self, task)(length), length - 1)
            if text is not None and text.isascii() and text == text.strip():
                return text


def lengths(rng: random.Random, sequence: int, shortest: int, longest: int) -> list[int]:
    """Lengths that add up to `sequence`, about evenly spread on a logarithmic scale."""
    parts: list[int] = []
    left = sequence
    while left:
        part = int(shortest * (longest / shortest) ** rng.random())
        if left - part < shortest:
            part = left
        if part > longest:
            part = left // 2
        parts.append(part)
        left -= part
    return parts


def parse_shares(text: str) -> dict[str, float]:
    shares = {name: float(value) for name, value in (p.split("=") for p in text.split(","))}
    if unknown := set(shares) - {"facts", "needle", "pairs", "copy", "words"}:
        raise ValueError(f"--tasks: found {sorted(unknown)}, expected facts, needle, pairs, copy "
                         "and words")
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--filler", type=pathlib.Path, required=True,
                        help="JSONL documents, or a directory of them")
    parser.add_argument("--sequence", type=int, required=True, help="tokens of a packed sequence")
    parser.add_argument("--shortest", type=int, default=200, help="tokens of the shortest document")
    parser.add_argument("--longest", type=int, help="of the longest (default: --sequence)")
    parser.add_argument("--tokens", type=int, default=4_000_000, help="of the file, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", default="facts=0.5,needle=0.1,pairs=0.15,copy=0.1,words=0.15")
    options = parser.parse_args()
    longest = options.longest or options.sequence
    if not 64 <= options.shortest <= longest <= options.sequence:
        sys.exit("recall_tasks.py: expected 64 <= shortest <= longest <= sequence")
    paths = sorted(options.filler.glob("*.jsonl")) if options.filler.is_dir() else [options.filler]
    maker = Maker(Bpe(options.tokenizer), Filler(paths), options.seed, parse_shares(options.tasks))
    count = max(1, options.tokens // options.sequence)
    part = options.out.with_name(options.out.name + ".part")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with open(part, "w", encoding="ascii") as sink:
        for number in range(count):
            for length in lengths(maker.rng, options.sequence, options.shortest, longest):
                sink.write(json.dumps({"text": maker.document(length)}) + "\n")
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {count} sequences", end="", file=sys.stderr)
    part.replace(options.out)
    print(f"{options.out}: {count * options.sequence:,} tokens in {count:,} sequences")


if __name__ == "__main__":
    main()
