#!/usr/bin/env python3
"""Tests of `ringlet train` as a user meets it.

    tests/cli/train_test.py build/release/ringlet
"""

import json
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent.parent / "bench"))
import cli_test
import train_kills


class TrainTest(cli_test.CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        train_kills.make_data(cli_test.BINARY, cls.directory)
        cls.config = cls.directory / "run.toml"
        cls.config.write_text(train_kills.CONFIG.format(steps=12))

    def write(self, name, *edits, steps=12):
        """A configuration with texts replaced."""
        text = train_kills.CONFIG.format(steps=steps)
        for old, new in edits:
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = self.directory / f"{name}.toml"
        path.write_text(text)
        return path

    def test_from_text_to_a_model(self):
        config = self.write("whole", ("steps = 12", 'steps = 12\ntokenizer = "tokenizer"'))
        text = self.good("train", config)
        self.assertIn(f"ringlet run {self.directory}/whole/model", text)
        out = self.directory / "whole"
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        self.assertEqual([line["kind"] for line in log], ["start"] + 12 * ["step"])
        self.assertEqual([line["step"] for line in log[1:]], list(range(1, 13)))
        for line in log[1:]:
            self.assertGreater(line["tokens_per_second"], 0)
            self.assertGreater(line["peak_share"], 0)
            self.assertEqual(len(line["load_cv"]), 10)
        self.assertLess(log[-1]["loss"], log[1]["loss"])
        self.assertIn("<svg", (out / "report.html").read_text())
        config = json.loads((out / "model/config.json").read_text())
        self.assertEqual(config["vocab_size"], 300)
        answer = self.good("run", out / "model", "-p", "the cat", "-n", 4, "--temp", 0)
        self.assertTrue(answer)
        # A finished run says so again and changes nothing.
        weights = (out / "model/model.safetensors").read_bytes()
        self.good("train", self.directory / "whole.toml")
        self.assertEqual((out / "model/model.safetensors").read_bytes(), weights)
        # And its weights may begin another run.
        other = self.write("other", ('preset = "tiny-hybrid"', 'weights = "whole/model"'), steps=2)
        self.good("train", other)
        self.assertTrue((self.directory / "other/model/tokenizer.json").is_file())
        first = json.loads((self.directory / "other/log.jsonl").read_text().splitlines()[1])
        self.assertLess(first["loss"], log[1]["loss"] - 0.2)

    def test_stops_and_goes_on(self):
        steps = self.good("train", self.config, "--steps", 5, "--json", "--quiet").splitlines()
        self.assertEqual([json.loads(line)["step"] for line in steps], [1, 2, 3, 4, 5])
        self.assertFalse((self.directory / "run/model").exists())
        for step, sent in ((6, signal.SIGINT), (None, signal.SIGTERM)):
            process = subprocess.Popen([cli_test.BINARY, "train", str(self.config), "--json"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            line = process.stdout.readline()
            if step is not None:
                self.assertEqual(json.loads(line)["step"], step)
            process.send_signal(sent)
            rest, errors = process.communicate(timeout=cli_test.SECONDS)
            if process.returncode != 0:  # it may have been done
                self.assertEqual(process.returncode, 130, errors)
                self.assertIn("the same command goes on", errors)
        self.good("train", self.config, "--threads", 1)
        whole = self.directory / "again"
        self.good("train", self.config, "--out", whole)
        self.assertEqual(train_kills.losses(self.directory / "run/log.jsonl"),
                         train_kills.losses(whole / "log.jsonl"))
        self.assertEqual((self.directory / "run/model/model.safetensors").read_bytes(),
                         (whole / "model/model.safetensors").read_bytes())

    def test_layers_that_predict_further(self):
        config = self.write("mtp", ('preset = "tiny-hybrid"', 'preset = "tiny-ling"'),
                            ("num_nextn_predict_layers = 0", "num_nextn_predict_layers = 1"))
        self.good("train", config)
        log = (self.directory / "mtp/log.jsonl").read_text().splitlines()
        losses = [json.loads(line)["mtp_loss"] for line in log[1:]]
        self.assertLess(losses[-1], losses[0])
        text = self.good("inspect", self.directory / "mtp/model")
        self.assertIn("MTP", text)

    def test_kills(self):
        kills = max(2, 6 // cli_test.SLOWNESS)
        directory = self.directory / "kills"
        directory.mkdir()
        report = train_kills.measure(pathlib.Path(cli_test.BINARY).resolve(), directory, kills, 1, 2)
        self.assertGreaterEqual(report["kills"], kills)
        self.assertEqual(report["lost_checkpoints"], 0)
        self.assertEqual(report["different"], 0)

    def test_check_and_report(self):
        text = self.good("train", self.config, "--check")
        self.assertIn('preset = "tiny-hybrid"', text)
        self.assertIn("weight_decay = 0.1", text)
        self.assertIn("# Memory about ", text)
        kept = {}
        for recompute in ("none", "attention", "block"):
            config = self.write(recompute, ("steps = 12", f'steps = 12\nrecompute = "{recompute}"'))
            memory = json.loads(self.good("train", config, "--check", "--json"))["memory"]
            self.assertEqual(sum(memory.values()), 2 * memory["total"])
            kept[recompute] = memory["kept"]
        self.assertGreater(kept["none"], kept["attention"])
        self.assertGreater(kept["attention"], kept["block"])
        # Nothing is allocated for rows before a step.
        greedy = self.write("greedy", ("batch_tokens = 256\nmicro_batch_tokens = 256",
                                       "batch_tokens = 1073741824\n"
                                       "micro_batch_tokens = 1073741824"))
        result = cli_test.ringlet("train", greedy, "--steps", 0)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("ringlet: this needs about ", result.stderr)
        self.assertIn('recompute = "block" would need ', result.stderr)
        large = self.write("large", ("vocab_size = 300\n",
                                     "vocab_size = 300\nnum_experts = 65536\n"
                                     "moe_intermediate_size = 65536\n"))
        self.bad(1, "for weights and optimizer", "train", large)
        self.bad(1, "found no directory, expected the directory of a run",
                 "train", self.config, "--report")

    def test_errors(self):
        self.bad(2, "CONFIG", "train")
        self.bad(2, "--minutes: found -1", "train", self.config, "--minutes", "-1")
        self.bad(1, "no.toml", "train", self.directory / "no.toml")
        self.bad(1, "steps", "train", self.write("bad", ("steps = 12", 'steps = "many"')))
        self.bad(1, "found an unknown key", "train",
                 self.write("bad", ("every_steps = 2", "every_step = 2")))
        self.bad(1, "nowhere", "train", self.write("bad", ('path = "data"', 'path = "nowhere"')))
        self.bad(1, "vocabulary", "train",
                 self.write("bad", ("vocab_size = 300", "vocab_size = 200")))
        changed = self.write("changed")
        self.good("train", changed, "--steps", 2)
        changed.write_text(changed.read_text().replace("lr = 0.003", "lr = 0.004"))
        self.bad(1, "settings that decide the weights were changed", "train", changed)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    cli_test.BINARY = sys.argv.pop(1)
    unittest.main()
