#!/usr/bin/env python3
"""`ringlet bench-serve` against `ringlet serve`.

    tests/server/bench_serve_test.py build/release/ringlet
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import serving
from serving import tiny_model

BINARY = ""


class BenchServeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.model = tiny_model.make(BINARY, cls.scratch.name + "/model")
        cls.server = serving.Server(BINARY, cls.model, "--ctx", 20000, "--memory", 0.5,
                                    "--api-key", "secret", "--max-seqs", 2, "--max-queue", 2)
        cls.url = f"http://127.0.0.1:{cls.server.port}/v1"

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.scratch.cleanup()

    def bench(self, *options, code=0, url=None, key="secret"):
        result = subprocess.run([BINARY, "bench-serve", url or self.url, "--api-key", key,
                                 *map(str, options)], capture_output=True, text=True,
                                timeout=serving.SECONDS)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def test_counts_are_exact(self):
        options = ["--requests", 12, "--concurrency", 2, "--prompt-tokens", 150, "--shared-prefix",
                   128, "--max-tokens", 9, "--warmup", 2, "--json", "--quiet"]
        report = json.loads(self.bench(*options).stdout)
        self.assertEqual((report["completed"], report["refused"], report["failed"]), (12, 0, 0))
        self.assertEqual(report["model"], "model")
        self.assertEqual(report["prompt_tokens"], 12 * 150)
        self.assertEqual(report["output_tokens"], 12 * 9)
        # The warm-up's prompts left the shared ones.
        self.assertEqual(report["cached_tokens"], 12 * 128)
        self.assertEqual(report["latency_ms"]["count"], 12)
        for times in ("first_token_ms", "between_tokens_ms", "latency_ms"):
            spread = report[times]
            self.assertLessEqual(spread["p50"], spread["p90"])
            self.assertLessEqual(spread["p90"], spread["p99"])
            self.assertLessEqual(spread["p99"], spread["max"])

    def test_chats(self):
        report = self.bench("--endpoint", "chat", "--requests", 4, "--concurrency", 1,
                            "--max-tokens", 5).stdout
        self.assertIn("4 completed, 0 refused (429), 0 failed", report)
        self.assertIn("answers of 20 tokens", report)

    def test_a_crowd_is_refused_and_no_failure(self):
        report = json.loads(self.bench("--rate", 500, "--requests", 60, "--max-tokens", 200,
                                       "--json").stdout)
        self.assertGreater(report["refused"], 0)
        self.assertGreater(report["completed"], 0)
        self.assertEqual(report["failed"], 0)
        self.assertEqual(report["refused"] + report["completed"], 60)

    def test_failures_make_the_exit_code(self):
        result = self.bench("--requests", 3, "--prompt-tokens", 30000, code=1)
        self.assertIn("3 failed", result.stdout)
        self.assertIn("HTTP 400", result.stdout)
        self.assertIn("401", self.bench(key="wrong", code=1).stderr)
        self.assertIn("ringlet: error: ", self.bench(url="http://127.0.0.1:1", code=1).stderr)

    def test_usage(self):
        for options in (["--rate", 0], ["--rate", 1, "--concurrency", 2], ["--requests", 0],
                        ["--endpoint", "embeddings"], ["--arrivals", "often"], ["--timeout", 0],
                        ["--prompt-tokens", "5-4"], ["--shared-prefix", 129]):
            self.bench(*options, code=2)
        self.bench(url="https://127.0.0.1", code=2)

    def test_ctrl_c_shows_what_was_measured(self):
        process = subprocess.Popen([BINARY, "bench-serve", self.url, "--api-key", "secret",
                                    "--duration", "600", "--max-tokens", "5", "--quiet"],
                                   stdout=subprocess.PIPE, text=True)
        before = self.server.metrics("secret")["ringlet_requests_finished_total"]
        while self.server.metrics("secret")["ringlet_requests_finished_total"] < before + 3:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=serving.SECONDS)
        self.assertEqual(process.returncode, 130)
        self.assertRegex(out, r"model: [1-9]\d* completed")


if __name__ == "__main__":
    BINARY = serving.main(sys.argv, __doc__)
    unittest.main(argv=sys.argv[:1])
