#!/usr/bin/env python3
"""Checks what a formatter or a reader would: clang-format, file length, ASCII, stray markers.

    tools/check_style.py [--fix]

--fix runs clang-format in place. Needs clang-format 14 (its output differs between versions).
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CXX = {".h", ".cc", ".cu", ".cuh"}
TEXT = CXX | {".py", ".sh", ".cmake", ".md", ".txt", ".json"}
MAX_LINES = 800  # the aim is 400 (CONTRIBUTING.md)
# Bytes that are not ASCII belong to test data and to tests of text handling, which are clearer with
# the text itself than with escapes; product sources are ASCII.
ASCII_ONLY = CXX | {".py", ".sh", ".cmake"}
MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# A second definition of a rule is a place where the pattern itself must appear.
EXEMPT = {"tools/check_style.py"}


def tracked_files():
    """Files git knows or would add, so that a new file is checked before it is committed."""
    result = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    return [name for name in sorted(set(result.stdout.splitlines())) if (ROOT / name).is_file()]


def find_clang_format():
    for name in ("clang-format-14", "clang-format"):
        if path := shutil.which(name):
            version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
            if re.search(r"version 14\.", version):
                return path
    return None


def check_format(names, fix):
    tool = find_clang_format()
    if tool is None:
        return ["clang-format 14 was not found: tools/install_deps.sh test"]
    mode = ["-i"] if fix else ["--dry-run", "-Werror"]
    problems = []
    for name in names:
        result = subprocess.run([tool, *mode, name], cwd=ROOT, capture_output=True, text=True)
        if result.returncode != 0:
            first = (result.stderr.splitlines() or [f"{name}: not formatted"])[0]
            problems.append(first.replace("code should be clang-formatted", "run 'make format'"))
    return problems


def check_text(name):
    suffix = pathlib.PurePath(name).suffix
    data = (ROOT / name).read_bytes()
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return [f"{name}: not UTF-8"]
    problems = []
    if suffix in CXX and len(lines) > MAX_LINES:
        problems.append(f"{name}: {len(lines)} lines, the limit is {MAX_LINES}")
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if suffix in ASCII_ONLY and "_test" not in name and not line.isascii():
            problems.append(f"{where}: a character that is not ASCII")
        if suffix in ASCII_ONLY and "\t" in line:
            problems.append(f"{where}: a tab")
        if suffix in CXX and line != line.rstrip():
            problems.append(f"{where}: trailing space")
        if suffix in ASCII_ONLY and MARKERS.search(line):
            problems.append(f"{where}: an unfinished-work marker; file an issue instead")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fix", action="store_true", help="run clang-format in place")
    arguments = parser.parse_args()
    names = [n for n in tracked_files() if pathlib.PurePath(n).suffix in TEXT]
    cxx = [n for n in names if pathlib.PurePath(n).suffix in CXX]
    problems = check_format(cxx, arguments.fix)
    for name in names:
        # Inputs of tests may be wrong on purpose.
        if name not in EXEMPT and not name.startswith(("tests/data/", "fuzz/corpus/")):
            problems += check_text(name)
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f"style: {len(cxx)} C++ files formatted, {len(names)} text files checked")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
