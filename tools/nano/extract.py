"""Readers of the formats in which Debian ships prose: each yields paragraphs."""

import gzip
import html.parser
import pathlib
import re
import struct
import zlib
from collections.abc import Iterable, Iterator

from clean import unwrap

BLOCKS = frozenset(
    "p div li h1 h2 h3 h4 h5 h6 blockquote td th dd dt section article br hr tr ul ol dl body title "
    "para item page desc info note steps".split())
SKIPPED = frozenset(
    "script style nav table pre header footer svg math head form select button sup aside "
    "screen code-block media links credit license revision".split())
SKIPPED_CLASS = re.compile(
    r"nav|toc|menu|sidebar|footer|header|copyright|related|breadcrumb|source|highlight|literal-block|"
    r"programlisting|headerlink|title-?page|footnote|index", re.I)
VOID = frozenset("br hr img meta link input col area base wbr".split())


class ProseParser(html.parser.HTMLParser):
    """Collects the paragraphs of an HTML or Mallard page, without tables, code and navigation."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[str] = []
        self.parts: list[str] = []
        self.skip = ""
        self.depth = 0

    def flush(self) -> None:
        if text := " ".join("".join(self.parts).split()):
            self.paragraphs.append(text)
        self.parts = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.skip:
            self.depth += tag == self.skip
            return
        values = dict(attrs)
        name = f"{values.get('class') or ''} {values.get('role') or ''}"
        hidden = tag in SKIPPED or (tag not in ("body", "html", "p") and SKIPPED_CLASS.search(name))
        if tag in BLOCKS or hidden:
            self.flush()
        if hidden and tag not in VOID:
            self.skip, self.depth = tag, 1

    def handle_endtag(self, tag: str) -> None:
        if self.skip:
            self.depth -= tag == self.skip
            if self.depth == 0:
                self.skip = ""
        elif tag in BLOCKS:
            self.flush()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self.skip and tag in BLOCKS:
            self.flush()

    def handle_data(self, data: str) -> None:
        if not self.skip:
            self.parts.append(data)


def read_text(path: pathlib.Path) -> str:
    """A text file, perhaps compressed; UTF-8, else Latin-1."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def from_html(text: str) -> list[str]:
    parser = ProseParser()
    parser.feed(text)
    parser.close()
    parser.flush()
    return parser.paragraphs


def from_plain(text: str) -> Iterator[str]:
    return unwrap(text.splitlines())


def from_markdown(text: str) -> Iterator[str]:
    """Markdown without code, tables, images and the marks of emphasis."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|<[^>\n]{1,80}>", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\s*\[[^\]\n]*\bpp?\. ?\d[^\]]*\]", "", text)  # sources of quotations
    text = re.sub(r"^\s*([*+-]|\d+\.?) +", "\n", text, flags=re.M)
    text = re.sub(r"^(#+|>+) *|^(=+|-+)$", "", text, flags=re.M)
    text = re.sub(r"(\*\*|__|\*)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    return unwrap(text.replace("`", "").replace("\\", "").splitlines())


def strip_rst_roles(text: str) -> str:
    text = re.sub(r":[\w:+-]+:`~?\.?([^`<]*?)(?: *<[^`>]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]*?) *<[^`>]*>`__?", r"\1", text)
    text = re.sub(r"``([^`]*)``|`([^`]*)`_*", lambda m: m.group(1) or m.group(2) or "", text)
    return re.sub(r"\|(\w[^|]*)\||\*\*([^*]+)\*\*|\*([^*]+)\*",
                  lambda m: m.group(1) or m.group(2) or m.group(3), text)


def from_rst(text: str) -> Iterator[str]:
    """reStructuredText without directives, literal blocks, field lists and tables."""
    kept: list[str] = []
    hidden: int | None = None  # the indentation at which a block that is left out ends
    for line in text.splitlines():
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if hidden is not None and stripped and indent > hidden:
            continue
        if stripped:
            hidden = None
        if re.match(r"\.\. |__ |:[\w -]+:( |$)", stripped):
            if not re.match(r"\.\. (note|warning|tip|seealso|important)::", stripped):
                hidden = indent
            kept.append("")
        elif re.match(r"([=~^\"'#*+.-])\1{2,}\s*|\+[-=+]+\+|[|>] |[= ]+$", stripped):
            kept.append("")
        else:
            if stripped.endswith("::"):
                hidden, line = indent, line.rstrip()[:-1]
            if re.match(r"[*-] |#\. |\d+\. ", stripped):
                kept.append("")
                line = re.sub(r"^\s*([*-]|#\.|\d+\.) +", "", line)
            kept.append(line)
    return map(strip_rst_roles, unwrap(kept))


def from_pod(text: str) -> Iterator[str]:
    """Perl's documentation without verbatim blocks."""
    def code(match: re.Match) -> str:
        kind, inner = match.group(1), match.group(2) or match.group(3)
        if kind == "L":
            return inner.split("|")[0].strip('"/')
        return {"lt": "<", "gt": ">"}.get(inner, inner) if kind == "E" else inner

    for block in re.split(r"\n\s*\n", text):
        if block[:1].isspace() or re.match(r"=(cut|over|back|for|begin|end|encoding|pod)", block):
            continue
        block = re.sub(r"^=(head\d|item) +(\* *)?", "", block.strip())
        for _ in range(4):
            block = re.sub(r"([BCFILSXEZ])(?:<< (.*?) >>|<([^<>]*)>)", code, block, flags=re.S)
        yield " ".join(block.split())


