#!/usr/bin/env python3
"""The demo's model, against what llama.cpp computes from the same weights widened to F32.

    tests/smollm2_test.py BINARY MODEL        (exit status 77 when MODEL is absent)

tests/data/smollm2_english_500.json holds the token ids and log-probabilities of llama.cpp. In fp32
both compute the same function, so the difference is rounding; by default activations are INT8 and
cost what docs/numerics.md says.
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest

DATA = pathlib.Path(__file__).resolve().parent / "data"
BINARY, MODEL = "", ""


def ringlet(*arguments):
    result = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=300)
    if result.returncode != 0:
        raise AssertionError(f"exit status {result.returncode}: {result.stderr}")
    return result.stdout


class SmolLM2(unittest.TestCase):
    def mean_difference(self, *options):
        with open(DATA / "smollm2_english_500.json", encoding="utf-8") as stream:
            expected = json.load(stream)
        found = json.loads(ringlet("logprobs", MODEL, "-f", DATA / expected["text"], "--json",
                                   "--quiet", *options))
        self.assertEqual(found["tokens"], expected["tokens"])
        self.assertIsNone(found["logprobs"][0])
        pairs = list(zip(found["logprobs"][1:], expected["logprobs"][1:]))
        self.assertEqual(len(pairs), len(expected["tokens"]) - 1)
        return sum(abs(a - b) for a, b in pairs) / len(pairs)

    def test_fp32_agrees_with_llama_cpp(self):
        self.assertLess(self.mean_difference("--compute", "f32"), 2e-3)

    def test_int8_activations_cost_what_they_should(self):
        difference = self.mean_difference()
        self.assertLess(difference, 0.08)
        # A smaller one would mean that this run did not take the quantized path.
        self.assertGreater(difference, 2e-3)

    def test_answers_questions(self):
        answer = ringlet("run", MODEL, "--temp", 0, "-n", 24, "-p", "What is 2 + 2?")
        # The wording differs between instruction sets: a near tie falls either way.
        self.assertRegex(answer.strip(), r"^The answer .*\bis 4\.$")
        # INT8 activations make this small model answer in French.
        answer = ringlet("run", MODEL, "--compute", "f32", "--temp", 0, "-n", 24,
                         "-p", "What is the capital of France?")
        self.assertEqual(answer.strip(), "The capital of France is Paris.")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    BINARY, MODEL = sys.argv[1:]
    if not os.path.exists(MODEL):
        print(f"skipped: {MODEL} is absent (make demo-smollm2 fetches it)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
