#!/usr/bin/env python3
"""Tests of the reference itself: each part against a second, independent way to compute it."""

import json
import math
import os
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    sys.exit("the reference needs numpy for this interpreter: apt-get install python3-numpy")

import forward
import ggml_blocks
import gguf_io
import make_checkpoint
import model_config
import safetensors_io
import to_gguf
from presets import PRESETS


def chunked_lightning(q, k, v, decay, chunk):
    """The chunkwise closed form, with the true length of the last chunk."""
    tokens, heads, dim = q.shape
    out = np.empty_like(v)
    for h in range(heads):
        state, lam = np.zeros((dim, dim)), decay[h]
        for begin in range(0, tokens, chunk):
            rows = slice(begin, min(begin + chunk, tokens))
            qc, kc, vc = q[rows, h], k[rows, h], v[rows, h]
            i = np.arange(len(qc))
            gap = i[:, None] - i[None, :]
            weights = np.where(gap >= 0, lam ** np.maximum(gap, 0), 0.0)
            out[rows, h] = (qc @ kc.T * weights) @ vc + lam ** (i + 1)[:, None] * (qc @ state)
            state = lam ** len(qc) * state + (kc * lam ** (len(qc) - 1 - i)[:, None]).T @ vc
    return out / math.sqrt(dim)


class LightningTest(unittest.TestCase):
    def test_chunked_form_equals_recurrence(self):
        rng = np.random.default_rng(0)
        q, k, v = rng.standard_normal((3, 150, 4, 16))
        for layer in (0, 7, 8):
            decay = forward.decays(4, layer, 10, "A")
            expected = forward.lightning_attention(q, k, v, decay)
            for chunk in (1, 7, 64, 150):
                error = np.abs(chunked_lightning(q, k, v, decay, chunk) - expected).max()
                self.assertLess(error, 1e-12)

    def test_first_token_is_undecayed(self):
        q, k, v = np.random.default_rng(1).standard_normal((3, 1, 2, 8))
        out = forward.lightning_attention(q, k, v, np.array([0.5, 0.9]))
        expected = (q * k).sum(axis=-1, keepdims=True) * v / math.sqrt(8)
        np.testing.assert_allclose(out, expected, rtol=1e-13)

    def test_slopes(self):
        np.testing.assert_allclose(
            forward.head_slopes(16)[[0, 1, 2, 15]], [2**-0.5, 0.5, 2**-1.5, 2**-8]
        )
        self.assertAlmostEqual(forward.head_slopes(32)[0], 0.8408964, places=6)
        # Six heads: the four of H = 4, then the first and third of H = 8.
        np.testing.assert_allclose(
            forward.head_slopes(6), [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]
        )

    def test_layer_factors(self):
        table = {  # 20 layers; published values
            0: (1.00001, 1.05264, 1.00001),
            1: (0.94738, 1.00001, 1.00001),
            10: (0.47369, 0.52633, 0.52633),
            17: (0.10527, 0.15791, 0.15791),
            18: (0.05264, 0.10527, 0.10527),
        }
        for layer, factors in table.items():
            for formula, expected in zip("ABC", factors):
                self.assertAlmostEqual(
                    forward.layer_factor(layer, 20, formula), expected, delta=6e-6
                )
        self.assertEqual(forward.layer_factor(0, 1, "A"), 1 + 1e-5)

    def test_half_life_of_slowest_head(self):
        for formula, tokens in (("A", 3371), ("B", 1686)):
            decay = forward.decays(16, 18, 20, formula)[15]
            self.assertAlmostEqual(math.log(0.5) / math.log(decay), tokens, delta=1)


class AttentionTest(unittest.TestCase):
    def test_softmax_attention_equals_plain_sums(self):
        rng = np.random.default_rng(2)
        q, k, v = rng.standard_normal((9, 6, 4)), *rng.standard_normal((2, 9, 2, 4))
        out = forward.softmax_attention(q, k, v)
        for t in (0, 4, 8):
            for h in range(6):
                shared = h // 3
                p = [math.exp(q[t, h] @ k[j, shared] / 2.0) for j in range(t + 1)]
                expected = sum(w * v[j, shared] for j, w in enumerate(p)) / sum(p)
                np.testing.assert_allclose(out[t, h], expected, rtol=1e-12)

    def test_group_norm_takes_groups_of_channels(self):
        x = np.random.default_rng(3).standard_normal((1, 12)) * 3
        out = forward.group_rms_norm(x, np.ones(12), 3, 0.0)[0]
        for g in range(3):
            self.assertAlmostEqual(np.mean(out[4 * g : 4 * g + 4] ** 2), 1.0)