def from_info(text: str) -> Iterator[str]:
    """GNU Info without menus, node lines and indented examples."""
    for node in text.split("\x1f")[1:]:
        body = node.split("\n* Menu:")[0].split("\n", 2)[-1]
        body = re.sub(r"^[*=.-]{3,}$", "", body, flags=re.M)
        body = re.sub(r"\*[Nn]ote\s+([^:]*)::?", r"\1", body)
        for block in re.split(r"\n\s*\n", body):
            if not block.startswith("     "):
                yield " ".join(block.split())


def from_man(text: str) -> Iterator[str]:
    """A manual page of the man macros, without displays and tables."""
    text = re.sub(r"^\.(TS|EX|nf|PS|EQ)\b.*?^\.(TE|EE|fi|PE|EN)\b.*?$", ".PP", text,
                  flags=re.S | re.M)
    lines: list[str] = []
    for line in text.splitlines():
        macro = re.match(r"[.']\s*([A-Za-z\"\\]+)\s*(.*)", line)
        if not macro:
            lines.append(line)
        elif macro[1] in ("SH", "SS"):
            lines += ["", macro[2].strip('"').capitalize(), ""]
        elif re.fullmatch(r"[BI]|SM|SB|[BIR]{2}", macro[1]):
            joined = macro[1] in ("BR", "RB", "IR", "RI", "BI", "IB")
            parts = re.findall(r'"([^"]*)"|(\S+)', macro[2])
            lines.append(("" if joined else " ").join(a or b for a, b in parts))
        elif macro[1] in ("PP", "P", "LP", "TP", "IP", "HP", "br", "sp", "RS", "RE"):
            lines.append("")
    joined = re.sub(r"\\f(\[[^\]]*\]|\(..|.)|\\[&|/,%:^c]|\\s[-+]?\d", "", "\n".join(lines))
    joined = re.sub(r"\\\((lq|rq|dq)|\\\[(lq|rq|dq)\]", '"', joined)
    joined = re.sub(r"\\\((aq|cq|oq)|\\\[(aq|cq|oq)\]", "'", joined)
    joined = re.sub(r"\\\(em|\\\[em\]", "--", joined).replace("\\-", "-").replace("\\ ", " ")
    return unwrap(joined.replace("\\e", "\\").splitlines())


def from_fortunes(text: str) -> Iterator[str]:
    """Fortune cookies; a line that starts with a dash (who said it) stays with its cookie."""
    for cookie in re.split(r"^%$", text, flags=re.M):
        yield from unwrap(re.sub(r".\x08", "", cookie).splitlines())


def from_gcide(text: str) -> Iterator[str]:
    """Webster's entries as "Word: definition", one paragraph each, without etymologies."""
    for entry in re.split(r"\n(?=\S)", text):
        entry = re.sub(r"\[[^\]]*\]|\{|\}", "", entry)
        head = re.match(r"([^\\\n]+?) +\\[^\n]*\n", entry)
        if not head:
            continue
        body = re.sub(r"--[A-Z][\w. ]*(\([^)]*\))?\.?|\([A-Z][\w. &]*\.\)", "", entry[head.end():])
        parts = []
        for part in unwrap(body.splitlines()):
            part = re.sub(r"^(\d+\.|\([a-z]\)|Note:)\s*", "", part.strip())
            if len(part) > 20 and not re.match(r"Syn:|n\.|a\.|v\.|adv\.", part):
                parts.append(part)
        line = " ".join(parts)
        if line and not re.search(r"\w\?\w|\?\?|\bAS\.|\bOHG\.|\bIcel\.", line):
            yield f"{head.group(1).strip()}: {line}"


