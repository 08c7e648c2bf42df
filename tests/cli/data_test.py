#!/usr/bin/env python3
"""Tests of `ringlet data` as a user meets it.

    tests/cli/data_test.py build/release/ringlet
"""

import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import cli_test

TEXT = pathlib.Path(__file__).parent.parent / "data/english_500.txt"


def read_tree(directory):
    """Contents by name."""
    return {path.name: path.read_bytes() for path in sorted(pathlib.Path(directory).iterdir())}


class DataTest(cli_test.CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tokenizer = cls.directory / "tokenizer"
        result = cli_test.ringlet("data", "tokenizer", "--vocab", 400, "--out", cls.tokenizer, TEXT)
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"{cls.tokenizer}: 400 tokens from 2.3 KiB"), result.stdout

    def shards(self, out, *arguments):
        return ["data", "shards", "--tokenizer", self.tokenizer, "--out", self.directory / out,
                *arguments]

    def test_help(self):
        text = self.good("data", "--help")
        for name in ("tokenizer", "shards", "info"):
            self.assertIn(f"  {name} ", text)
            below = self.good("data", name, "--help")
            self.assertIn("Example", below)
            self.assertIn("--threads", below)

    def test_usage_errors(self):
        self.bad(2, "'ringlet data --help'", "data")
        self.bad(2, "'ringlet data tokenizer --help'", "data", "tokenizer")
        self.bad(2, "--vocab: found nothing", "data", "tokenizer", "--out", "x", TEXT)
        self.bad(2, "--pattern: found gpt5, expected gpt2, llama3, qwen2 or ling",
                 "data", "tokenizer", "--vocab", 300, "--out", "x", "--pattern", "gpt5", TEXT)
        self.bad(2, "--held-out: found 1", *self.shards("x", "--held-out", "1", TEXT))
        self.bad(2, "--tokenizer: found nothing", "data", "shards", "--out", "x", TEXT)

    def test_input_errors(self):
        self.bad(1, "vocabulary: found 256, expected 257", "data", "tokenizer", "--vocab", 256,
                 "--out", self.directory / "x", TEXT)
        self.bad(1, "/no/such: found no such file", *self.shards("x", "/no/such"))
        self.bad(1, "/no/such", "data", "info", "/no/such")
        self.bad(1, '"<end>", expected a token', *self.shards("x", "--end", "<end>", TEXT))
        lines = self.directory / "bad.jsonl"
        lines.write_text('{"text": "one"}\n{"text": "two"\n')
        self.bad(1, "bad.jsonl:2: found bad JSON", *self.shards("x", lines))
        report = json.loads(self.good(*self.shards("y", lines, "--skip-bad", "--json")))
        self.assertEqual(report["skipped_documents"], 1)
        self.assertEqual(report["splits"]["train"]["documents"], 1)

    def test_threads_do_not_matter(self):
        again = self.directory / "again"
        self.good("data", "tokenizer", "--vocab", 400, "--out", again, TEXT, "--threads", 3)
        self.assertEqual(read_tree(again), read_tree(self.tokenizer))

    def test_documents_end_to_end(self):
        lines = [line for line in TEXT.read_text().splitlines() if line]
        pages = self.directory / "pages.jsonl"
        pages.write_text("".join(json.dumps({"body": line}) + "\n" for line in lines * 20))
        self.good(*self.shards("data", "--field", "body", "--held-out", "0.5", pages, "--quiet"))
        info = json.loads(self.good("data", "info", self.directory / "data", "--verify", "--json"))
        self.assertTrue(info["verified"])
        self.assertEqual(info["vocab_size"], 400)
        self.assertEqual(info["end_id"], 0)
        # Equal documents are in one split.
        self.assertEqual(sum(s["documents"] for s in info["splits"].values()), 20 * len(lines))
        for split in info["splits"].values():
            self.assertEqual(split["documents"] % 20, 0)
            self.assertEqual(sum(b["documents"] for b in split["document_lengths"]),
                             split["documents"])
            self.assertAlmostEqual(split["bytes_per_token"], split["text_bytes"] / split["tokens"])
        self.assertEqual(sum(s["text_bytes"] for s in info["splits"].values()),
                         20 * sum(len(line.encode()) for line in lines))
        text = self.good("data", "info", self.directory / "data")
        self.assertIn("bytes per token", text)
        self.assertIn("#", text)
        self.bad(1, "data.json: run: found data made of other texts",
                 *self.shards("data", "--field", "body", pages))

    def test_killed_runs_continue_to_the_same_bytes(self):
        pages = self.directory / "many.jsonl"
        line = json.dumps({"text": TEXT.read_text()})
        count = 4000 // cli_test.SLOWNESS
        pages.write_text("".join(f"{line[:-2]} {i}\"}}\n" for i in range(count)))
        options = ["--shard-tokens", 100000 // cli_test.SLOWNESS, "--threads", 1]
        command = self.shards("whole", pages, *options)
        begin = time.monotonic()
        self.good(*command)
        seconds = time.monotonic() - begin
        whole = read_tree(self.directory / "whole")
        self.assertGreater(len(whole), 10)
        for i, sent in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGINT)):
            out = f"killed{i}"
            command = [cli_test.BINARY, *map(str, self.shards(out, pages, *options))]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(seconds * (i + 1) / 4)
            process.send_signal(sent)
            process.wait(timeout=cli_test.SECONDS)
            self.good(*command[1:])
            self.assertEqual(read_tree(self.directory / out), whole)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    cli_test.BINARY = sys.argv.pop(1)
    unittest.main()
