#!/usr/bin/env python3
"""Many random requests at once, with too little memory: every answer is that of the request alone.

    tests/server/storm_test.py build/release/ringlet [--requests N] [--seed N]
"""

import argparse
import concurrent.futures
import random
import sys
import tempfile
import unittest

import serving
from serving import tiny_model

BINARY = ""
REQUESTS = 200
SEED = 1
CONTEXT = 1024
# 5 MiB for the states of 16 sequences, 0.4 MiB for the pages of each context, and little more: they
# would want several times as many pages.
OPTIONS = ["--ctx", CONTEXT, "--max-seqs", 16, "--max-queue", 100000]
CROWDED = 0.0058


def prompts(generator):
    """Texts that often begin alike."""
    letters = "abcdefghij ,.\n"
    roots = ["".join(generator.choices(letters, k=generator.randint(1, 500))) for _ in range(8)]

    def draw():
        root = generator.choice(roots)
        end = "".join(generator.choices(letters, k=generator.randint(1, 200)))
        return root[:generator.randint(0, len(root))] + end
    return draw


def random_request(generator, draw):
    body = {"prompt": draw(), "max_tokens": generator.choice([0, 1, 7, 30, 60, 90]),
            "seed": generator.randrange(1 << 40), "logprobs": generator.choice([None, 0, 1, 5]),
            "temperature": generator.choice([0, 0.5, 1, 1.7])}
    if generator.random() < 0.3:
        body["n"] = generator.randint(2, 4)
    if generator.random() < 0.15:
        body["prompt"] = [draw(), tiny_model.encode(draw())]
    elif generator.random() < 0.2:
        body["prompt"] = tiny_model.encode(body["prompt"])
    if generator.random() < 0.3:
        body["stop"] = ["".join(generator.choices("abcde", k=generator.randint(1, 2)))
                        for _ in range(generator.randint(1, 3))]
    if generator.random() < 0.5:
        body |= {"top_p": generator.choice([0.3, 0.9, 1]), "top_k": generator.choice([0, 1, 20]),
                 "min_p": generator.choice([0, 0.1])}
    if generator.random() < 0.3:
        body |= {"frequency_penalty": 0.5, "presence_penalty": 0.3, "repetition_penalty": 1.1}
    if generator.random() < 0.3:
        body["logit_bias"] = {str(generator.randrange(5, 100)): generator.choice([-100, 2, 5])}
    if generator.random() < 0.5:
        body["ignore_eos"] = True
    if generator.random() < 0.2:
        body["echo"] = True
    if generator.random() < 0.5 and not ("echo" in body and body["logprobs"] is not None):
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def comparable(answer):
    """What may not depend on others: all but how much of a prompt was cached."""
    choices, usage = answer
    counts = {key: usage[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return serving.same_bytes([choices, counts])


def storm(server, requests, generator):
    """Sends the requests from a number of clients that changes; returns the answers."""
    answers = []
    while len(answers) < len(requests):
        clients = generator.randint(1, 32)
        part = requests[len(answers):len(answers) + 4 * clients]
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            answers += pool.map(lambda body: comparable(server.answer(body)), part)
    return answers


class StormTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.model = tiny_model.make(BINARY, cls.scratch.name + "/model")
        generator = random.Random(SEED)
        draw = prompts(generator)
        cls.requests = [random_request(generator, draw) for _ in range(REQUESTS)]
        with serving.Server(BINARY, cls.model, "--ctx", CONTEXT, "--max-seqs", 1, "--memory", 0.2,
                            "--no-reuse") as quiet:
            cls.alone = [comparable(quiet.answer(body)) for body in cls.requests]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def check(self, *options, threads=2):
        with serving.Server(BINARY, self.model, *OPTIONS, *options, threads=threads) as server:
            answers = storm(server, self.requests, random.Random(SEED + 1))
            metrics = server.wait_until_idle()
        different = [i for i, answer in enumerate(answers) if answer != self.alone[i]]
        self.assertEqual(different, [], f"request {self.requests[different[0]]}:\n"
                         f"{answers[different[0]]}\n{self.alone[different[0]]}" if different else "")
        self.assertEqual(metrics["ringlet_requests_failed_total"], 0)
        return metrics

    def test_with_room(self):
        metrics = self.check("--memory", 0.2)
        self.assertGreater(metrics["ringlet_prompt_tokens_cached_total"], 0)
        self.assertEqual(metrics["ringlet_preemptions_total"], 0)

    def test_crowded(self):
        metrics = self.check("--memory", CROWDED)
        self.assertGreater(metrics["ringlet_preemptions_total"], 0)
        self.assertGreater(metrics["ringlet_prompt_tokens_cached_total"], 0)

    def test_crowded_without_reuse(self):
        metrics = self.check("--memory", CROWDED, "--no-reuse", threads=1)
        self.assertGreater(metrics["ringlet_preemptions_total"], 0)


if __name__ == "__main__":
    BINARY = serving.main(sys.argv, __doc__)
    PARSER = argparse.ArgumentParser()
    PARSER.add_argument("--requests", type=int, default=REQUESTS // serving.SLOWNESS)
    PARSER.add_argument("--seed", type=int, default=SEED)
    ARGUMENTS = PARSER.parse_args(sys.argv[2:])
    REQUESTS, SEED = ARGUMENTS.requests, ARGUMENTS.seed
    unittest.main(argv=sys.argv[:1])
