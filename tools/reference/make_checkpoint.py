#!/usr/bin/env python3
"""Tiny random checkpoints in exact Hugging Face layout, for checking whole models.

  make_checkpoint.py PRESET DIR [--seed N]
  make_checkpoint.py --list

Weights are scaled so that activations stay near 1, routing spreads over the experts and logits
have a standard deviation of about 1.2. A routed expert adds little to the residual stream: BF16
rounding flips near-ties between experts in any implementation, and a flip must not drown what a
comparison in BF16 is to show. In fp32 any mistake in routing still stands out by far.
"""

import argparse
import json
import os
import sys

import numpy as np

import model_config
from presets import PRESETS, random_preset
from safetensors_io import Stored, encode, quantize_fp8, save_file, save_sharded

HEAD_GAIN = 1.2
ATTENTION_GAIN = 0.5
EXPERT_GAIN = 0.1
TORCH_DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


class Builder:
    """Collects random tensors in stored form."""

    def __init__(self, preset, config, seed):
        self.preset = preset
        self.config = config
        self.rng = np.random.default_rng(seed)
        self.tensors = {}

    def store(self, name, values, dtype=None):
        self.tensors[name] = encode(values, dtype or self.preset.dtype)

    def norm(self, name, width):
        self.store(name, 1.0 + 0.1 * self.rng.standard_normal(width))

    def linear(self, name, out_features, in_features, gain=1.0, fp8=False, power_of_two=False):
        values = self.rng.standard_normal((out_features, in_features)) * gain / in_features**0.5
        if fp8 and self.preset.fp8:
            codes, scale = quantize_fp8(values, power_of_two)
            self.tensors[name] = Stored("F8_E4M3", codes)
            self.tensors[name + "_scale_inv"] = Stored("F32", scale)
        else:
            self.store(name, values)

    def mlp(self, prefix, width, gain=1.0, power_of_two=False):
        hidden = self.config["hidden_size"]
        for part in ("gate_proj", "up_proj"):
            self.linear(f"{prefix}{part}.weight", width, hidden, 1.0, True, power_of_two)
        self.linear(f"{prefix}down_proj.weight", hidden, width, gain, True)

    def bailing_attention(self, prefix, softmax, fp8_gate):
        c = self.config
        heads, dim, hidden = c["num_attention_heads"], c["head_dim"], c["hidden_size"]
        kv_heads = c["num_key_value_heads"] if softmax else heads
        rows = (heads + 2 * kv_heads) * dim
        self.linear(prefix + "query_key_value.weight", rows, hidden, fp8=True)
        self.norm(prefix + "query_layernorm.weight", dim)
        self.norm(prefix + "key_layernorm.weight", dim)
        self.linear(prefix + "dense.weight", hidden, heads * dim, ATTENTION_GAIN, True, True)
        if not softmax:
            self.linear(prefix + "g_proj.weight", heads * dim, hidden, fp8=fp8_gate)
            self.norm(prefix + "g_norm.weight", heads * dim)

    def mixture(self, prefix):
        c = self.config
        self.linear(prefix + "gate.weight", c["num_experts"], c["hidden_size"])
        if c["moe_router_enable_expert_bias"]:
            bias = 0.2 * self.rng.standard_normal(c["num_experts"])
            self.store(f"{prefix}gate.{self.preset.bias_name}", bias, self.preset.bias_dtype)
        for expert in range(c["num_experts"]):
            self.mlp(f"{prefix}experts.{expert}.", c["moe_intermediate_size"], EXPERT_GAIN, True)
        if c["num_shared_experts"]:
            shared = c["moe_intermediate_size"] * c["num_shared_experts"]
            self.mlp(prefix + "shared_experts.", shared)

    def bailing_layer(self, index, softmax, moe):
        prefix, hidden = f"model.layers.{index}.", self.config["hidden_size"]
        self.norm(prefix + "input_layernorm.weight", hidden)
        # Whether g_proj of FP8 files is quantized is not known, so both forms occur here.
        self.bailing_attention(prefix + "attention.", softmax, fp8_gate=index % 2 == 0)
        self.norm(prefix + "post_attention_layernorm.weight", hidden)
        if moe:
            self.mixture(prefix + "mlp.")
        else:
            self.mlp(prefix + "mlp.", self.config["intermediate_size"])

    def mtp_layer(self, index):
        prefix, hidden = f"model.layers.{index}.", self.config["hidden_size"]
        for name in ("enorm", "hnorm", "final_layernorm"):
            self.norm(f"{prefix}{name}.weight", hidden)
        self.linear(prefix + "eh_proj.weight", hidden, 2 * hidden)
        self.bailing_layer(index, softmax=True, moe=True)

    def llama_layer(self, index, qk_norm):
        c, prefix = self.config, f"model.layers.{index}."
        heads, hidden = c["num_attention_heads"], c["hidden_size"]
        dim = c.get("head_dim", hidden // heads)
        self.norm(prefix + "input_layernorm.weight", hidden)
        for part in "qkv":
            rows = (heads if part == "q" else c["num_key_value_heads"]) * dim
            self.linear(f"{prefix}self_attn.{part}_proj.weight", rows, hidden)
        self.linear(prefix + "self_attn.o_proj.weight", hidden, heads * dim, ATTENTION_GAIN)
        if qk_norm:
            self.norm(prefix + "self_attn.q_norm.weight", dim)
            self.norm(prefix + "self_attn.k_norm.weight", dim)
        self.norm(prefix + "post_attention_layernorm.weight", hidden)
        self.mlp(prefix + "mlp.", c["intermediate_size"])

    def build(self):
        c, parsed = self.config, model_config.parse(self.config)
        bailing = parsed.family == "bailing"
        name = "word_embeddings" if bailing else "embed_tokens"
        # A tied embedding also is the head, which sets the scale of the logits.
        gain = HEAD_GAIN if parsed.tied else c["hidden_size"] ** 0.5
        self.linear(f"model.{name}.weight", c["vocab_size"], c["hidden_size"], gain)
        for i, (softmax, moe) in enumerate(zip(parsed.softmax_layer, parsed.moe_layer)):
            if bailing:
                self.bailing_layer(i, softmax, moe)
            else:
                self.llama_layer(i, parsed.qk_norm)
        for step in range(parsed.mtp_layers):
            self.mtp_layer(parsed.layers + step)
        self.norm("model.norm.weight", c["hidden_size"])
        if not parsed.tied:
            self.linear("lm_head.weight", c["vocab_size"], c["hidden_size"], HEAD_GAIN)
        return self.tensors


def find_preset(name, seed):
    """The preset of that name; "random" draws one by the seed."""
    return random_preset(seed) if name == "random" else PRESETS[name]


def make(name, directory, seed=0):
    """Writes the checkpoint of a preset into `directory`."""
    preset = find_preset(name, seed)
    config = dict(preset.config, torch_dtype=TORCH_DTYPES[preset.dtype])
    tensors = Builder(preset, config, seed).build()
    os.makedirs(directory, exist_ok=True)
    if preset.shards > 1:
        save_sharded(directory, tensors, preset.shards)
    else:
        save_file(os.path.join(directory, "model.safetensors"), tensors)
    generation = {
        "bos_token_id": config.get("bos_token_id"),
        "eos_token_id": preset.eos_ids,
        "pad_token_id": config.get("pad_token_id"),
        "transformers_version": config["transformers_version"],
    }
    files = {"config.json": config, "generation_config.json": generation}
    for file, content in files.items():
        content = {k: v for k, v in content.items() if v is not None or k == "rope_scaling"}
        with open(os.path.join(directory, file), "w") as out:
            json.dump(content, out, indent=2)
            out.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", choices=[*PRESETS, "random"], metavar="PRESET")
    parser.add_argument("directory", nargs="?", metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="print the presets and stop")
    args = parser.parse_args()
    if args.list:
        for name, preset in PRESETS.items():
            print(f"{name:16} {preset.about}")
        print(f"{'random':16} a shape drawn by --seed")
        return 0
    if args.preset is None or args.directory is None:
        parser.error("PRESET and DIR are needed")
    make(args.preset, args.directory, args.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
