#!/usr/bin/env python3
"""Tests of the program as a user meets it: exit codes, messages, JSON, Ctrl-C, chat.

    tests/cli/cli_test.py build/release/ringlet
"""

import json
import math
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import xml.etree.ElementTree

import tiny_model

BINARY = ""
COMMANDS = ["run", "chat", "logprobs", "tokenize", "inspect", "new", "quantize", "data", "train",
            "bench", "bench-serve", "info"]
SECONDS = 300  # nothing takes a tenth of that, but machines may be busy
# About how many times as long the program takes as a release build: tests that need a run which
# takes a while make it that much smaller.
SLOWNESS = int(os.environ.get("RINGLET_SLOWNESS", "1"))
# Errors are one line, then perhaps a hint.
ERROR = re.compile(r"\Aringlet: error: [^\n]+\n(ringlet: hint: [^\n]+\n)?\Z")


def ringlet(*arguments, text="", environment=None):
    """Runs the program with `text` on stdin."""
    return subprocess.run([BINARY, *map(str, arguments)], input=text, capture_output=True, text=True,
                          timeout=SECONDS, env=os.environ | (environment or {}))


def wait_until_interruptible(process):
    """Until the process handles SIGINT itself."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
        if caught & 1 << (signal.SIGINT - 1):
            return
        time.sleep(0.01)
    raise TimeoutError("SIGINT is not handled")


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.directory = pathlib.Path(cls.scratch.name)
        cls.model = tiny_model.make(BINARY, cls.directory / "model")
        cls.bare = tiny_model.make(BINARY, cls.directory / "bare", text=False)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def good(self, *arguments, text="", environment=None):
        """Expects success; returns stdout."""
        result = ringlet(*arguments, text=text, environment=environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def bad(self, code, expected, *arguments, text="", environment=None):
        """Expects an exit code and a message that contains `expected`."""
        result = ringlet(*arguments, text=text, environment=environment)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr, ERROR)
        self.assertIn(expected, result.stderr)
        self.assertEqual(result.stdout, "")


class UsageTest(CliTest):
    def test_help_of_every_command(self):
        top = self.good("--help")
        for command in COMMANDS:
            self.assertIn(f"  {command} ", top)
            text = self.good(command, "--help")
            self.assertIn("--threads", text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 120, line)

    def test_version(self):
        self.assertRegex(self.good("--version"), r"\Aringlet \d+\.\d+\.\d+\n\Z")

    def test_usage_errors(self):
        self.bad(2, "subcommand", )
        self.bad(2, "'ringlet --help'", "no-such-command")
        self.bad(2, "'ringlet run --help'", "run")
        self.bad(2, "--no-such-option", "run", self.model, "--no-such-option")
        self.bad(2, "--threads", "run", self.model, "-p", "x", "--threads", "many")
        self.bad(2, "--threads", "run", self.model, "-p", "x", "--threads", "-1")
        self.bad(2, "excludes", "run", self.model, "-p", "x", "-f", "y")
        self.bad(2, "excludes", "--quiet", "--verbose", "info")
        self.bad(2, "--top-p: found 1.5, expected a number from 0 to 1",
                 "run", self.model, "-p", "x", "--top-p", "1.5")
        for bias in ("9", "9=", "9=x", "=1", "9=1 ", "9=101", "-1=0", "9=nan"):
            self.bad(2, f'--logit-bias: found "{bias}", expected ID=X, a token\'s id and a number',
                     "run", self.model, "-p", "x", f"--logit-bias={bias}")
        self.bad(1, "--logit-bias: found the id 500, expected an id below 101",
                 "run", self.model, "-p", "x", "--logit-bias", "500=1")
        self.bad(2, "--top-k: found 1.5, expected an integer of at least 0",
                 "run", self.model, "-p", "x", "--top-k", "1.5")
        self.bad(2, "--temperature: found nan", "run", self.model, "-p", "x", "--temp", "nan")
        self.bad(2, "--max-tokens", "run", self.model, "-p", "x", "-n", "-2")
        self.bad(2, "--compute: found int3, expected bf16 or f32",
                 "run", self.model, "-p", "x", "--compute", "int3")
        self.bad(2, "--tokens", "logprobs", self.model)
        self.bad(2, "--chunk", "logprobs", self.model, "--tokens", "-", "--chunk", "0")
        self.bad(2, "--json", "logprobs", self.model, "--tokens", "-", "--all")
        self.bad(2, "--dtype", "new", "tiny-hybrid", self.directory / "x", "--dtype", "fp16")
        self.bad(2, "--scale", "new", "tiny-hybrid", self.directory / "x", "--scale", "0")
        self.bad(2, "PRESET", "new")
        self.bad(2, "--list", "new", "tiny-hybrid", self.directory / "x", "--json")

    def test_missing_model_has_a_hint(self):
        for command in (["run", "-p", "x"], ["chat"], ["tokenize", "-p", "x"]):
            result = ringlet(command[0], "/no/such/model", *command[1:])
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, ERROR)
            self.assertIn("/no/such/model", result.stderr)
            self.assertIn("hint", result.stderr)

    def test_full_disk_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([BINARY, "info"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write", result.stderr)


class BenchTest(CliTest):
    POINTS = ["--prefill", "64", "--depth", "0,200", "--batch", "1,3", "--decode", "4", "--reps", "2"]

    def check_spread(self, spread):
        self.assertLess(0, spread["min"])
        self.assertLessEqual(spread["min"], spread["median"])
        self.assertLessEqual(spread["median"], spread["max"])
        self.assertTrue(math.isfinite(spread["max"]))

    def test_json(self):
        result = json.loads(self.good("bench", self.bare, *self.POINTS, "--json", "--quiet"))
        self.assertGreater(result["peak_memory_bytes"], 0)
        for threads in ("one_thread", "all_threads"):
            for name in ("read_bytes", "fp32_ops", "bf16_ops", "int8_ops"):
                self.assertGreater(result["limits"][threads][name + "_per_second"], 1e6)
        (model,) = result["models"]
        self.assertGreater(model["packed_bytes"], 0)
        self.assertEqual([p["tokens"] for p in model["prefill"]], [64])
        # One sequence at depth 0 is a depth and a batch: measured once.
        self.assertEqual([(p["depth"], p["batch"]) for p in model["decode"]],
                         [(0, 1), (200, 1), (0, 3)])
        for point in model["prefill"] + model["decode"]:
            self.check_spread(point["tokens_per_second"])
            self.check_spread(point["fraction"])
            self.assertEqual(len(point["samples"]), 2)
        costs = [p["cost_of_a_step"] for p in model["decode"]]
        self.assertGreater(costs[1]["kv_bytes"], costs[0]["kv_bytes"])
        self.assertEqual(costs[2]["weight_bytes"], costs[0]["weight_bytes"])
        self.assertGreater(costs[2]["expert_bytes"], costs[0]["expert_bytes"])

        self.assertEqual(result["threads"], result["limits"]["threads"])
        self.assertIn("processor", result)
        self.assertIn(result["instruction_set"], ("scalar", "avx2", "avx512_vnni", "avx512_bf16",
                                                  "neon", "neon_dotprod"))
        # A tiny model takes less than the GiB that is allowed for everything else.
        self.assertLess(result["peak_memory_bytes"], result["expected_memory_bytes"])
        # Three rows choose at least as many experts as one, and at most three times as many.
        experts = [p["experts_read"] for p in model["decode"]]
        self.assertEqual(experts[0], model["decode"][0]["experts_expected"])
        self.assertLessEqual(experts[0], experts[2])
        self.assertLessEqual(experts[2], 3 * experts[0])

    def test_prefill_at_depth(self):
        result = json.loads(self.good("bench", self.bare, "--prefill", "32,32@200", "--depth", "none",
                                      "--batch", "none", "--reps", "1", "--json", "--quiet"))
        first, second = result["models"][0]["prefill"]
        self.assertEqual([(p["tokens"], p["depth"]) for p in (first, second)], [(32, 0), (32, 200)])
        self.assertGreater(second["cost"]["kv_bytes"], first["cost"]["kv_bytes"])
        self.assertEqual(second["cost"]["weight_bytes"], first["cost"]["weight_bytes"])
        path = self.directory / "depth.svg"
        table = self.good("bench", self.bare, "--prefill", "32,32@200,16@100", "--depth", "none",
                          "--batch", "none", "--reps", "1", "--plot", path)
        self.assertRegex(table, r"\nprefill 32 at 200 +\d")
        svg = path.read_text()
        self.assertIn("Prefill after a context", svg)
        self.assertIn("bare, 16 tokens", svg)
        self.assertNotIn("Decode", svg)

    def test_some_of_the_layers(self):
        few = self.directory / "few"
        self.assertIn("2 layers", self.good("new", "tiny-qwen3", few, "--layers", "2"))
        points = ["--prefill", "16", "--depth", "0", "--batch", "none", "--decode", "4", "--reps", "1"]
        result = json.loads(self.good("bench", self.bare, few, *points, "--scale-layers", "0,6",
                                      "--json", "--quiet"))
        bare, scaled = result["models"]
        self.assertNotIn("scaled_to_layers", bare)
        self.assertEqual((scaled["layers"], scaled["scaled_to_layers"]), (2, 6))
        for kind in ("prefill", "decode"):
            (point,), (other,) = scaled[kind], bare[kind]
            speed = point["scaled_tokens_per_second"]["median"]
            # All of the time scales but that of the head.
            self.assertLess(speed, point["tokens_per_second"]["median"])
            self.assertGreaterEqual(speed, point["tokens_per_second"]["median"] / 3 * 0.999)
            self.assertAlmostEqual(point["model_over_other"]["median"],
                                   other["tokens_per_second"]["median"] / speed)
            self.assertNotIn("scaled_tokens_per_second", other)
        table = self.good("bench", few, *points, "--scale-layers", "6")
        self.assertIn("2 layers ", table)
        self.assertIn("of 6 layers", table)
        self.bad(1, "--scale-layers: found 1 for 2 layers", "bench", few, "--scale-layers", "1")
        self.bad(1, "expected a model whose layers are all alike", "bench", self.bare,
                 "--scale-layers", "100")
        self.bad(2, "--scale-layers: found 3", "bench", few, few, "--scale-layers", "3")
        self.bad(2, "--layers: found 4, expected 1 to 3", "new", "tiny-qwen3", self.directory / "x",
                 "--layers", "4")

    def test_plot(self):
        path = self.directory / "speed.svg"
        result = json.loads(self.good(
            "bench", self.bare, self.bare, "--prefill", "16,64", "--depth", "0,128", "--batch", "none",
            "--decode", "2", "--reps", "2", "--plot", path, "--json"))
        self.assertNotIn("model_over_other", result["models"][0]["decode"][0])
        for point in result["models"][1]["decode"]:
            self.check_spread(point["model_over_other"])
        root = xml.etree.ElementTree.parse(path).getroot()
        space = "{http://www.w3.org/2000/svg}"
        self.assertEqual(root.tag, space + "svg")
        # Two models at two points in two panels, and a line for each speed and roofline.
        self.assertEqual(len(root.findall(space + "circle")), 8)
        self.assertEqual(len(root.findall(space + "polyline")), 8)
        texts = [t.text for t in root.findall(space + "text")]
        for label in ("tokens/s", "context, tokens", "prompt, tokens"):
            self.assertIn(label, texts)
        _, _, width, height = map(float, root.get("viewBox").split())
        for t in root.findall(space + "text"):
            self.assertTrue(0 <= float(t.get("x")) <= width and 0 <= float(t.get("y")) <= height)

    def test_operators(self):
        result = json.loads(self.good("bench", "--ops", self.bare, "--depth", "100", "--decode", "2",
                                      "--only", "attention", "--json", "--quiet"))
        self.assertNotIn("token_seconds", result)
        names = {op["op"] for op in result["operators"]}
        self.assertEqual(names, {"attention bf16", "attention int8"})
        for op in result["operators"]:
            self.check_spread(op["seconds"])
            self.assertIn(op["bound"], ("memory", "compute"))
            self.assertAlmostEqual(op["fraction"], op["floor_seconds"] / op["seconds"]["median"])
        table = self.good("bench", "--ops", "tiny-hybrid", "--only", "region")
        self.assertEqual(table.count("\nregion "), 3)

    def test_table_of_two_models(self):
        table = self.good("bench", self.bare, self.bare, "--prefill", "none", "--depth", "64",
                          "--batch", "none", "--decode", "2", "--reps", "1", "--kv-dtype", "int8")
        self.assertEqual(table.count("decode at 64 "), 2)
        self.assertIn("first model over it", table)

    def test_usage_errors(self):
        self.bad(2, "--depth: found 1,x", "bench", self.bare, "--depth", "1,x")
        for lengths in ("0", "1,", "8@", "@8", "8@-1", "8@9@10"):
            self.bad(2, f"--prefill: found {lengths}", "bench", self.bare, "--prefill", lengths)
        self.bad(2, "--reps: found 0", "bench", self.bare, "--reps", "0")
        self.bad(1, "/no/such/model", "bench", "/no/such/model")
        self.bad(2, "MODEL: found none", "bench")
        self.bad(2, "--only: found no-such-operator", "bench", "--ops", "tiny-hybrid", "--only",
                 "no-such-operator")
        self.bad(2, "--only: found gemm", "bench", self.bare, "--only", "gemm")
        self.bad(2, "--ops: found", "bench", self.bare, "--ops", "--plot", "x.svg")
        self.bad(1, "/no/such/directory", "bench", self.bare, "--prefill", "none", "--depth", "0",
                 "--batch", "none", "--decode", "1", "--reps", "1",
                 "--plot", "/no/such/directory/x.svg")


class InspectTest(CliTest):
    def test_published_parameters(self):
        self.assertIn("16.423B / 1,600.8M / 956.9M", self.good("inspect", "Ring-mini-linear-2.0"))
        self.assertIn("104.18B / 7,444M / 6,157M", self.good("inspect", "ring-flash-linear"))
        shape = json.loads(self.good("inspect", "ring-mini-linear-2.0", "--json"))
        self.assertEqual(shape["layers"]["pattern"], "(4 lightning + 1 softmax) x 4")
        self.assertEqual(shape["memory"]["kv_bytes_per_token"], 4 * 4 * 128 * 2 * 2)
        self.assertEqual(shape["memory"]["state_bytes_per_sequence"], 16 << 20)

    def test_model_directory(self):
        text = self.good("inspect", self.model)
        self.assertIn("Memory per token    384 B", text)
        self.assertIn("Memory per sequence 32.0 KiB", text)
        self.assertIn("11: (4 lightning + 1 softmax) x 2 + 1 softmax", text)
        shape = json.loads(self.good("inspect", self.model, "--json"))
        self.assertTrue(shape["tokenizer"])
        self.assertTrue(shape["chat_template"])
        self.assertGreater(shape["weights"]["tensors"], 100)
        bare = json.loads(self.good("inspect", self.bare, "--json"))
        self.assertFalse(bare["tokenizer"])
        self.assertFalse(bare["chat_template"])

    def test_configuration_alone(self):
        directory = self.directory / "config-only"
        directory.mkdir()
        (directory / "config.json").write_text((self.model / "config.json").read_text())
        self.assertIn("none in this directory", self.good("inspect", directory))
        self.assertIsNone(json.loads(self.good("inspect", directory, "--json"))["weights"])

    def test_unknown_name(self):
        self.bad(1, "no such file, directory or preset", "inspect", "ring-enormous")

    def test_info(self):
        info = json.loads(self.good("info", "--json"))
        self.assertGreater(info["memory_bytes"], 1 << 28)
        self.assertTrue(info["operators"])
        for operator in info["operators"]:
            self.assertIn(operator["chosen"], operator["compiled"])
        self.assertNotIn("limits", info)
        limits = json.loads(self.good("info", "--limits", "--json"))["limits"]
        self.assertGreater(limits["all_threads"]["read_bytes_per_second"], 1e6)
        self.assertIn("INT8", self.good("info", "--limits"))
        scalar = json.loads(self.good("info", "--json", environment={"RINGLET_FORCE_ISA": "scalar"}))
        self.assertEqual({operator["chosen"] for operator in scalar["operators"]}, {"scalar"})
        self.bad(1, "RINGLET_FORCE_ISA", "info", environment={"RINGLET_FORCE_ISA": "abacus"})


class NewTest(CliTest):
    def test_list(self):
        text = self.good("new", "--list")
        self.assertRegex(text, r"ring-mini-linear +16\.423B")
        presets = json.loads(self.good("new", "--list", "--json"))
        self.assertEqual(len(presets), len(text.splitlines()))
        self.assertEqual(presets[0]["name"], "ring-mini-linear")

    def test_refuses_a_full_directory_and_unknown_presets(self):
        self.bad(1, str(self.model), "new", "tiny-hybrid", self.model)
        self.bad(1, "tiny-hybrid", "new", "no-such-preset", self.directory / "x")

    def test_same_seed_same_bytes(self):
        for name, seed in (("a", 3), ("b", 3), ("c", 4)):
            self.good("new", "tiny-llama", self.directory / name, "--seed", seed)
        weights = [(self.directory / name / "model.safetensors").read_bytes() for name in "abc"]
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(weights[0], weights[2])


class TokenizeTest(CliTest):
    def test_round_trip(self):
        text = "Hello,\n world <user> ~"
        found = json.loads(self.good("tokenize", self.model, "--json", "--no-special", text=text))
        self.assertEqual(found["tokens"], tiny_model.encode(text))
        back = self.good("tokenize", self.model, "--decode", text=json.dumps(found["tokens"]))
        self.assertEqual(back, text)

    def test_special_tokens(self):
        with_special = json.loads(self.good("tokenize", self.model, "-p", "<user>a", "--json"))
        self.assertEqual(with_special["tokens"], [2] + tiny_model.encode("a"))
        ids = json.dumps(with_special["tokens"])
        self.assertEqual(self.good("tokenize", self.model, "--decode", "-p", ids), "<user>a")
        self.assertEqual(self.good("tokenize", self.model, "--decode", "--no-special", "-p", ids), "a")
        decoded = json.loads(self.good("tokenize", self.model, "--decode", "--json", "-p", ids))
        self.assertEqual(decoded["text"], "<user>a")

    def test_table(self):
        self.assertRegex(self.good("tokenize", self.model, "-p", "a\n"), r'  "a"\n +\d+  "\\n"\n\Z')

    def test_errors(self):
        self.bad(1, "tokenizer.json", "tokenize", self.bare, "-p", "x")
        self.bad(1, "[1]: found 5000", "tokenize", self.model, "--decode", "-p", "[1, 5000]")
        self.bad(1, "bad JSON", "tokenize", self.model, "--decode", "-p", "1, 2")


class LogprobsTest(CliTest):
    TOKENS = [5 + i * 37 % 90 for i in range(70)]

    def score(self, *arguments, model=None, tokens=None):
        path = self.directory / "tokens.json"
        path.write_text(json.dumps(tokens or self.TOKENS))
        return self.good("logprobs", model or self.bare, "--tokens", path, "--json", *arguments)

    def test_object(self):
        found = json.loads(self.score("--all"))
        self.assertEqual(found["tokens"], self.TOKENS)
        self.assertEqual(len(found["logprobs"]), len(self.TOKENS))
        self.assertIsNone(found["logprobs"][0])
        self.assertTrue(all(x < 0 for x in found["logprobs"][1:]))
        self.assertEqual(len(found["last_row"]), 512)
        self.assertAlmostEqual(sum(map(math.exp, found["last_row"])), 1, places=6)
        # last_row continues the list: the next token's log-probability is in it.
        longer = json.loads(self.score(tokens=self.TOKENS + [9]))
        self.assertAlmostEqual(longer["logprobs"][-1], found["last_row"][9], places=12)
        self.assertEqual(longer["logprobs"][:-1], found["logprobs"])

    def test_no_digit_depends_on_chunk_or_threads(self):
        want = self.score("--all")
        for arguments in (["--chunk", 1], ["--chunk", 7], ["--chunk", 64, "--threads", 1],
                          ["--chunk", 65, "--threads", 3]):
            self.assertEqual(self.score("--all", *arguments), want, arguments)

    def test_f32(self):
        bf16 = json.loads(self.score())["logprobs"][1:]
        f32 = json.loads(self.score("--compute", "f32"))["logprobs"][1:]
        self.assertNotEqual(bf16, f32)
        self.assertLess(max(abs(a - b) for a, b in zip(bf16, f32)), 0.2)

    def test_single_token(self):
        self.assertEqual(json.loads(self.score(tokens=[5])), {"tokens": [5], "logprobs": [None]})

    def test_text_and_table(self):
        path = self.directory / "text.txt"
        path.write_text("some text")
        table = self.good("logprobs", self.model, "-f", path)
        self.assertIn('"s"', table)
        self.assertRegex(table, r"mean -[\d.]+ over 8 tokens, perplexity [\d.]+\n\Z")
        found = json.loads(self.good("logprobs", self.model, "-f", path, "--json"))
        self.assertEqual(found["tokens"], tiny_model.encode("some text"))
        self.assertIn("perplexity", self.good("logprobs", self.bare, "--tokens", "-", text="[5, 6]"))

    def test_errors(self):
        for text, expected in (("[]", "an empty array"), ("{}", "an object"),
                               ("[1, 512]", "[1]: found 512"), ("[1, -1]", "[1]: found -1"),
                               ("[1.5]", "[0]: found 1.5"), ("[\"a\"]", "[0]"), ("[1", "bad JSON"),
                               ("", "bad JSON")):
            self.bad(1, expected, "logprobs", self.bare, "--tokens", "-", text=text)
        self.bad(1, "/no/such/file", "logprobs", self.bare, "--tokens", "/no/such/file")
        self.bad(1, "tokenizer.json", "logprobs", self.bare, "-f", "-", text="x")


class RunTest(CliTest):
    def run_json(self, *arguments, text=""):
        return json.loads(self.good("run", self.model, "--json", *arguments, text=text))

    def test_json(self):
        found = self.run_json("-p", "hello", "-n", 12, "--ignore-eos", "--seed", 5)
        self.assertEqual(len(found["tokens"]), 12)
        self.assertEqual(found["finish_reason"], "length")
        self.assertEqual(found["prompt_tokens"], len("hello") + 3)
        self.assertEqual(found["seed"], 5)
        shown = [id for id in found["tokens"] if id >= len(tiny_model.SPECIAL)]
        self.assertEqual(tiny_model.encode(found["text"]), shown)

    def test_seed_decides(self):
        answers = [self.run_json("-p", "hello", "-n", 30, "--seed", seed)["tokens"]
                   for seed in (1, 1, 2)]
        self.assertEqual(answers[0], answers[1])
        self.assertNotEqual(answers[0], answers[2])

    def test_sampling_options_with_values_that_are_not_one_number(self):
        def draw(*flags):
            return self.run_json("-p", "hello", "-n", 30, "--ignore-eos", "--temp", 0, *flags)["tokens"]

        plain = draw()
        self.assertNotIn(plain[0], draw("--logit-bias", f"{plain[0]}=-100"))
        self.assertEqual(set(draw("--logit-bias", "9=100", "--logit-bias", "8=-3.5")), {9})
        dry = ("--dry-multiplier", 50, "--dry-base", 10)
        self.assertNotEqual(draw("--logit-bias", "9=100", *dry), [9] * 30)
        self.assertEqual(set(draw("--logit-bias", "9=100", *dry, "--dry-sequence-breaker",
                                  tiny_model.CHARACTERS[9 - len(tiny_model.SPECIAL)])), {9})

    def test_ids_beyond_the_tokenizer_are_never_drawn(self):
        found = self.run_json("-p", "x", "-n", 300, "--temp", 5, "--top-k", 0, "--top-p", 1,
                              "--min-p", 0, "--ignore-eos", "--seed", 1)
        self.assertLess(max(found["tokens"]), tiny_model.VOCABULARY)
        self.assertNotIn(tiny_model.END_ID, found["tokens"])
        self.assertGreater(len(set(found["tokens"])), tiny_model.VOCABULARY // 2)

    def test_end_token(self):
        for seed in range(20):
            found = self.run_json("-p", "x", "-n", 400, "--temp", 5, "--top-k", 0, "--top-p", 1,
                                  "--min-p", 0, "--seed", seed)
            if found["finish_reason"] == "stop":
                self.assertEqual(found["end_token"], tiny_model.END_ID)
                self.assertNotIn(tiny_model.END_ID, found["tokens"])
                return
        self.fail("no answer ended")

    def test_stop_string(self):
        full = self.run_json("-p", "hello", "-n", 40, "--temp", 0, "--ignore-eos")["text"]
        stop = full[5:8]
        cut = self.run_json("-p", "hello", "-n", 40, "--temp", 0, "--ignore-eos", "--stop", stop)
        self.assertEqual(cut["text"], full[:full.index(stop)])
        self.assertEqual(cut["stop"], stop)
        self.assertEqual(cut["finish_reason"], "stop")

    def test_sources_of_the_prompt(self):
        path = self.directory / "prompt.txt"
        path.write_text("hello")
        arguments = ["--temp", 0, "-n", 10, "--ignore-eos"]
        want = self.run_json("-p", "hello", *arguments)["tokens"]
        self.assertEqual(self.run_json("-f", path, *arguments)["tokens"], want)
        self.assertEqual(self.run_json(*arguments, text="hello")["tokens"], want)
        self.assertEqual(self.run_json("-f", "-", *arguments, text="hello")["tokens"], want)
        # The newline that ends a file is not part of a message, but part of a text to continue.
        self.assertEqual(self.run_json(*arguments, text="hello\n")["tokens"], want)
        self.assertEqual(self.run_json("--raw", *arguments, text="hello\n")["prompt_tokens"], 6)

    def test_raw_and_chat(self):
        chat = self.run_json("-p", "hello", "--temp", 0, "-n", 5, "--chat")
        raw = self.run_json("-p", "hello", "--temp", 0, "-n", 5, "--raw")
        by_hand = self.run_json("-p", "<user>hello<end><assistant>", "--temp", 0, "-n", 5, "--raw")
        self.assertEqual(raw["prompt_tokens"], 5)
        self.assertEqual(by_hand["tokens"], chat["tokens"])
        system = self.run_json("-p", "hello", "-n", 1, "--system", "abc")
        self.assertEqual(system["prompt_tokens"], 5 + 3 + 3 + 2)
        plain = self.good("run", self.model, "-p", "hello", "--temp", 0, "-n", 5)
        self.assertEqual(plain.removesuffix("\n"), chat["text"].removesuffix("\n"))

    def test_long_prompt_equals_itself_in_other_chunks(self):
        prompt = "abcdefghij" * 130
        found = self.run_json("-p", prompt, "--raw", "--temp", 0, "-n", 4)
        self.assertEqual(found["timings"]["prefill_tokens"], 1300)

    def test_verbose_and_quiet(self):
        result = ringlet("run", self.model, "-p", "x", "-n", 3, "--verbose")
        self.assertRegex(result.stderr, r"prefill 4 tokens in .*; decode \d tokens in .*seed \d+\n")
        self.assertEqual(ringlet("run", self.model, "-p", "x", "-n", 3, "--quiet").stderr, "")

    def test_errors(self):
        self.bad(1, "tokenizer.json", "run", self.bare, "-p", "x")
        self.bad(1, "refused", "run", self.model, "-p", "refuse")
        self.bad(1, "no tokens", "run", self.model, "--raw", "-p", "")
        self.bad(1, "/no/such/file", "run", self.model, "-f", "/no/such/file")

    def test_context_limit(self):
        path = self.model / "config.json"
        before = path.read_text()
        try:
            path.write_text(json.dumps(json.loads(before) | {"max_position_embeddings": 40}))
            found = self.run_json("-p", "hello", "--ignore-eos")
            self.assertEqual(found["prompt_tokens"] + len(found["tokens"]), 40)
            self.assertEqual(found["finish_reason"], "length")
            self.bad(1, "found 53 tokens, expected at most 40", "run", self.model, "-p", "x" * 50)
        finally:
            path.write_text(before)

    def test_bytes_that_are_not_text(self):
        result = subprocess.run([BINARY, "run", str(self.model), "-n", "3"], input=b"\xff\xfe a",
                                capture_output=True, timeout=SECONDS)
        self.assertEqual(result.returncode, 0, result.stderr)
        result.stdout.decode("utf-8")

    def test_generation_config(self):
        path = self.model / "generation_config.json"
        before = path.read_text()
        try:
            path.write_text(json.dumps(json.loads(before) | {"temperature": 0.0}))
            answers = [self.run_json("-p", "hello", "-n", 20, "--seed", seed)["tokens"]
                       for seed in (1, 2)]
            self.assertEqual(answers[0], answers[1])
            path.write_text(json.dumps(json.loads(before) | {"top_p": 7}))
            self.bad(1, "top_p: found 7", "run", self.model, "-p", "hello")
        finally:
            path.write_text(before)


class ChatTest(CliTest):
    def chat(self, *lines, arguments=(), code=0):
        result = ringlet("chat", self.model, "-n", 6, "--seed", 1, *arguments,
                         text="".join(line + "\n" for line in lines))
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def saved(self, *lines, arguments=()):
        path = self.directory / "chat.json"
        self.chat(*lines, f"/save {path}", arguments=arguments)
        return json.loads(path.read_text())["messages"]

    def test_turns_reuse_the_prefix(self):
        # An answer that says what it drew: special tokens are not shown, so not said again.
        first_message = next(
            message for message in ("hello", "world", "abcde", "12345", "apple", "zebra")
            if min(json.loads(self.good("run", self.model, "-p", message, "--temp", 0, "-n", 6,
                                        "--json"))["tokens"]) >= len(tiny_model.SPECIAL))
        result = self.chat(first_message, "again", arguments=["--verbose", "--temp", "0"])
        turns = re.findall(r"prefill (\d+) tokens .* (\d+) reused; decode (\d+) tokens",
                           result.stderr)
        self.assertEqual(len(turns), 2, result.stderr)
        first, second = [tuple(map(int, turn)) for turn in turns]
        self.assertEqual(first[:2], (8, 0))
        # Everything but the token drawn last is computed; after it come <end> and the next message.
        self.assertGreaterEqual(second[1], 8 + first[2] - 1)
        self.assertEqual(second[0] + second[1], 8 + first[2] + 1 + len("again") + 3)

    def test_reuse_changes_nothing(self):
        messages = self.saved("hello", "again", arguments=["--temp", "0"])
        prompt = "".join(f"<{m['role']}>{m['content']}<end>" for m in messages[:3]) + "<assistant>"
        cold = json.loads(self.good("run", self.model, "--raw", "-p", prompt, "--temp", 0, "-n", 6,
                                    "--json"))
        self.assertEqual(cold["text"], messages[3]["content"])

    def test_commands(self):
        self.assertEqual([m["role"] for m in self.saved("a", "b")],
                         ["user", "assistant", "user", "assistant"])
        self.assertEqual([m["content"] for m in self.saved("a", "b", "/undo")][0], "a")
        self.assertEqual(len(self.saved("a", "b", "/undo")), 2)
        self.assertEqual(self.saved("a", "/reset"), [])
        system = self.saved("a", "/system be brief")
        self.assertEqual(system[0], {"role": "system", "content": "be brief"})
        self.assertEqual(self.saved("/system x", "/system"), [])
        self.assertEqual(self.saved("//slash")[0]["content"], "/slash")
        self.assertEqual(self.saved("two \\", "lines")[0]["content"], "two \nlines")
        again = self.saved("a", "/temp 3", "/regen")
        self.assertEqual(len(again), 2)
        self.assertEqual(self.chat("/exit", "hello").stdout, "")

    def test_load(self):
        first = self.saved("a", "b")
        path = self.directory / "loaded.json"
        path.write_text(json.dumps({"messages": first}))
        self.assertEqual(self.saved(f"/load {path}"), first)
        self.assertEqual(self.saved("c", arguments=["--load", str(path)])[:4], first)
        self.assertEqual(self.saved("/undo", arguments=["--load", str(path)]), first[:2])

    def test_help_and_statistics(self):
        result = self.chat("/help", "a", "/stats")
        for command in ("/exit", "/reset", "/undo", "/regen", "/system", "/save", "/load", "/temp"):
            self.assertIn(command, result.stdout)
        self.assertIn("tokens in the sequence", result.stdout)
        self.assertNotIn("> ", result.stdout.splitlines()[0])
        self.assertNotIn("\x1b", result.stdout)

    def test_the_first_error_ends_a_script(self):
        for lines, expected in ((["/nonsense"], "/nonsense"), (["/undo"], "/undo"),
                                (["/regen"], "/regen"), (["/temp hot"], "/temp"),
                                (["/temp 1000"], "temperature"), (["/load /no/such"], "/no/such"),
                                (["/save"], "/save"), (["refuse"], "refused")):
            result = self.chat(*lines, "hello", code=1)
            self.assertRegex(result.stderr, ERROR)
            self.assertIn(expected, result.stderr)
            self.assertEqual(result.stdout, "")

    def test_needs_a_template(self):
        directory = tiny_model.make(BINARY, self.directory / "plain")
        (directory / "tokenizer_config.json").unlink()
        result = ringlet("chat", directory, text="hello\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("--raw", result.stderr)
        result = ringlet("run", directory, "-p", "hello", "-n", 3)
        self.assertEqual(result.returncode, 0, result.stderr)


class Pseudoterminal:
    """The program on a terminal of its own."""

    def __init__(self, *arguments, environment=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(BINARY, [BINARY, *map(str, arguments)],
                       os.environ | {"TERM": "xterm"} | (environment or {}))
        self.output = b""

    def read_until(self, predicate):
        """Reads until predicate(output) or the end of the output."""
        deadline = time.monotonic() + SECONDS
        while not predicate(self.output):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"after {self.output[-500:]!r}")
            try:
                block = os.read(self.fd, 65536)
            except OSError:  # the other end is closed
                return
            if not block:
                return
            self.output += block

    def send(self, text):
        # libedit shows its prompt a moment before it stops the terminal's own line editing, which
        # would swallow a Ctrl-D that comes between the two: faster than any person types.
        deadline = time.monotonic() + 0.5
        while termios.tcgetattr(self.fd)[3] & termios.ICANON and time.monotonic() < deadline:
            time.sleep(0.005)
        os.write(self.fd, text.encode())

    def finish(self):
        """Reads the rest; returns the exit code, negative for a signal."""
        self.read_until(lambda output: False)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class TerminalTest(CliTest):
    def test_interrupt_ends_the_answer_of_run(self):
        terminal = Pseudoterminal("run", self.model, "-p", "hello", "--ignore-eos", "--quiet")
        terminal.read_until(lambda output: len(output) > 200)
        terminal.send("\x03")
        self.assertEqual(terminal.finish(), 130)
        self.assertTrue(terminal.output.endswith(b"\n"))

    def test_interrupt_of_run_in_a_pipe_still_prints_json(self):
        process = subprocess.Popen([BINARY, "run", str(self.model), "-p", "hello", "--ignore-eos",
                                    "--json"], stdout=subprocess.PIPE, text=True)
        wait_until_interruptible(process)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(json.loads(output)["finish_reason"], "cancelled")

    def test_interrupt_ends_the_answer_of_chat_only(self):
        terminal = Pseudoterminal("chat", self.model, "--ignore-eos")
        terminal.read_until(lambda output: output.endswith(b"> "))
        terminal.send("hello\n")
        size = len(terminal.output)
        terminal.read_until(lambda output: len(output) > size + 60)
        terminal.send("\x03")
        terminal.read_until(lambda output: output.endswith(b"> "))
        self.assertIn(b"answer stopped", terminal.output)
        terminal.send("/exit\n")
        self.assertEqual(terminal.finish(), 0)

    def test_interrupt_twice_at_the_prompt_leaves(self):
        terminal = Pseudoterminal("chat", self.model)
        terminal.read_until(lambda output: output.endswith(b"> "))
        terminal.send("\x03")
        terminal.read_until(lambda output: b"Ctrl-C again" in output and output.endswith(b"> "))
        terminal.send("\x03")
        self.assertEqual(terminal.finish(), 130)

    def test_end_of_input_leaves(self):
        terminal = Pseudoterminal("chat", self.model)
        terminal.read_until(lambda output: output.endswith(b"> "))
        terminal.send("\x04")
        self.assertEqual(terminal.finish(), 0)

    def test_lines_are_utf8_in_any_locale(self):
        path = self.directory / "utf8.json"
        for locale in ("C", "C.UTF-8"):
            terminal = Pseudoterminal("chat", self.model, environment={"LC_ALL": locale})
            terminal.read_until(lambda output: output.endswith(b"> "))
            size = len(terminal.output)
            terminal.send("/system caf\u00e9 \U0001f642\n")
            terminal.read_until(lambda output: output[size:].endswith(b"\n> "))
            terminal.send(f"/save {path}\n/exit\n")
            self.assertEqual(terminal.finish(), 0)
            saved = json.loads(path.read_text(encoding="utf-8"))["messages"]
            self.assertEqual(saved[0]["content"], "caf\u00e9 \U0001f642")

    def test_color_only_where_it_is_welcome(self):
        for environment, escapes in (({}, True), ({"NO_COLOR": "1"}, False),
                                     ({"TERM": "dumb"}, False)):
            terminal = Pseudoterminal("chat", self.model, environment=environment)
            terminal.read_until(lambda output: output.endswith(b"> "))
            self.assertEqual(b"\x1b[2m" in terminal.output, escapes, environment)
            terminal.send("\x04")
            terminal.finish()

    def test_loading_shows_a_bar_that_goes_away(self):
        terminal = Pseudoterminal("run", self.model, "-p", "x", "-n", 1)
        self.assertEqual(terminal.finish(), 0)
        self.assertIn(b"Loading", terminal.output)
        self.assertIn(b"%", terminal.output)
        # The last thing drawn on the bar's line is its erasure.
        self.assertNotIn(b"Loading", terminal.output.split(b"\r\x1b[K")[-1])

    def test_errors_do_not_end_a_terminal_chat(self):
        terminal = Pseudoterminal("chat", self.model, "-n", "3")
        terminal.read_until(lambda output: output.endswith(b"> "))
        terminal.send("/nonsense\n")
        terminal.read_until(lambda output: b"error" in output and output.endswith(b"> "))
        terminal.send("/exit\n")
        self.assertEqual(terminal.finish(), 0)


if __name__ == "__main__":
    BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
