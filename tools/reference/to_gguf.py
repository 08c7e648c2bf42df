#!/usr/bin/env python3
"""Converts a tiny Hugging Face directory (Llama, Qwen3, BailingMoeV2) to GGUF.

  to_gguf.py DIR OUT.gguf [--type Q4_K]

Keys and tensor names are those of llama.cpp. There is no vocabulary: tokenizer.ggml.model is
"no_vocab", which llama.cpp accepts too. Rows that a block format does not divide fall back to Q8_0,
then to F16, as do quantizers elsewhere; norms, the router and its bias stay F32.
"""

import argparse
import json
import os
import re

import numpy as np

import ggml_blocks
import gguf_io
import model_config
from safetensors_io import Checkpoint

# Parts of names that stay F32 in every file.
_PLAIN = ("norm.weight", "ffn_gate_inp.weight", "exp_probs_b.bias")


def _rope_metadata(config, parsed):
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    metadata = {"rope.freq_base": float(config["rope_theta"])}
    if parsed.architecture != "Qwen3ForCausalLM":
        metadata["rope.dimension_count"] = parsed.rotary_dim
    if kind in ("linear", "yarn"):
        metadata["rope.scaling.type"] = kind
        metadata["rope.scaling.factor"] = float(scaling["factor"])
    if kind == "yarn":
        original = scaling["original_max_position_embeddings"]
        metadata["rope.scaling.original_context_length"] = original
    return metadata


def _moe_metadata(config):
    return {
        "leading_dense_block_count": config["first_k_dense_replace"],
        "expert_count": config["num_experts"],
        "expert_used_count": config["num_experts_per_tok"],
        "expert_feed_forward_length": config["moe_intermediate_size"],
        # Of one shared expert: llama.cpp multiplies by the count.
        "expert_shared_feed_forward_length": config["moe_intermediate_size"],
        "expert_shared_count": config["num_shared_experts"],
        "expert_weights_scale": float(config["routed_scaling_factor"]),
        "expert_weights_norm": bool(config["norm_topk_prob"]),
        "expert_gating_func": 2,  # sigmoid
        "expert_group_count": config["n_group"],
        "expert_group_used_count": config["topk_group"],
        "nextn_predict_layers": config["num_nextn_predict_layers"],
    }


def metadata_of(config, name):
    parsed = model_config.parse(config)
    names = {hf: short for short, hf in gguf_io.HF_ARCHITECTURES.items()}
    architecture = names[parsed.architecture]
    values = {
        "block_count": parsed.layers + parsed.mtp_layers,
        "context_length": config["max_position_embeddings"],
        "embedding_length": parsed.hidden,
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": parsed.heads,
        "attention.head_count_kv": parsed.kv_heads,
        "attention.layer_norm_rms_epsilon": float(parsed.eps),
        "vocab_size": config["vocab_size"],
        **_rope_metadata(config, parsed),
    }
    if "head_dim" in config:
        values["attention.key_length"] = values["attention.value_length"] = parsed.head_dim
    if parsed.moe is not None:
        values.update(_moe_metadata(config))
    metadata = {"general.architecture": architecture, "general.name": name}
    metadata.update({f"{architecture}.{key}": value for key, value in values.items()})
    return {**metadata, "tokenizer.ggml.model": "no_vocab"}


def _kind(name, values, wanted):
    if values.ndim == 1 or name.endswith(_PLAIN):
        return "F32"
    for kind in (wanted, "Q8_0", "F16"):
        if values.shape[-1] % ggml_blocks.FORMATS[kind][1] == 0:
            return kind
    raise AssertionError("F16 takes rows of any length")


def rope_factors(config, parsed):
    """What llama.cpp keeps of llama3 scaling: divisors of the plain inverse frequencies."""
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") != "llama3":
        return None
    plain = config["rope_theta"] ** (-np.arange(0, parsed.rotary_dim, 2) / parsed.rotary_dim)
    return plain / parsed.inv_freq


def tensors_of(config, weights, kind):
    parsed = model_config.parse(config)
    tensors, experts = {}, {}
    factors = rope_factors(config, parsed)
    if factors is not None:
        tensors["rope_freqs.weight"] = ("F32", factors)
    for hf_name in weights.names():
        if hf_name.endswith("_scale_inv"):
            continue
        name, expert = gguf_io.gguf_name(hf_name.replace("e_score_correction_bias", "expert_bias"))
        values = weights[hf_name]
        if expert is not None:
            experts.setdefault(name, {})[expert] = values
            continue
        if parsed.architecture == "LlamaForCausalLM" and re.search(r"attn_[qk]\.weight", name):
            heads = parsed.heads if "attn_q" in name else parsed.kv_heads
            values = gguf_io.interleave_rows(values, heads)
        tensors[name] = (_kind(name, values, kind), values)
    for name, parts in experts.items():
        stacked = np.stack([parts[e] for e in range(len(parts))])
        tensors[name] = (_kind(name, stacked, kind), stacked)
    return tensors


def convert(directory, path, kind="F32"):
    with open(os.path.join(directory, "config.json")) as file:
        config = json.load(file)
    metadata = metadata_of(config, os.path.basename(os.path.normpath(directory)))
    gguf_io.write(path, metadata, tensors_of(config, Checkpoint(directory), kind))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory")
    parser.add_argument("output")
    parser.add_argument("--type", default="F32", choices=list(ggml_blocks.FORMATS))
    args = parser.parse_args()
    convert(args.directory, args.output, args.type)


if __name__ == "__main__":
    main()
