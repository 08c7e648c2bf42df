#!/usr/bin/env python3
"""Adds up the results of test runs and holds skipped tests to a list.

    tools/summarize_tests.py --expected tests/expected_skips.txt RESULTS...

Each RESULTS is a directory with ctest.xml (ctest --output-junit) and gtest/*.xml (GTEST_OUTPUT).
Prints every failure and every skip with its reason; the last line is "N passed, N failed,
N skipped". Exits 1 when a test failed, or was skipped without a line in the list that applies here.
"""

import argparse
import dataclasses
import fnmatch
import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


@dataclasses.dataclass
class Result:
    name: str
    outcome: str  # "passed", "failed", "skipped"
    why: str = ""


def outcome_of(case):
    for tag, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        if (element := case.find(tag)) is not None:
            return outcome, " ".join((element.get("message") or element.text or "").split())
    if case.get("status") in ("notrun", "disabled"):
        return "skipped", "not run"
    return "passed", ""


def read_gtest(directory):
    """The results of every GoogleTest case in the XML files of a directory."""
    results = []
    for path in sorted(directory.glob("*.xml")):
        for case in ElementTree.parse(path).iter("testcase"):
            results.append(Result(f"{case.get('classname')}.{case.get('name')}", *outcome_of(case)))
    return results


def read_run(directory):
    """All results of one ctest run. A GoogleTest program counts by its cases."""
    results = read_gtest(directory / "gtest")
    programs = {path.stem for path in (directory / "gtest").glob("*.xml")}
    failed_inside = any(r.outcome == "failed" for r in results)
    for case in ElementTree.parse(directory / "ctest.xml").iter("testcase"):
        outcome, why = outcome_of(case)
        # A program whose cases all passed can still fail: a leak, a crash on exit, a time-out.
        if case.get("name") not in programs or (outcome == "failed" and not failed_inside):
            results.append(Result(case.get("name"), outcome, why))
    return results


def read_rules(path):
    """Lines "CONDITION PATTERN": tests matching PATTERN may be skipped where CONDITION lacks."""
    rules = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        if len(fields) != 2 or not fields[0].startswith(("cpu:", "file:")):
            sys.exit(f"{path}:{number}: expected 'cpu:FLAG PATTERN' or 'file:PATH PATTERN'")
        rules.append(tuple(fields))
    return rules


def holds(condition):
    """Whether this machine has the processor flag or the file that a condition names."""
    kind, name = condition.split(":", 1)
    if kind == "file":
        return os.path.exists(os.path.expandvars(name))
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        return any(name in line.split() for line in info if line.startswith(("flags", "Features")))


def unexpected(results, rules, holds_here=holds):
    """The skipped results that no rule allows on this machine."""
    return [r for r in results if r.outcome == "skipped" and not any(
        fnmatch.fnmatch(r.name, pattern) and not holds_here(condition)
        for condition, pattern in rules)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--expected", type=pathlib.Path, required=True)
    parser.add_argument("results", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    rules = read_rules(arguments.expected)
    results = [r for directory in arguments.results for r in read_run(directory)]
    count = {o: sum(r.outcome == o for r in results) for o in ("passed", "failed", "skipped")}
    surprising = unexpected(results, rules)
    for result in results:
        if result.outcome != "passed":
            note = " (not in the list of expected skips)" if result in surprising else ""
            print(f"{result.outcome}: {result.name}: {result.why[:200]}{note}")
    print(f"{count['passed']} passed, {count['failed'] + len(surprising)} failed, "
          f"{count['skipped'] - len(surprising)} skipped")
    sys.exit(1 if count["failed"] or surprising or not count["passed"] else 0)


if __name__ == "__main__":
    main()