class RopeTest(unittest.TestCase):
    def test_scores_depend_on_distance_only(self):
        rng = np.random.default_rng(4)
        q, k = rng.standard_normal((2, 1, 1, 16))
        inv_freq, _ = model_config.rope_frequencies({"rope_theta": 100.0}, 8)

        def score(m, n):
            a = forward.rotate(q, np.array([m]), inv_freq, 1.0)
            b = forward.rotate(k, np.array([n]), inv_freq, 1.0)
            return (a * b).sum()

        self.assertAlmostEqual(score(5, 2), score(105, 102), places=12)
        self.assertGreater(abs(score(5, 2) - score(6, 2)), 1e-3)

    def test_pairs_and_pass_through(self):
        x = np.zeros((1, 1, 12))
        x[0, 0, 1] = 1.0  # pair (1, 5) of rotary dimension 8
        x[0, 0, 9] = 7.0
        out = forward.rotate(x, np.array([1.0]), np.array([0.1, 0.2, 0.3, 0.4]), 2.0)[0, 0]
        expected = np.zeros(12)
        expected[[1, 5, 9]] = 2 * math.cos(0.2), 2 * math.sin(0.2), 7.0
        np.testing.assert_allclose(out, expected, atol=1e-15)

    def test_yarn_against_scalar_formula(self):
        dim, theta, factor, original = 64, 1e6, 4.0, 32768
        scaling = {"rope_type": "yarn", "factor": factor}
        scaling["original_max_position_embeddings"] = original
        inv_freq, scale = model_config.rope_frequencies(
            {"rope_theta": theta, "rope_scaling": scaling, "max_position_embeddings": 131072}, dim
        )
        self.assertAlmostEqual(scale, 0.1 * math.log(4) + 1)

        def index_of(turns):  # real-valued pair index that turns `turns` times over the window
            return dim / 2 * math.log(original / (2 * math.pi * turns), theta)

        low, high = math.floor(index_of(32)), math.ceil(index_of(1))
        for i in range(dim // 2):
            plain = theta ** (-2 * i / dim)
            keep = 1 - min(max((i - low) / (high - low), 0), 1)
            expected = plain * keep + plain / factor * (1 - keep)
            self.assertAlmostEqual(inv_freq[i] / expected, 1.0, places=12)
        self.assertEqual(inv_freq[0], 1.0)
        self.assertAlmostEqual(inv_freq[-1] * factor, theta ** (-62 / 64))

    def test_llama3_keeps_fast_and_divides_slow(self):
        scaling = {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }
        config = {"rope_theta": 500000.0, "rope_scaling": scaling}
        inv_freq, _ = model_config.rope_frequencies(config, 128)
        plain = 500000.0 ** (-np.arange(0, 128, 2) / 128)
        ratio = plain / inv_freq
        wavelength = 2 * math.pi / plain
        np.testing.assert_allclose(ratio[wavelength < 2048], 1.0)
        np.testing.assert_allclose(ratio[wavelength > 8192], 8.0)
        middle = ratio[(wavelength > 2048) & (wavelength < 8192)]
        self.assertTrue(len(middle) > 2 and np.all(np.diff(middle) > 0))


class RoutingTest(unittest.TestCase):
    def moe(self, **changes):
        values = dict(experts=12, top_k=3, groups=4, top_groups=2, scale=2.5, normalize=True)
        return model_config.Moe(**{**values, **changes}, has_bias=True, has_shared=False)

    def test_against_naive_selection(self):
        rng = np.random.default_rng(5)
        scores, bias = rng.random((200, 12)), 0.3 * rng.standard_normal(12)
        chosen, weights = forward.route(scores, bias, self.moe())
        for p, experts, w in zip(scores, chosen, weights):
            c = list(p + bias)
            strength = [sum(sorted(c[3 * g : 3 * g + 3])[-2:]) for g in range(4)]
            kept = sorted(range(4), key=lambda g: (-strength[g], g))[:2]
            allowed = [e for e in range(12) if e // 3 in kept]
            expected = sorted(allowed, key=lambda e: (-c[e], e))[:3]
            self.assertEqual(list(experts), expected)
            np.testing.assert_allclose(w, 2.5 * p[expected] / p[expected].sum(), rtol=1e-12)

    def test_ties_go_to_the_lower_index(self):
        chosen, _ = forward.route(np.full((1, 12), 0.5), 0.0, self.moe())
        self.assertEqual(chosen.tolist(), [[0, 1, 2]])

    def test_negative_biased_scores_stay_inside_kept_groups(self):
        # A masked group must lose even against negative scores.
        scores = np.full((1, 12), 0.1)
        chosen, _ = forward.route(
            scores, np.r_[np.full(6, -0.5), np.full(6, -0.9)], self.moe(top_k=6)
        )
        self.assertEqual(sorted(chosen[0]), list(range(6)))

    def test_bias_does_not_enter_the_weights(self):
        scores = np.random.default_rng(6).random((5, 12))
        _, weights = forward.route(scores, np.full(12, 7.0), self.moe())
        _, plain = forward.route(scores, 0.0, self.moe())
        np.testing.assert_allclose(weights, plain)
        np.testing.assert_allclose(weights.sum(axis=1), 2.5)


class FormatTest(unittest.TestCase):
    def test_bf16(self):
        values = np.array([1.0, 1.00390625, 1.01171875, -2.5, 3e38, np.inf, 0.0, 1e-40])
        bits = safetensors_io.float_to_bf16(values)
        # Ties to even: 1 + 2^-8 goes down, 1 + 3 * 2^-8 goes up.
        self.assertEqual(bits[:4].tolist(), [0x3F80, 0x3F80, 0x3F82, 0xC020])
        nan = safetensors_io.float_to_bf16(np.array([np.nan]))
        self.assertTrue(np.isnan(safetensors_io.bf16_to_float(nan)[0]))
        every = np.arange(0x7F80, dtype=np.uint16)
        round_trip = safetensors_io.float_to_bf16(safetensors_io.bf16_to_float(every))
        np.testing.assert_array_equal(round_trip, every)

    def test_f8(self):
        values = safetensors_io.F8_VALUES
        self.assertEqual(values[1], 2.0**-9)
        self.assertEqual(values[0x38], 1.0)
        self.assertEqual(values[0x7E], 448.0)
        self.assertTrue(np.isnan(values[[0x7F, 0xFF]]).all())
        codes = np.delete(np.arange(256), [0x7F, 0xFF])
        np.testing.assert_array_equal(safetensors_io.float_to_f8(values[codes]), codes)
        middle = (values[:126] + values[1:127]) / 2  # halves go to the even code
        even = np.arange(126) + (np.arange(126) & 1)
        np.testing.assert_array_equal(safetensors_io.float_to_f8(middle), even)
        self.assertEqual(safetensors_io.float_to_f8([1e9, -1e9]).tolist(), [0x7E, 0xFE])

    def test_f8_blocks(self):
        weight = np.random.default_rng(7).standard_normal((200, 300))
        weight[:128, 256:] *= 100  # a scale of its own for a ragged block
        for power_of_two in (False, True):
            codes, scale = safetensors_io.quantize_fp8(weight, power_of_two)
            self.assertEqual(scale.shape, (2, 3))
            multiplier = safetensors_io.expand_blocks(scale, weight.shape)
            restored = safetensors_io.f8_to_float(codes) * multiplier
            step = np.abs(weight) / 16 + multiplier * 2.0**-9
            self.assertTrue(np.all(np.abs(restored - weight) <= step))
            if power_of_two:
                self.assertTrue(np.all(np.frexp(scale)[0] == 0.5))

    def test_ggml_blocks_are_close(self):
        spread = np.array([[0], [1e-3], [0.1], [1], [5], [80]])
        values = np.random.default_rng(8).standard_normal((6, 512)) * spread
        bound = {
            "Q4": 0.11,
            "Q5": 0.06,
            "Q6": 0.03,
            "Q8": 0.008,
            "F1": 1e-3,
            "BF": 5e-3,
            "F3": 1e-6,
        }
        for name in ggml_blocks.FORMATS:
            raw = ggml_blocks.encode(name, values)
            self.assertEqual(len(raw), ggml_blocks.byte_count(name, values.size))
            decoded = ggml_blocks.decode(name, raw, values.shape)
            for row, expected in zip(decoded, values):
                error = np.sqrt(np.mean((row - expected) ** 2))
                self.assertLessEqual(error, bound[name[:2]] * np.sqrt(np.mean(expected**2)), name)


class ModelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def model(self, preset, seed=0):
        path = os.path.join(self.directory.name, f"{preset}-{seed}")
        if not os.path.isdir(path):
            make_checkpoint.make(preset, path, seed)
        return path

    def test_every_tensor_of_every_preset_is_used(self):
        for preset in PRESETS:
            model = forward.load(self.model(preset))
            tokens = [5, 1, 7, 7, 2]
            values, last = forward.logprobs(model, tokens)
            if model.config.mtp_layers:
                forward.mtp_logprobs(model, tokens)
            self.assertEqual(set(model.weights.names()), model.weights.used, preset)
            self.assertTrue(np.all(np.isfinite(values[1:])), preset)
            self.assertAlmostEqual(np.exp(last).sum(), 1.0)

    def test_layer_kinds(self):
        kinds = model_config.softmax_layers(13, 5)
        self.assertEqual([i for i, softmax in enumerate(kinds) if softmax], [4, 9, 10, 11, 12])
        self.assertEqual(sum(model_config.softmax_layers(32, 8)), 4)
        self.assertTrue(all(model_config.softmax_layers(7, 1)))

    def test_rows_do_not_see_the_future(self):
        tokens = np.random.default_rng(9).integers(0, 512, 40).tolist()
        model = forward.load(self.model("remainder"))
        full, _ = forward.logprobs(model, tokens)
        part, last = forward.logprobs(model, tokens[:25])
        np.testing.assert_allclose(full[1:25], part[1:], atol=1e-10)
        self.assertAlmostEqual(last[tokens[25]], full[25], places=10)

    def test_decay_formula_matters_and_comes_from_the_configuration(self):
        tokens = list(range(40))
        path = self.model("decay_b")
        named, _ = forward.logprobs(forward.load(path), tokens)
        other, _ = forward.logprobs(forward.load(path, "A"), tokens)
        asked, _ = forward.logprobs(forward.load(path, "B"), tokens)
        self.assertEqual(named, asked)
        self.assertGreater(np.abs(np.subtract(named[1:], other[1:])).mean(), 1e-2)

    def test_routing_uses_most_experts(self):
        model = forward.load(self.model("hybrid10"))
        seen = set()
        original = forward.route

        def spy(scores, bias, moe):
            chosen, weights = original(scores, bias, moe)
            seen.update(chosen.ravel().tolist())
            return chosen, weights

        forward.route = spy
        try:
            model.hidden(list(range(100)))
        finally:
            forward.route = original
        self.assertGreater(len(seen), 12)

    def test_same_seed_same_bytes(self):
        first, second = self.model("f16"), os.path.join(self.directory.name, "again")
        make_checkpoint.make("f16", second, 0)
        for file in os.listdir(first):
            with open(os.path.join(first, file), "rb") as a:
                with open(os.path.join(second, file), "rb") as b:
                    self.assertEqual(a.read(), b.read(), file)

    def test_gguf_twin_is_the_same_model(self):
        tokens = [3, 1, 4, 1, 5, 9, 2, 6]
        for preset in ("llama", "llama_tied", "qwen3", "mtp1", "softmax_yarn", "softmax_shared2"):
            path = self.model(preset)
            twin = path + ".gguf"
            to_gguf.convert(path, twin)
            expected, _ = forward.logprobs(path, tokens)
            found, _ = forward.logprobs(twin, tokens)
            # rope_freqs are stored in fp32
            np.testing.assert_allclose(found[1:], expected[1:], atol=1e-6, err_msg=preset)
        expected = forward.mtp_logprobs(self.model("mtp1"), tokens)
        found = forward.mtp_logprobs(self.model("mtp1") + ".gguf", tokens)
        np.testing.assert_allclose(found[2:], expected[2:], atol=1e-9)

    def test_llama_rows_are_interleaved_and_back(self):
        rows = np.arange(16.0)[:, None] * np.ones((1, 3))
        stored = gguf_io.interleave_rows(rows, 2)
        self.assertEqual(stored[:8, 0].tolist(), [0, 4, 1, 5, 2, 6, 3, 7])
        np.testing.assert_array_equal(gguf_io.deinterleave_rows(stored, 2), rows)

    def test_json_output(self):
        path, tokens = self.model("one_layer"), [1, 2, 3]
        token_file = os.path.join(self.directory.name, "tokens.json")
        with open(token_file, "w") as out:
            json.dump(tokens, out)
        argv, stdout = sys.argv, sys.stdout
        try:
            with open(token_file + ".out", "w") as out:
                sys.argv = ["forward.py", path, "--tokens", token_file, "--all", "--json"]
                sys.stdout = out
                forward.main()
        finally:
            sys.argv, sys.stdout = argv, stdout
        with open(token_file + ".out") as file:
            printed = json.load(file)
        self.assertEqual(printed["tokens"], tokens)
        self.assertEqual(printed["logprobs"], forward.logprobs(path, tokens)[0])
        self.assertEqual(len(printed["last_row"]), 512)


if __name__ == "__main__":
    unittest.main()
