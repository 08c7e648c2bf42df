#!/usr/bin/env python3
"""An independent float64 forward pass, for checking `ringlet logprobs`.

Written from the specification of the models, not from the C++ code, and deliberately naive:
lightning attention is the token-by-token recurrence, softmax attention is a full score matrix,
experts run one by one. Reads a Hugging Face directory or a GGUF file.

  python3 forward.py MODEL --tokens FILE [--decay A|B|C] [--all] [--mtp] --json
"""

import argparse
import json
import math
import os
import sys

import numpy as np

import gguf_io
import model_config
import safetensors_io


def rms_norm(x, weight, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def sigmoid(x):
    return np.exp(-np.logaddexp(0.0, -x))


def silu(x):
    return x * sigmoid(x)


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def rotate(x, positions, inv_freq, scale):
    """RoPE on the first 2 * len(inv_freq) dimensions of x [T, heads, d], pairs (i, i + half)."""
    half = len(inv_freq)
    angle = positions[:, None] * inv_freq[None, :]
    cos, sin = np.cos(angle)[:, None, :] * scale, np.sin(angle)[:, None, :] * scale
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin, rest], axis=-1)


def head_slopes(heads):
    """ALiBi slopes; head counts that are no power of two take the even entries of the next one."""
    power = 1 << (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (h + 1) / power) for h in range(power)]
    between = [2.0 ** (-8.0 * (h + 1) / (2 * power)) for h in range(2 * power)]
    return np.array(slopes + between[0::2][: heads - power])


def layer_factor(layer, layers, formula):
    """The factor on the slopes; layers counts all layers of the model, softmax ones included."""
    if formula == "C":
        return 1 - max(0, layer - 1) / max(1, layers - 1) + 1e-5
    if layers == 1:
        return 1 + 1e-5
    return 1 - (layer - (formula == "B")) / (layers - 1) + 1e-5


def decays(heads, layer, layers, formula):
    return np.exp(-head_slopes(heads) * layer_factor(layer, layers, formula))


def lightning_attention(q, k, v, decay):
    """S_t = decay * S_{t-1} + k_t v_t^T and o_t = d^-1/2 q_t S_t; q, k, v are [T, H, d]."""
    tokens, heads, dim = q.shape
    state = np.zeros((heads, dim, v.shape[2]))
    out = np.empty((tokens, heads, v.shape[2]))
    for t in range(tokens):
        state = decay[:, None, None] * state + k[t][:, :, None] * v[t][:, None, :]
        out[t] = np.matmul(q[t][:, None, :], state)[:, 0, :]
    return out / math.sqrt(dim)


def softmax_attention(q, k, v):
    """Causal; q is [T, H, d], k and v are [T, K, d], query head h uses key head h * K // H."""
    tokens, heads, dim = q.shape
    future = np.triu(np.ones((tokens, tokens), dtype=bool), 1)
    out = np.empty_like(q)
    for h in range(heads):
        shared = h * k.shape[1] // heads
        scores = q[:, h] @ k[:, shared].T / math.sqrt(dim)
        scores[future] = -np.inf
        out[:, h] = np.exp(log_softmax(scores)) @ v[:, shared]
    return out


def group_rms_norm(x, weight, groups, eps):
    split = x.reshape(len(x), groups, -1)
    return rms_norm(split, 1.0, eps).reshape(x.shape) * weight


def route(scores, bias, moe):
    """Chosen experts [T, top_k] and their weights; equal scores go to the lower index."""
    rows = np.arange(len(scores))[:, None]
    biased = (scores + bias).reshape(len(scores), moe.groups, -1)
    best_two = -np.sort(-biased, axis=-1)[..., :2]
    kept = np.argsort(-best_two.sum(axis=-1), axis=-1, kind="stable")[:, : moe.top_groups]
    masked = np.full(biased.shape, -np.inf)
    masked[rows, kept] = biased[rows, kept]
    masked = masked.reshape(scores.shape)
    chosen = np.argsort(-masked, axis=-1, kind="stable")[:, : moe.top_k]
    weights = scores[rows, chosen]
    if moe.normalize:
        weights = weights / (weights.sum(axis=-1, keepdims=True) + 1e-20)
    return chosen, weights * moe.scale


