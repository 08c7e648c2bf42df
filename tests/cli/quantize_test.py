#!/usr/bin/env python3
"""Tests of `ringlet quantize` as a user meets it.

    tests/cli/quantize_test.py build/release/ringlet
"""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

import cli_test

STATE = ".ringlet-quantize.json"


def read_header(path):
    """Entries of a safetensors file."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        entries = json.loads(file.read(size))
    entries.pop("__metadata__", None)
    return entries


def read_tree(directory):
    """Contents by name."""
    return {path.name: path.read_bytes() for path in sorted(pathlib.Path(directory).iterdir())}


def random_bf16(count):
    """Bytes of values between 2^-7 and 2^-5 of either sign."""
    data = bytearray(os.urandom(2 * count))
    data[1::2] = bytes(data[1::2]).translate(bytes(0x3C | (b & 0x80) for b in range(256)))
    return bytes(data)


def make_larger_model(small, directory, layers=5):
    """A Llama so large that quantizing takes time; from the config of `small`.

    Of 17 million weights with five layers."""
    config = json.loads((small / "config.json").read_text())
    hidden, ffn, heads, vocab = 512, 1536, 8, 256
    config |= {"hidden_size": hidden, "intermediate_size": ffn, "num_attention_heads": heads,
               "num_key_value_heads": heads, "head_dim": hidden // heads, "vocab_size": vocab,
               "num_hidden_layers": layers, "tie_word_embeddings": False}
    shapes = {"model.embed_tokens": (vocab, hidden), "lm_head": (vocab, hidden),
              "model.norm": (hidden,)}
    for i in range(layers):
        prefix = f"model.layers.{i}."
        shapes |= {f"{prefix}self_attn.{n}_proj": (hidden, hidden) for n in "qkvo"}
        shapes |= {f"{prefix}mlp.{n}_proj": (ffn, hidden) for n in ("gate", "up")}
        shapes |= {f"{prefix}mlp.down_proj": (hidden, ffn)}
        shapes |= {f"{prefix}{n}_layernorm": (hidden,) for n in ("input", "post_attention")}
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name + ".weight"] = {"dtype": "BF16", "shape": shape,
                                    "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(config))
    with open(directory / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + random_bf16(offset // 2))
    return directory


class QuantizeTest(cli_test.CliTest):
    def quantize(self, name, *options, model=None):
        out = self.directory / name
        self.good("quantize", model or self.model, out, *options)
        return out

    def report(self, name, *options, model=None):
        text = self.good("quantize", model or self.model, self.directory / name, "--json", *options)
        report = json.loads(text)
        return report, {tensor["name"]: tensor for tensor in report["tensors"]}

    def logprobs(self, model, *options):
        text = self.good("logprobs", model, "--tokens", "-", "--json", *options,
                         text=json.dumps(list(range(5, 60))))
        return json.loads(text)["logprobs"][1:]

    def difference(self, model, *options):
        pairs = list(zip(self.logprobs(model, *options), self.logprobs(self.model, *options)))
        return sum(abs(a - b) for a, b in pairs) / len(pairs)


class ResultTest(QuantizeTest):
    def test_int4(self):
        report, tensors = self.report("int4", "--dtype", "int4")
        out = self.directory / "int4"
        layer = "model.layers.1."
        self.assertEqual(tensors[layer + "attention.query_key_value.weight"]["type"], "int4")
        self.assertEqual(tensors[layer + "mlp.experts.3.down_proj.weight"]["type"], "int4")
        self.assertEqual(tensors["lm_head.weight"]["type"], "int8")
        self.assertEqual(tensors["model.word_embeddings.weight"]["type"], "BF16")
        self.assertEqual(tensors[layer + "mlp.gate.weight"]["type"], "BF16")
        self.assertEqual(tensors["model.norm.weight"]["relative_error"], None)
        for tensor in tensors.values():
            if tensor["type"] == "int4":
                self.assertLess(tensor["relative_error"], 0.085)
                self.assertGreater(tensor["relative_error"], 0.05)
                self.assertAlmostEqual(tensor["bits_per_weight"], 5, delta=0.1)
            if tensor["type"] == "int8":
                self.assertLess(tensor["relative_error"], 0.008)
        self.assertEqual(report["bytes"], sum(t["bytes"] for t in tensors.values()))
        config = json.loads((out / "config.json").read_text())["quantization_config"]
        self.assertEqual(config["quant_method"], "compressed-tensors")
        self.assertEqual(config["format"], "pack-quantized")
        self.assertIn(layer + "mlp.gate", config["ignore"])
        groups = config["config_groups"]
        self.assertEqual(groups["group_0"]["targets"], ["Linear"])
        self.assertEqual(groups["group_0"]["weights"]["group_size"], 16)
        self.assertEqual(groups["group_1"]["targets"], ["lm_head"])
        for name in ("tokenizer.json", "tokenizer_config.json"):
            self.assertEqual((out / name).read_bytes(), (self.model / name).read_bytes())
        self.assertFalse((out / STATE).exists())
        self.assertLess(self.difference(out), 0.5)
        self.good("run", out, "-p", "hello", "-n", "4")

    def test_more_bits_lose_less(self):
        divergence = {}
        for dtype in ("int4", "int8", "fp8"):
            out = self.quantize(dtype + "s", "--dtype", dtype)
            text = self.good("logprobs", out, "--tokens", "-", "--json", "--compute", "f32",
                             "--against", self.model, text=json.dumps(list(range(5, 60))))
            against = json.loads(text)["against"]
            self.assertEqual(len(against["kl"]), 55)
            divergence[dtype] = against["mean_kl"]
        self.assertGreater(divergence["int8"], 0)
        self.assertLess(divergence["int8"], divergence["fp8"] / 2)
        self.assertLess(divergence["fp8"], divergence["int4"] * 0.7)
        self.assertLess(divergence["int4"], 0.1)

    def test_portable(self):
        _, tensors = self.report("portable", "--portable")
        self.assertEqual(tensors["lm_head.weight"]["type"], "BF16")
        config = json.loads((self.directory / "portable/config.json").read_text())
        groups = config["quantization_config"]["config_groups"]
        self.assertEqual(list(groups), ["group_0"])
        self.assertEqual(groups["group_0"]["weights"]["group_size"], 32)
        self.assertIn("lm_head", config["quantization_config"]["ignore"])

    def test_keep(self):
        _, tensors = self.report("keep", "--keep", "*.down_proj=int8", "--keep", "*.1.*=source",
                                 "--keep", "lm_head.weight=int4")
        self.assertEqual(tensors["model.layers.0.mlp.down_proj.weight"]["type"], "int8")
        self.assertEqual(tensors["model.layers.0.mlp.up_proj.weight"]["type"], "int4")
        # The last rule that matches wins.
        self.assertEqual(tensors["model.layers.1.mlp.shared_experts.down_proj.weight"]["type"],
                         "BF16")
        self.assertEqual(tensors["lm_head.weight"]["type"], "int4")
        self.assertLess(self.difference(self.directory / "keep"), 0.5)

    def test_bytes_depend_on_nothing_else(self):
        options = ("--dtype", "int8", "--shard-size", "1")
        first = read_tree(self.quantize("one", "--threads", "1", *options))
        second = read_tree(self.quantize("three", "--threads", "3", *options))
        self.assertEqual(first, second)
        # Files of at most 1 MiB, and the index of all of them.
        index = json.loads(first["model.safetensors.index.json"])
        files = sorted(name for name in first if name.endswith(".safetensors"))
        self.assertGreater(len(files), 1)
        self.assertEqual(sorted(set(index["weight_map"].values())), files)
        for name in files:
            self.assertLess(len(first[name]), (1 << 20) + 300000)

    def test_table(self):
        text = self.good("quantize", self.model, self.directory / "table")
        self.assertRegex(text, r"model\.layers\.\*\.mlp\.experts\.\*\.down_proj\.weight +\d+ +int4 +"
                               r"\d\.\d+% +\d\.\d+% +5\.\d+")
        self.assertRegex(text, r"\ntotal ")
        self.assertIn("table: ", text.splitlines()[-1])

    def test_calibrate_and_evaluate(self):
        text = self.directory / "text.txt"
        text.write_text("The quick brown fox jumps over the lazy dog. " * 12)
        plain, _ = self.report("plain", "--evaluate", text)
        report, _ = self.report("calibrated", "--calibrate", text, "--evaluate", text)
        # Weighing errors makes them larger in the sum, and other codes are chosen.
        self.assertGreater(report["relative_error"], plain["relative_error"])
        evaluation = report["evaluation"]
        self.assertEqual(evaluation["tokens"], len(text.read_text()))
        self.assertEqual(len(evaluation["kl"]), evaluation["tokens"])
        self.assertAlmostEqual(sum(evaluation["kl"]) / evaluation["tokens"], evaluation["mean_kl"])
        self.assertEqual(max(evaluation["kl"]), evaluation["max_kl"])
        self.assertTrue(0 < evaluation["mean_kl"] < 0.1, evaluation["mean_kl"])
        table = self.good("quantize", self.model, self.directory / "told", "--evaluate", text)
        self.assertRegex(table, r"\nKL divergence \d\.\d+ \(largest \d+\.\d+\) over 540 tokens")
        tokens = self.directory / "tokens.json"
        tokens.write_text(json.dumps([5, 6, 7, 8]))
        report, _ = self.report("tokens", "--calibrate", tokens, "--tokens", model=self.bare)
        self.assertNotIn("evaluation", report)


class ResumeTest(QuantizeTest):
    OPTIONS = ("--shard-size", "1")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        small = cls.directory / "llama"
        subprocess.run([cli_test.BINARY, "new", "tiny-llama", small, "--quiet"], check=True)
        cls.larger = make_larger_model(small, cls.directory / "larger",
                                       max(2, 5 // cli_test.SLOWNESS))

    def start(self, out):
        """Starts quantizing and returns when a first shard is there; it must not outrun this."""
        process = subprocess.Popen([cli_test.BINARY, "quantize", self.larger, out, "--quiet",
                                    *self.OPTIONS], stderr=subprocess.PIPE,
                                   preexec_fn=lambda: os.nice(19))
        deadline = time.monotonic() + cli_test.SECONDS
        while not (out / STATE).exists() or not any(out.glob("*.safetensors")):
            self.assertIsNone(process.poll(), "it ended before the first shard")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.001)
        return process

    def interrupted(self, name):
        """A directory that a killed run left."""
        out = self.directory / name
        process = self.start(out)
        process.kill()
        process.communicate()
        self.assertFalse((out / "config.json").exists())
        self.assertTrue((out / STATE).exists())
        return out

    def test_killed_runs_continue(self):
        whole = self.quantize("whole", *self.OPTIONS, model=self.larger)
        out = self.interrupted("killed")
        left = (out / "model-00003-of-00009.safetensors.tmp.1")
        left.write_text("half a file")
        report, _ = self.report("killed", *self.OPTIONS, model=self.larger)
        self.assertEqual(report["damaged_shards"], 0)
        self.assertEqual(read_tree(out), read_tree(whole))
        # Tensors of the finished shards are in the report too.
        names = {name for path in out.glob("*.safetensors") for name in read_header(path)}
        for tensor in report["tensors"]:
            self.assertTrue({tensor["name"], tensor["name"] + "_packed"} & names, tensor["name"])

    def test_interrupt(self):
        out = self.directory / "interrupt"
        process = self.start(out)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=cli_test.SECONDS)
        self.assertEqual(process.returncode, 130)
        self.assertIn(b"the same command continues", stderr)
        report, _ = self.report("interrupt", *self.OPTIONS, model=self.larger)
        self.assertGreaterEqual(report["resumed_shards"], 1)
        self.assertFalse(any(".tmp." in name for name in os.listdir(out)))

    def test_damaged_shards_are_written_again(self):
        whole = self.quantize("undamaged", *self.OPTIONS, model=self.larger)
        for damage in ("cut", "flipped", "gone"):
            out = self.interrupted("damaged-" + damage)
            state = json.loads((out / STATE).read_text())
            if not state["shards"]:  # killed between the first shard and its entry
                continue
            shard = out / sorted(state["shards"])[0]
            content = bytearray(shard.read_bytes())
            content[-1] ^= 1
            if damage == "gone":
                shard.unlink()
            else:
                shard.write_bytes(content if damage == "flipped" else content[:-100])
            report, _ = self.report("damaged-" + damage, *self.OPTIONS, model=self.larger)
            self.assertEqual(report["damaged_shards"], 1, damage)
            self.assertEqual(read_tree(out), read_tree(whole), damage)

    def test_other_options_are_refused(self):
        out = self.interrupted("other")
        for options, message in ((["--dtype", "int8"], "--dtype"), (["--group", "32"], "--group"),
                                 (["--keep", "lm_head=int4"], "--keep"),
                                 (["--portable"], "--portable")):
            self.bad(1, message, "quantize", self.larger, out, *self.OPTIONS, *options)
        self.bad(1, "--shard-size", "quantize", self.larger, out, "--shard-size", "2")
        copy = self.directory / "copy"
        shutil.copytree(self.larger, copy)
        os.utime(copy / "model.safetensors", (1, 1))
        self.bad(1, "source", "quantize", copy, out, *self.OPTIONS)
        (out / STATE).write_text("{")
        self.bad(1, STATE, "quantize", self.larger, out, *self.OPTIONS)

    def test_one_writer_at_a_time(self):
        out = self.directory / "shared"
        process = self.start(out)
        process.send_signal(signal.SIGSTOP)
        try:
            self.bad(1, "another process", "quantize", self.larger, out, *self.OPTIONS)
        finally:
            process.kill()
            process.communicate()


class ErrorTest(QuantizeTest):
    def test_usage(self):
        out = self.directory / "nothing"
        for options, message in ((["--dtype", "int3"], "--dtype: found int3"),
                                 (["--dtype", "bf16"], "--dtype"),
                                 (["--group", "-1"], "--group"),
                                 (["--keep", "lm_head"], "--keep: found lm_head"),
                                 (["--keep", "=int4"], "--keep"),
                                 (["--keep", "lm_head=int3"], "--keep"),
                                 (["--shard-size", "0"], "--shard-size"),
                                 (["--calibrate-with", self.model], "--calibrate"),
                                 (["--dtype", "fp8", "--calibrate", "x"], "--calibrate")):
            self.bad(2, message, "quantize", self.model, out, *options)
        for options, message in ((["--group", "48"], "--group: found 48"),
                                 (["--portable", "--group", "16"], "--group"),
                                 (["--dtype", "fp8", "--group", "32"], "--group"),
                                 (["--dtype", "fp8", "--keep", "lm_head=int8"], "lm_head"),
                                 (["--keep", "no.such=int8"], "no.such")):
            self.bad(1, message, "quantize", self.model, out, *options)
        self.assertFalse(out.exists())

    def test_places_that_cannot_be_written(self):
        self.bad(1, str(self.model), "quantize", self.model, self.model)
        file = self.directory / "file"
        file.write_text("")
        self.bad(1, "a file", "quantize", self.model, file)
        self.bad(1, str(file), "quantize", self.model, file / "below")
        self.bad(1, "/proc/none", "quantize", self.model, "/proc/none")

    def test_sources(self):
        out = self.directory / "again"
        done = self.quantize("done")
        self.bad(1, "quantized already", "quantize", done, out)
        self.bad(1, "/no/such/model", "quantize", "/no/such/model", out)
        packed = self.directory / "packed"
        self.good("new", "tiny-hybrid", packed, "--dtype", "int4")
        self.bad(1, "packed", "quantize", packed, out)
        self.assertFalse(out.exists())

    def test_weights_that_are_no_numbers(self):
        model = self.directory / "infinite"
        shutil.copytree(self.bare, model)
        path = model / "model.safetensors"
        name = "model.layers.0.mlp.up_proj.weight"
        begin = read_header(path)[name]["data_offsets"][0]
        with open(path, "r+b") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            file.seek(8 + size + begin + 3 * 2)
            file.write(b"\x80\x7f")  # infinity
        self.bad(1, name + ": found a value that is not finite in row 0", "quantize", model,
                 self.directory / "finite")
        self.assertFalse((self.directory / "finite").exists())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    cli_test.BINARY = sys.argv.pop(1)
    unittest.main()
