"""From paragraphs of any origin to clean English paragraphs.

A paragraph is one string without line breaks. What is no English prose (code, tables, lists of
names, other languages) is dropped as a whole paragraph; inside a paragraph only typography changes.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

PUNCTUATION = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2032": "'", "\u00b4": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"', "\u00ab": '"', "\u00bb": '"',
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "--", "\u2014": "--", "\u2015": "--",
    "\u2212": "-", "\u2026": "...", "\u00a0": " ", "\u2009": " ", "\u200a": " ", "\u202f": " ",
    "\u200b": "", "\u200c": "", "\u200d": "", "\ufeff": "", "\u00ad": "", "\u2022": " ",
    "\u00b6": "", "\u00ae": "", "\u2122": "", "\f": " ",
})
# A tenth of English prose at least is these, in any register.
FUNCTION_WORDS = frozenset(
    "the a an and or but of to in on at by for with from as is are was were be been it its this that "
    "these those he she they we you i his her their our your my not no if when which who what there "
    "will would can could may might shall should must has have had do does did so than then into "
    "upon one all any some such more most other only each also about out up how where him them me "
    "us very own same because while after before between through unto thou thy thee ye".split())
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
PLAIN = re.compile(r"[A-Za-z ,.;:'\"!?()-]")
HEADING = re.compile(r"(?:\d[\d.]* )?[A-Z][A-Za-z0-9 ,.'()?!:/-]{1,78}$")
MAX_WORD = 40


def tidy(text: str) -> str:
    """One line, plain punctuation, single spaces."""
    text = " ".join(unicodedata.normalize("NFC", text).translate(PUNCTUATION).split())
    text = re.sub(r"(?<!\w)_([^_\n]{1,200}?)_(?!\w)", r"\1", text)
    return re.sub(r" ([,;.!?](?: |$))", r"\1", text)


def unwrap(lines: Iterable[str]) -> Iterator[str]:
    """Paragraphs of text whose lines were broken; empty lines stand between paragraphs."""
    block: list[str] = []
    for line in lines:
        if line.strip():
            block.append(line.strip())
        elif block:
            yield " ".join(block)
            block = []
    if block:
        yield " ".join(block)


def function_share(words: list[str]) -> float:
    return sum(word.lower() in FUNCTION_WORDS for word in words) / len(words) if words else 0.0


def is_prose(text: str, strict: bool = True) -> bool:
    """Whether a tidy paragraph reads as English. Not strict: of a book, where all of it should."""
    words = WORD.findall(text)
    if not words or max(map(len, text.split())) > MAX_WORD or "[Greek" in text:
        return False
    if len(PLAIN.findall(text)) < (0.93 if strict else 0.88) * len(text):
        return False
    if not strict:
        return len(words) < 12 or function_share(words) >= 0.15
    if len(text) < 60 or len(words) < 9 or text[-1] not in ".:;!?)\"'":
        return False
    return function_share(words) >= 0.22 and not re.search(r"[|{}\\<>=]|::|\$\w", text)


def is_heading(text: str) -> bool:
    return bool(HEADING.match(text)) and len(text.split()) <= 10


def clean(paragraphs: Iterable[str], strict: bool = True) -> list[str]:
    """Tidy paragraphs that are prose, with the headings that have prose below them."""
    kept: list[str] = []
    heading = ""
    for raw in paragraphs:
        text = tidy(raw)
        if is_prose(text, strict):
            if heading:
                kept.append(heading)
                heading = ""
            kept.append(text)
        elif is_heading(text):
            heading = text
    return kept


def paragraph_key(text: str) -> bytes:
    """Equal for paragraphs that differ in case, spaces or punctuation only."""
    letters = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    return hashlib.blake2b(letters.encode(), digest_size=10).digest()


def cut(paragraphs: list[str], limit: int) -> Iterator[list[str]]:
    """Runs of whole paragraphs of about equal size, none much longer than `limit` characters."""
    total = sum(map(len, paragraphs))
    pieces = max(1, -(-total // limit))
    run: list[str] = []
    size = done = 0
    for text in paragraphs:
        run.append(text)
        size += len(text)
        if size >= total * (done + 1) / pieces:
            yield run
            run = []
            done += 1
    if run:
        yield run