class Model:
    """Weights by their Hugging Face names, as a mapping from name to float64 array."""

    def __init__(self, config, weights, decay=None):
        self.config = config
        self.weights = weights
        self.decay = decay or config.decay
        bailing = config.family == "bailing"
        self.attention_name = "attention" if bailing else "self_attn"
        self.embedding = weights[f"model.{'word_embeddings' if bailing else 'embed_tokens'}.weight"]
        self.head = self.embedding if config.tied else weights["lm_head.weight"]

    def qkv(self, prefix, x, kv_heads):
        c = self.config
        if c.family == "bailing":
            fused = self.weights[prefix + "query_key_value.weight"]
        else:
            fused = np.concatenate([self.weights[f"{prefix}{n}_proj.weight"] for n in "qkv"])
        rows = (x @ fused.T).reshape(len(x), c.heads + 2 * kv_heads, c.head_dim)
        return np.split(rows, [c.heads, c.heads + kv_heads], axis=1)

    def attention(self, prefix, x, softmax, layer):
        c, w = self.config, self.weights
        q, k, v = self.qkv(prefix, x, c.kv_heads if softmax else c.heads)
        if c.qk_norm:
            names = ("query_layernorm", "key_layernorm")
            if c.family != "bailing":
                names = ("q_norm", "k_norm")
            q, k = (rms_norm(a, w[f"{prefix}{n}.weight"], c.eps) for a, n in zip((q, k), names))
        positions = np.arange(len(x), dtype=np.float64)
        q, k = (rotate(a, positions, c.inv_freq, c.rope_scale) for a in (q, k))
        if softmax:
            mixed = softmax_attention(q, k, v).reshape(len(x), -1)
        else:
            decay = decays(c.heads, layer, c.layers, self.decay)
            mixed = lightning_attention(q, k, v, decay).reshape(len(x), -1)
            mixed = group_rms_norm(mixed, w[prefix + "g_norm.weight"], c.norm_groups, c.eps)
            mixed = mixed * sigmoid(x @ w[prefix + "g_proj.weight"].T)
        out = "dense" if c.family == "bailing" else "o_proj"
        return mixed @ w[f"{prefix}{out}.weight"].T

    def swiglu(self, prefix, x):
        gate, up, down = (self.weights[f"{prefix}{n}_proj.weight"] for n in ("gate", "up", "down"))
        return (silu(x @ gate.T) * (x @ up.T)) @ down.T

    def expert_bias(self, prefix):
        if not self.config.moe.has_bias:
            return 0.0
        for name in ("expert_bias", "e_score_correction_bias"):
            if f"{prefix}gate.{name}" in self.weights:
                return self.weights[f"{prefix}gate.{name}"]
        raise KeyError(prefix + "gate.expert_bias")

    def mixture(self, prefix, x):
        scores = sigmoid(x @ self.weights[prefix + "gate.weight"].T)
        chosen, weights = route(scores, self.expert_bias(prefix), self.config.moe)
        out = np.zeros_like(x)
        for expert in range(self.config.moe.experts):
            rows, slots = np.nonzero(chosen == expert)
            y = self.swiglu(f"{prefix}experts.{expert}.", x[rows])
            out[rows] += weights[rows, slots][:, None] * y
        if self.config.moe.has_shared:
            out += self.swiglu(prefix + "shared_experts.", x)
        return out

    def layer(self, index, x, softmax, moe):
        prefix, w, eps = f"model.layers.{index}.", self.weights, self.config.eps
        u = rms_norm(x, w[prefix + "input_layernorm.weight"], eps)
        x = x + self.attention(f"{prefix}{self.attention_name}.", u, softmax, index)
        u = rms_norm(x, w[prefix + "post_attention_layernorm.weight"], eps)
        return x + (self.mixture if moe else self.swiglu)(prefix + "mlp.", u)

    def hidden(self, tokens):
        """Rows after the final norm, [T, hidden]."""
        x = self.embedding[np.asarray(tokens)]
        for i, (softmax, moe) in enumerate(zip(self.config.softmax_layer, self.config.moe_layer)):
            x = self.layer(i, x, softmax, moe)
        return rms_norm(x, self.weights["model.norm.weight"], self.config.eps)

    def mtp_hidden(self, tokens, hidden, step=0):
        """Rows t = 0..T-2-step of MTP layer `step`, from the rows of the layer before it.

        Row t joins hidden row t with the embedding of token t+1+step and predicts token t+2+step.
        """
        prefix, w, eps = f"model.layers.{self.config.layers + step}.", self.weights, self.config.eps
        rows = len(tokens) - 1 - step
        embedded = self.embedding[np.asarray(tokens[1 + step :])]
        joined = np.concatenate(
            [
                rms_norm(embedded, w[prefix + "enorm.weight"], eps),
                rms_norm(hidden[:rows], w[prefix + "hnorm.weight"], eps),
            ],
            axis=1,
        )
        x = joined @ w[prefix + "eh_proj.weight"].T
        x = self.layer(self.config.layers + step, x, softmax=True, moe=True)
        return rms_norm(x, w[prefix + "final_layernorm.weight"], eps)

    def row_logprobs(self, hidden):
        return log_softmax(hidden @ self.head.T)


def load(path, decay=None):
    """A Hugging Face directory or a GGUF file; decay overrides the formula in the configuration."""
    if os.path.isdir(path):
        with open(os.path.join(path, "config.json")) as file:
            config = json.load(file)
        return Model(model_config.parse(config), safetensors_io.Checkpoint(path), decay)
    file = gguf_io.GgufFile(path)
    return Model(gguf_io.parse_config(file), gguf_io.HuggingFaceView(file), decay)


def logprobs(model, tokens):
    """([None, log p(tokens[1] | tokens[0]), ...], distribution after the last token)."""
    model = load(model) if isinstance(model, str) else model
    rows = model.row_logprobs(model.hidden(tokens))
    return [None] + [float(rows[i, t]) for i, t in enumerate(tokens[1:])], rows[-1]


def mtp_logprobs(model, tokens):
    """Entry i: log-prob of tokens[i] by the first MTP layer from tokens[0..i-1]; None for i < 2."""
    model = load(model) if isinstance(model, str) else model
    rows = model.row_logprobs(model.mtp_hidden(tokens, model.hidden(tokens)))
    return [None, None][: len(tokens)] + [float(rows[i, t]) for i, t in enumerate(tokens[2:])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--tokens", required=True, help="file with a JSON array of ids")
    parser.add_argument("--decay", choices="ABC", help="default: what config.json says, else A")
    parser.add_argument("--all", action="store_true", help="add the distribution after the end")
    parser.add_argument("--mtp", action="store_true", help="add log-probs of the first MTP layer")
    parser.add_argument("--json", action="store_true", help="accepted: the output always is JSON")
    args = parser.parse_args()
    with open(args.tokens) as file:
        tokens = json.load(file)
    model = load(args.model, args.decay)
    values, last = logprobs(model, tokens)
    result = {"tokens": tokens, "logprobs": values}
    if args.all:
        result["last_row"] = last.tolist()
    if args.mtp:
        result["mtp_logprobs"] = mtp_logprobs(model, tokens)
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()
