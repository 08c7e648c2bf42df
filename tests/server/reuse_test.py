#!/usr/bin/env python3
"""What a server keeps of prompts: how much a conversation computes again, and that it changes nothing.

    tests/server/reuse_test.py build/release/ringlet
"""

import os
import random
import sys
import tempfile
import unittest

import serving
from serving import tiny_model

BINARY = ""
TURNS = 20
DOCUMENT = int(os.environ.get("RINGLET_DOCUMENT", 3000 // serving.SLOWNESS))  # tokens
BLOCK = 64  # what reuse may lose at an end
GRID = 512  # and in the middle
# Answers encode back to the tokens that were drawn only if they are of characters.
NO_SPECIAL = {str(i): -100 for i in range(len(tiny_model.SPECIAL))}


def text(generator, characters):
    """Random words."""
    words = ""
    while len(words) < characters:
        words += "".join(generator.choices("abcdefghij", k=generator.randint(1, 9))) + " "
    return words[:characters]


def request(prompt, seed):
    return {"prompt": prompt, "max_tokens": 32, "seed": seed, "temperature": 1, "logprobs": 3,
            "logit_bias": NO_SPECIAL, "ignore_eos": True}


class ReuseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        model = tiny_model.make(BINARY, cls.scratch.name + "/model")
        options = ["--ctx", DOCUMENT + 16384, "--memory", 1]
        cls.reusing = serving.Server(BINARY, model, *options)
        cls.plain = serving.Server(BINARY, model, *options, "--no-reuse")

    @classmethod
    def tearDownClass(cls):
        cls.reusing.kill()
        cls.plain.kill()
        cls.scratch.cleanup()

    def both(self, prompt, seed):
        """Asks both servers; returns the text, the tokens of all and those computed for it."""
        choices, usage = self.reusing.answer(request(prompt, seed))
        expected, whole = self.plain.answer(request(prompt, seed))
        self.assertEqual(serving.same_bytes(choices), serving.same_bytes(expected))
        self.assertEqual(whole["prompt_tokens_details"]["cached_tokens"], 0)
        self.assertEqual(usage["prompt_tokens"], len(prompt))
        self.assertEqual(usage["completion_tokens"], 32)
        computed = usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"]
        return choices[0]["text"], usage["total_tokens"], computed

    def test_a_conversation_computes_what_is_new(self):
        generator = random.Random(1)
        prompt, known = text(generator, DOCUMENT), 0
        for turn in range(TURNS):
            prompt += f"\nQuestion {turn}: " + text(generator, generator.randint(1, 200)) + "\n"
            answer, total, computed = self.both(prompt, turn)
            self.assertLess(computed, len(prompt) - known + BLOCK, f"turn {turn}")
            # The last token drawn was never computed.
            prompt, known = prompt + answer, total - 1

    def test_an_edit_computes_what_follows_it(self):
        generator = random.Random(2)
        prompt = text(generator, DOCUMENT)
        answer, _, _ = self.both(prompt, 1)
        for place in (DOCUMENT - 1, DOCUMENT // 2, 700 // serving.SLOWNESS, DOCUMENT - 90):
            edited = prompt[:place] + "#" + prompt[place + 1:] + answer
            _, _, computed = self.both(edited, 2)
            self.assertLess(computed, len(edited) - place + GRID, f"an edit at {place}")

    def test_branches_share_their_beginning(self):
        generator = random.Random(3)
        prompt = text(generator, DOCUMENT)
        self.both(prompt, 1)
        for branch in range(5):
            question = text(generator, 50)
            _, _, computed = self.both(prompt + question, branch)
            self.assertLess(computed, len(question) + BLOCK)

    def test_the_same_again_computes_less_than_a_block(self):
        prompt = text(random.Random(4), DOCUMENT)
        self.both(prompt, 1)
        _, _, computed = self.both(prompt, 1)
        self.assertLess(computed, BLOCK + 1)


if __name__ == "__main__":
    BINARY = serving.main(sys.argv, __doc__)
    unittest.main(argv=sys.argv[:1])
