#!/usr/bin/env python3
"""Checks the compiled objects for code that could run on a processor that lacks it.

    tools/check_objects.py KERNEL_LIST OBJECT_ROOT

KERNEL_LIST names the objects compiled for one instruction set, one per line (CMake writes it). Each
must export exactly one symbol, its kernel table, and no weak symbol: the linker keeps any one copy
of a weak function, which could be the copy with the wide instructions. Every other object below
OBJECT_ROOT, and every scalar kernel, must be free of ymm and zmm registers; on Arm, of dot products,
and the kernels for every Arm processor too. NM and OBJDUMP in the environment name other tools than
nm and objdump.
"""

import os
import pathlib
import re
import subprocess
import sys

# Letters of nm: weak definitions, and unique globals (templates' static data).
WEAK = set("WVu")
# Letters of symbols defined here and visible outside.
EXPORTED = set("TDRBGSC")
WIDE = re.compile(r"%[yz]mm\d|\tsdot\t")
ISA = re.compile(r"_(scalar|avx2|avx512\w*|neon\w*)\.dir/")


def symbols(path):
    """Yields (letter, name) of every symbol of an object file."""
    command = [os.environ.get("NM", "nm"), "-C", "--format=posix", str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        match = re.match(r"(.*) ([A-Za-z?])(?: [0-9a-f]+){0,2}\s*$", line)
        if match:
            yield match.group(2), match.group(1)


def check_symbols(path):
    """Returns what is wrong with the symbols of one kernel object."""
    problems = []
    exported = []
    for letter, name in symbols(path):
        if letter in WEAK:
            problems.append(f"{path}: weak symbol {name}")
        elif letter in EXPORTED:
            exported.append(name)
    if len(exported) != 1:
        problems.append(f"{path}: exports {len(exported)} symbols, expected its table only: "
                        + ", ".join(exported[:4]))
    return problems


def first_wide_instruction(path):
    """The first disassembled line that not every processor can run, or None."""
    command = [os.environ.get("OBJDUMP", "objdump"), "-d", "--no-show-raw-insn", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        wide = None
        for line in process.stdout:
            if WIDE.search(line):
                wide = line.strip()
                process.kill()
                break
        return wide


def check_narrow(path):
    wide = first_wide_instruction(path)
    return [f"{path}: wide instruction outside the kernels of its set: {wide}"] if wide else []


def check_build(kernels, root):
    """Returns the problems of a build: kernel objects by path, all objects below root."""
    problems = []
    for path in kernels:
        problems += check_symbols(path)
        isa = ISA.search(path.as_posix())
        if isa is None:
            problems.append(f"{path}: no instruction set in its name")
        elif isa.group(1) in ("scalar", "neon"):
            problems += check_narrow(path)
    special = {path.resolve() for path in kernels}
    others = [p for p in sorted(root.rglob("*.o")) if p.resolve() not in special]
    for path in others:
        problems += check_narrow(path)
    if not kernels or not others:
        problems.append(f"{root}: found {len(kernels)} kernel objects and {len(others)} others")
    return problems, len(others)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    kernels = [pathlib.Path(line) for line in pathlib.Path(sys.argv[1]).read_text().split()]
    problems, others = check_build(kernels, pathlib.Path(sys.argv[2]))
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f"objects: {len(kernels)} kernel objects export one table each, {others} others are narrow")


if __name__ == "__main__":
    main()
