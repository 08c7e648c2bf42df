#!/usr/bin/env python3
"""Checks that #include lines respect the layers of src/ (docs/architecture.md), and that no two
headers define a type of the same name: the linker would take one's functions for the other's.

    tools/check_layers.py [ROOT]

Prints one line for each violation and exits 1 when there is any.
"""

import fnmatch
import pathlib
import re
import sys

# What each folder of src/ may include besides itself. Nothing else exists in src/.
BELOW = {
    "base": set(),
    "tensor": {"base"},
    "io": {"base", "tensor"},
    "ops": {"base", "tensor"},
    "nn": {"base", "tensor", "ops"},
    "model": {"base", "tensor", "ops", "nn", "io"},
    "engine": {"base", "tensor", "ops", "nn", "model", "io"},
    "bench": {"base", "tensor", "ops", "nn", "model", "io", "engine"},
    "train": {"base", "tensor", "ops", "nn", "model", "io"},
    "rl": {"base", "tensor", "ops", "nn", "model", "io", "engine", "train"},
    "server": {"base", "tensor", "ops", "nn", "model", "io", "engine", "train", "rl"},
    "cli": {"base", "tensor", "ops", "nn", "model", "io", "engine", "bench", "train", "rl",
            "server"},
}

# Headers that only some files may name: (header pattern, file patterns). Paths are below the root.
INTRINSICS = ["src/ops/*", "src/base/thread_pool.cc", "src/base/cpu_features.cc"]
CONFINED = [
    ("*intrin.h", INTRINSICS),
    ("cpuid.h", INTRINSICS),
    ("arm_neon.h", INTRINSICS),
    ("nlohmann/*", ["src/base/json.h"]),
    ("CLI/*", ["src/cli/*"]),
    ("histedit.h", ["src/cli/*"]),
    ("editline/*", ["src/cli/*"]),
    ("pcre2*.h", ["src/io/*"]),
    ("utf8proc.h", ["src/io/*"]),
    ("boost/*", ["src/server/http/*"]),
    ("toml++/*", ["src/train/config/toml.cc"]),
]

SUFFIXES = {".h", ".cc", ".cu", ".cuh"}
TYPE = re.compile(r"(?:class|struct|enum class) (\w+)(?: final)?(?: : .*)? \{")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def includes(path):
    """Yields (line number, quoted header or None, system header or None)."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := INCLUDE.match(line):
            yield number, match.group(1), match.group(2)


def check_quoted(root, name, header):
    """Returns what is wrong with `#include "header"` in the file `name`, or None."""
    if not any((root / base / header).is_file() for base in ("src", "include")):
        return f'"{header}" is not a path below src/ or include/'
    parts = name.split("/")
    if parts[0] == "include":
        if not header.startswith("ringlet/"):
            return f'a public header includes "{header}", which is not public'
        return None
    if parts[0] != "src":
        return None
    layer, target = parts[1], header.split("/")[0]
    if target == layer or target in BELOW[layer]:
        return None
    if target == "ringlet" and "model" in BELOW[layer]:
        return None
    return f'{layer} includes "{header}"; it may include {", ".join(sorted(BELOW[layer])) or "nothing"}'


def check_confined(name, header):
    for pattern, allowed in CONFINED:
        if fnmatch.fnmatch(header, pattern) and not any(fnmatch.fnmatch(name, a) for a in allowed):
            return f"<{header}> is confined to {', '.join(allowed)}"
    return None


def check_tree(root):
    """Returns the violations below `root`, each as "file:line: what"."""
    problems = []
    for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        if folder.name not in BELOW:
            problems.append(f"src/{folder.name}: not a known layer (tools/check_layers.py)")
    for top in ("src", "include", "tests", "examples", "fuzz", "bench"):
        for path in sorted((root / top).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix not in SUFFIXES or (top == "src" and name.split("/")[1] not in BELOW):
                continue
            for number, quoted, system in includes(path):
                problem = check_quoted(root, name, quoted) if quoted else None
                problem = problem or check_confined(name, quoted or system)
                if problem:
                    problems.append(f"{name}:{number}: {problem}")
    return problems


def check_names(root):
    """Types that several headers define outside other types, as "file: what"."""
    places = {}
    problems = []
    for path in sorted((root / "src").rglob("*.h")):
        if path.name.endswith(".inl.h"):  # of one instruction set's namespace
            continue
        name = path.relative_to(root).as_posix()
        for line in path.read_text(encoding="utf-8").splitlines():
            if not (match := TYPE.match(line)):
                continue
            first = places.setdefault(match.group(1), name)
            if first != name:
                problems.append(f"{name}: {match.group(1)} is the name of a type in {first}")
    return problems


def main():
    default = pathlib.Path(__file__).resolve().parent.parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    problems = check_tree(root) + check_names(root)
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print("layers: every include points downwards, every type has its own name")


if __name__ == "__main__":
    main()
