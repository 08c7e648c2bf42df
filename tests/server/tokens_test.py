#!/usr/bin/env python3
"""What the server says of its tokenizer and of itself before the first answer.

    tests/server/tokens_test.py build/release/ringlet
"""

import json
import sys
import tempfile
import unittest

import serving
from serving import tiny_model

BINARY = ""


class TokensTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        model = tiny_model.make(BINARY, cls.scratch.name + "/model")
        description = tiny_model.tokenizer()
        description["post_processor"] = {
            "type": "TemplateProcessing", "pair": [], "single": [
                {"SpecialToken": {"id": "<user>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"<user>": {"id": "<user>", "ids": [2], "tokens": ["<user>"]}}}
        (model / "tokenizer.json").write_text(json.dumps(description))
        cls.server = serving.Server(BINARY, model, "--ctx", 1000, "--memory", 0.1)

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.scratch.cleanup()

    def test_memory_is_told_before_the_first_answer(self):
        with serving.Server(BINARY, self.scratch.name + "/model", "--ctx", 1000, "--memory",
                            0.1) as server:
            before = server.metrics()["ringlet_sequence_memory_bytes"]
            server.good("/v1/completions", {"prompt": "a", "max_tokens": 1})
            self.assertGreater(before, 0)
            self.assertEqual(server.wait_until_idle()["ringlet_sequence_memory_bytes"], before)

    def test_special_tokens_by_either_name(self):
        plain = tiny_model.encode("ab")
        self.assertEqual(self.server.good("/tokenize", {"content": "ab"})["tokens"], plain)
        for name in ("add_special", "add_special_tokens"):
            found = self.server.good("/tokenize", {"content": "ab", name: True})
            self.assertEqual(found["tokens"], [2] + plain, name)
        self.assertEqual(self.server.call("POST", "/tokenize", {
            "content": "ab", "add_special_tokens": 5})[0], 400)

    def test_tokenizer_info(self):
        self.assertEqual(self.server.good("/tokenizer_info"),
                         {"eos_token": "<end>", "chat_template": tiny_model.TEMPLATE})

    def test_many_keys_hold_nobody_up(self):
        # Quadratic time would be minutes.
        body = {"prompt": "a", "logit_bias": {str(i): 1 for i in range(400000)}}
        status, _, data = self.server.call("POST", "/v1/completions", body)
        self.assertEqual(status, 400)
        self.assertIn("400000 entries", json.loads(data)["error"]["message"])


if __name__ == "__main__":
    BINARY = serving.main(sys.argv, __doc__)
    unittest.main(argv=sys.argv[:1])