def from_foldoc(text: str) -> Iterator[str]:
    """The computing dictionary as "term: text"."""
    for entry in re.split(r"\n(?=\S)", text):
        head, _, body = entry.partition("\n")
        body = re.sub(r"\[[^\]]*\]|<[^>]*>|\(\d{4}-\d\d-\d\d\)|[{}]", "", body)
        body = " ".join(body.split())
        if len(body) > 60:
            yield f"{head.strip()}: {body}"


def from_jargon(text: str) -> Iterator[str]:
    """The Jargon File: entries start with ":term: kind:"."""
    for block in re.split(r"\n\s*\n", text):
        line = " ".join(block.split())
        line = re.sub(r"^:([^:]+): *(/[^/]*/)?[\s,]*((n|v|vt|vi|adj|adv|interj|excl)\.,? ?)*", r"\1: ",
                      line)
        yield re.sub(r"\{([^}]*)\}", r"\1", line)


def from_wordnet(text: str) -> Iterator[str]:
    """Glosses as "word: gloss", in the order of the file: by field of meaning."""
    for line in text.splitlines():
        if line[:1].isspace() or "|" not in line:
            continue
        data, gloss = line.split("|", 1)
        word = re.sub(r"\([a-z]+\)", "", data.split()[4]).replace("_", " ")
        yield f"{word}: {gloss.strip()}."


def r_strings(data: bytes) -> Iterator[str]:
    """The character strings of a serialized R object (XDR), in order."""
    position = 0
    while match := re.compile(rb"\x00(?:\x04\x00|\x00\x80|\x02\x00|\x00\x00)\x09").search(
            data, position):
        start = match.end() + 4
        length = struct.unpack(">i", data[match.end():start])[0] if start <= len(data) else -1
        if 0 <= length <= len(data) - start:
            yield data[start:start + length].decode("utf-8", "replace")
            position = start + length
        else:
            position = match.end()


def r_objects(data: bytes) -> Iterator[bytes]:
    """The objects of an R lazy-load file: length and zlib stream, again and again."""
    position = 0
    while position + 4 < len(data):
        unzip = zlib.decompressobj()
        try:
            yield unzip.decompress(data[position + 4:])
        except zlib.error:
            return
        position = len(data) - len(unzip.unused_data)


def from_rdb(path: pathlib.Path) -> Iterator[tuple[str, Iterable[str]]]:
    """The books in an R package's data, one for each object: lines of text."""
    for number, blob in enumerate(r_objects(path.read_bytes())):
        lines = [line for line in r_strings(blob)]
        if sum(map(len, lines)) > 20_000:
            yield f"{path.name}#{number}", unwrap(split_r_lines(lines))


def split_r_lines(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield from line.split("\n") if line else [""]


def from_sword(path: pathlib.Path) -> Iterator[tuple[str, list[str]]]:
    """A compressed SWORD module (*.bzz with its *.bzs): a document for each block (a book)."""
    index = path.with_suffix(".bzs").read_bytes()
    data = path.read_bytes()
    for number in range(len(index) // 12):
        offset, size, _ = struct.unpack_from("<III", index, 12 * number)
        if size:
            text = zlib.decompress(data[offset:offset + size]).decode("utf-8", "replace")
            yield f"{path.name}#{number}", from_html(re.sub(r"</?(verse|div|chapter)[^>]*>", "<p>",
                                                             text.replace("\n", "<p>")))


READERS = {"html": from_html, "plain": from_plain, "markdown": from_markdown, "rst": from_rst,
           "pod": from_pod, "info": from_info, "man": from_man, "fortunes": from_fortunes,
           "gcide": from_gcide, "foldoc": from_foldoc, "jargon": from_jargon,
           "wordnet": from_wordnet}
CONTAINERS = {"rdb": from_rdb, "sword": from_sword}


def documents(kind: str, path: pathlib.Path) -> Iterator[tuple[str, Iterable[str]]]:
    """(name, paragraphs) of a file of the kind."""
    if kind in CONTAINERS:
        yield from CONTAINERS[kind](path)
    else:
        yield path.name, READERS[kind](read_text(path))
