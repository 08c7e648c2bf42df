#!/usr/bin/env python3
"""Checks that the documentation is true: links, paths, commands, subcommands.

    tools/check_docs.py --binary build/release/ringlet [--model FILE]

A fenced block that opens with ```sh test is executed, and must succeed, in a scratch directory that
looks like the repository after a build: build/release/ringlet is the binary, docs/, models/ and tests/ are
there too. ```sh test=model marks a block that needs the demo's model; such blocks are all that runs,
and nothing else is checked, when --model is given. Exit status 77 says that the model is absent.
"""

import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SKIPPED = 77
BLOCK_SECONDS = 300

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED_PATH = re.compile(
    r"`((?:src|docs|tools|tests|cmake|examples|bench|fuzz|include|\.ci)/[^`\s]*|[A-Z][\w.]+\.(?:md|txt|json))`")


@dataclasses.dataclass
class Block:
    page: pathlib.Path
    line: int
    mark: str  # "test" or "test=model"
    text: str


def blocks(page):
    """Yields the marked shell blocks of a page."""
    block = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if block is None:
            if match := re.fullmatch(r"```(?:sh (test(?:=model)?)|.*)", line.strip()):
                block = Block(page, number, match.group(1) or "", "")
        elif line.strip() == "```":
            if block.mark:
                yield block
            block = None
        else:
            block.text += line + "\n"


def run_block(block, directory):
    """Runs a block; returns None or what failed."""
    where = f"{block.page.name}:{block.line}"
    try:
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", block.text], cwd=directory,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=BLOCK_SECONDS)
    except subprocess.TimeoutExpired:
        return f"{where}: still running after {BLOCK_SECONDS} s"
    if result.returncode == 0:
        return None
    output = result.stdout.decode("utf-8", "replace")[-2000:]
    return f"{where}: exit status {result.returncode}\n{block.text}{output}"


def check_links(root, page):
    problems = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        for target in LINK.findall(line):
            path = target.split("#")[0]
            if path and "://" not in path and not (page.parent / path).exists():
                name = page.relative_to(root)
                problems.append(f"{name}:{number}: link to {path}: no such file")
    return problems


def check_paths(root, page):
    """Paths in backquotes must exist; <op> marks a name that the reader chooses."""
    problems = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        for path in QUOTED_PATH.findall(line):
            if "<" in path or "{" in path:
                continue
            if not any(True for _ in root.glob(path.rstrip("/"))):
                name = page.relative_to(root)
                problems.append(f"{name}:{number}: `{path}`: no such path")
    return problems


def check_commands(page, help_text):
    """Sections "## ringlet NAME" of the page and the subcommands of --help must be the same."""
    documented = set(re.findall(r"^#+ `?ringlet ([a-z-]+)", page.read_text(encoding="utf-8"), re.M))
    listing = help_text.split("Subcommands:")[-1]
    available = set(re.findall(r"^  ([a-z-]+)\b", listing, re.M))
    problems = [f"{page.name}: `ringlet {name}` is not in --help"
                for name in sorted(documented - available)]
    problems += [f"{page.name}: `ringlet {name}` is in --help but has no section"
                 for name in sorted(available - documented)]
    return problems


def run_blocks(pages, mark, binary, model):
    """Runs every block with this mark; returns (problems, number of blocks)."""
    problems, count = [], 0
    with tempfile.TemporaryDirectory() as directory:
        scratch = pathlib.Path(directory)
        (scratch / "build/release").mkdir(parents=True)
        (scratch / "build/release/ringlet").symlink_to(binary.resolve())
        (scratch / "build/release/bin").symlink_to(binary.resolve().parent / "bin")
        for name in ("docs", "models", "tests", "README.md"):
            (scratch / name).symlink_to(ROOT / name)
        if model is not None:
            (scratch / ".cache/models").mkdir(parents=True)
            (scratch / ".cache/models" / MODEL_NAME).symlink_to(model.resolve())
        for page in pages:
            for block in blocks(page):
                if block.mark == mark:
                    count += 1
                    problems += [p for p in [run_block(block, scratch)] if p]
    return problems, count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path)
    arguments = parser.parse_args()
    pages = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
    pages += [ROOT / "bench/README.md", ROOT / "examples/README.md"]
    if arguments.model is not None and not arguments.model.exists():
        print(f"skipped: {arguments.model} is absent (make demo-smollm2 fetches it)")
        sys.exit(SKIPPED)
    mark = "test" if arguments.model is None else "test=model"
    problems, count = run_blocks(pages, mark, arguments.binary, arguments.model)
    if arguments.model is None:
        for page in pages:
            problems += check_links(ROOT, page) + check_paths(ROOT, page)
        help_text = subprocess.run([arguments.binary, "--help"], capture_output=True, text=True,
                                   check=True).stdout
        problems += check_commands(ROOT / "docs/cli.md", help_text)
    for problem in problems:
        print(problem)
    if problems or count == 0:
        sys.exit(f"docs: {len(problems)} problems, {count} blocks run")
    print(f"docs: {len(pages)} pages, {count} blocks run")


if __name__ == "__main__":
    main()
