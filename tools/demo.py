#!/usr/bin/env python3
"""Shows what ringlet-nano does: it continues a sentence, and finds a fact in a long text.

    tools/demo.py [--program build/release/ringlet] [--model models/ringlet-nano]
                  [--key lighthouse] [--value 48213] [--depth 60] [--prompt TEXT]

The long text is models/ringlet-nano/pages.txt, pages of two novels that the model was not trained on.
At --depth percent of it stands "The password of the KEY is VALUE."; after it the model is asked for
the password of the KEY. The exit code tells whether it answered with VALUE, which it does not
everywhere: models/ringlet-nano/README.md has the shares.
"""

import argparse
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(options: argparse.Namespace, *arguments: str) -> str:
    """Runs `ringlet run`, showing the command and, as it comes, what it writes."""
    command = [str(options.program), "run", str(options.model), "--raw", *arguments]
    print("\n$ " + shlex.join(command), flush=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    written = b""
    while byte := process.stdout.read1(64):
        written += byte
        sys.stdout.buffer.write(byte)
        sys.stdout.flush()
    if process.wait() != 0:
        sys.exit(process.returncode)
    print()
    return written.decode("utf-8", "replace")


def with_fact(pages: str, fact: str, depth: float) -> str:
    """`pages` with `fact` as a paragraph of its own after `depth` percent."""
    paragraphs = pages.strip().split("\n\n")
    place = round(len(paragraphs) * depth / 100)
    return "\n\n".join([*paragraphs[:place], fact, *paragraphs[place:]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/ringlet")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/ringlet-nano")
    parser.add_argument("--prompt", default="It was a fine morning, and the")
    parser.add_argument("--key", default="lighthouse")
    parser.add_argument("--value", default="48213")
    parser.add_argument("--depth", type=float, default=60, help="percent of the text before the fact")
    options = parser.parse_args()
    options.program, options.model = (
        path.relative_to(pathlib.Path.cwd()) if path.is_relative_to(pathlib.Path.cwd()) else path
        for path in (options.program, options.model))

    print("\nText goes on:")
    run(options, "-p", options.prompt, "-n", "60", "--temp", "1",
        "--top-p", "0.9", "--repeat-penalty", "1.1", "--seed", "3")

    stem = f"The password of the {options.key} is"
    pages = (ROOT / "models/ringlet-nano/pages.txt").read_text(encoding="utf-8")
    text = (with_fact(pages, f"{stem} {options.value}.", options.depth)
            + f"\n\nWhat is the password of the {options.key}? {stem}")
    print(f"\n{len(text):,} characters of two novels; after {options.depth:g}% of them stands\n"
          f"  {stem} {options.value}.\nand the end asks for it:")
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        answer = run(options, "-f", file.name, "-n", "12", "--temp", "0")
    found = answer.strip().startswith(options.value)
    print(f"The answer was {'found' if found else 'not found'}.")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
