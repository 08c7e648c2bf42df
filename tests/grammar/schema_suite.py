#!/usr/bin/env python3
"""Holds grammars to the JSON-Schema-Test-Suite (draft 2020-12).

    tests/grammar/schema_suite.py PROGRAM SUITE [--formats] [--list]

PROGRAM is grammar_check, SUITE the directory that holds the suite's tests/draft2020-12 (it is in
the source distribution of Python's jsonschema package, below json/). Prints which share of the
schemas compiles, and for those which share of the valid instances is accepted and how many invalid
ones are, which must be none: exits 1 otherwise. Instances are written as Python's json does, with
properties in the order of the schema's declaration. --formats adds the optional tests of formats,
which assert them; without it, those where formats are annotations. --list prints each schema that
is not supported and each valid instance that is refused.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys


def declared(schema, root):
    """The names of properties that a schema declares anywhere, in order: enough to sort by."""
    names = []

    def visit(node):
        if isinstance(node, dict):
            properties = node.get("properties")
            if isinstance(properties, dict):
                names.extend(properties)
            if isinstance(node.get("required"), list):
                names.extend(n for n in node["required"] if isinstance(n, str))
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(schema)
    return {name: index for index, name in reversed(list(enumerate(names)))}


def reordered(value, order):
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: order.get(k, len(order)))
        return {k: reordered(value[k], order) for k in keys}
    if isinstance(value, list):
        return [reordered(v, order) for v in value]
    return value


def load(suite, formats):
    folder = pathlib.Path(suite) / "tests" / "draft2020-12"
    if not folder.is_dir():
        sys.exit(f"schema_suite.py: {folder}: no such directory")
    files = sorted(folder.glob("*.json"))
    if formats:
        files = sorted((folder / "optional" / "format").glob("*.json"))
    for file in files:
        for case in json.loads(file.read_text(encoding="utf-8")):
            yield file.stem, case


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("suite")
    parser.add_argument("--formats", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    tests = []
    lines = []
    for file, case in load(arguments.suite, arguments.formats):
        order = declared(case["schema"], case["schema"])
        for test in case["tests"]:
            tests.append((file, case, test))
            text = json.dumps(reordered(test["data"], order), ensure_ascii=False)
            lines.append(json.dumps({"schema": case["schema"], "instance_text": text}))
    result = subprocess.run([arguments.program], input="\n".join(lines) + "\n", text=True,
                            capture_output=True, check=True)
    answers = result.stdout.splitlines()
    assert len(answers) == len(tests), f"{len(answers)} answers to {len(tests)} lines"

    schemas = {}
    counts = collections.Counter()
    reasons = collections.Counter()
    for (file, case, test), answer in zip(tests, answers):
        key = (file, case["description"])
        supported = not answer.startswith("unsupported")
        if key not in schemas and not supported:
            match = re.search(r"keyword (\S+),", answer)
            reasons[match.group(1) if match else answer.split(": ", 2)[-1][:60]] += 1
            if arguments.list:
                print(f"unsupported: {file}: {case['description']}: {answer[12:]}")
        schemas[key] = supported
        if not supported:
            continue
        counts["valid" if test["valid"] else "invalid", answer] += 1
        if test["valid"] and answer == "refused" and arguments.list:
            print(f"refused: {file}: {case['description']}: {json.dumps(test['data'])}")
        if not test["valid"] and answer == "accepted":
            print(f"INVALID BUT ACCEPTED: {file}: {case['description']}: {test['description']}: "
                  f"{json.dumps(test['data'])}")
    supported = sum(schemas.values())
    valid = counts["valid", "accepted"] + counts["valid", "refused"]
    invalid = counts["invalid", "accepted"] + counts["invalid", "refused"]
    print(f"schemas: {len(schemas)}, supported {supported} ({supported / len(schemas):.1%})")
    print(f"valid instances of those: {valid}, accepted {counts['valid', 'accepted']} "
          f"({counts['valid', 'accepted'] / max(valid, 1):.1%})")
    print(f"invalid instances of those: {invalid}, accepted {counts['invalid', 'accepted']}")
    print("not supported: " + ", ".join(f"{name} {n}" for name, n in reasons.most_common(20)))
    if counts["invalid", "accepted"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
