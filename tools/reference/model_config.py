"""What a checkpoint computes, read from config.json: the reference's own view of it."""

import math
from dataclasses import dataclass, field

import numpy as np

ARCHITECTURES = {
    "BailingMoeLinearV2ForCausalLM": "bailing",
    "BailingMoeV2ForCausalLM": "bailing",
    "LlamaForCausalLM": "llama",
    "Qwen3ForCausalLM": "llama",
}


@dataclass
class Moe:
    experts: int
    top_k: int
    groups: int
    top_groups: int
    scale: float
    normalize: bool
    has_bias: bool
    has_shared: bool


@dataclass
class Config:
    architecture: str
    family: str  # tensor naming: "bailing" or "llama"
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    qk_norm: bool
    tied: bool
    rotary_dim: int
    inv_freq: np.ndarray  # [rotary_dim / 2]
    rope_scale: float  # multiplies cos and sin
    softmax_layer: list = field(default_factory=list)  # one bool per layer
    moe_layer: list = field(default_factory=list)
    norm_groups: int = 1
    moe: Moe | None = None
    mtp_layers: int = 0
    decay: str = "A"  # formula of the layer factor

    @property
    def layers(self):
        return len(self.softmax_layer)


def yarn(dim, theta, scaling, max_position):
    """Hugging Face's "yarn": inverse frequencies and the factor on cos and sin."""
    factor = scaling["factor"]
    original = scaling.get("original_max_position_embeddings") or max_position

    def correction(rotations):
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low = correction(scaling.get("beta_fast") or 32)
    high = correction(scaling.get("beta_slow") or 1)
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001
    interpolated_share = np.clip((np.arange(dim // 2) - low) / (high - low), 0, 1)
    plain = theta ** (-np.arange(0, dim, 2) / dim)
    inv_freq = plain / factor * interpolated_share + plain * (1 - interpolated_share)

    def mscale(coefficient=1.0):
        return 0.1 * coefficient * math.log(factor) + 1.0 if factor > 1 else 1.0

    attention_factor = scaling.get("attention_factor")
    if attention_factor is None:
        if scaling.get("mscale") and scaling.get("mscale_all_dim"):
            attention_factor = mscale(scaling["mscale"]) / mscale(scaling["mscale_all_dim"])
        else:
            attention_factor = mscale()
    return inv_freq, attention_factor


def llama3(dim, theta, scaling):
    plain = theta ** (-np.arange(0, dim, 2) / dim)
    factor = scaling["factor"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    original = scaling["original_max_position_embeddings"]
    wavelength = 2 * math.pi / plain
    smooth = (original / wavelength - low) / (high - low)
    blended = (1 - smooth) * plain / factor + smooth * plain
    inv_freq = np.where(wavelength > original / low, plain / factor, blended)
    return np.where(wavelength < original / high, plain, inv_freq), 1.0


def rope_frequencies(config, dim):
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = float(scaling.get("rope_theta", config.get("rope_theta", 10000.0)))
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    plain = theta ** (-np.arange(0, dim, 2) / dim)
    if kind == "default":
        return plain, 1.0
    if kind == "linear":
        return plain / scaling["factor"], 1.0
    if kind == "yarn":
        return yarn(dim, theta, scaling, config["max_position_embeddings"])
    if kind == "llama3":
        return llama3(dim, theta, scaling)
    raise ValueError(f"rope type {kind!r} is not one of default, linear, yarn, llama3")


def softmax_layers(layers, group_size):
    """True where a layer is softmax: the last of each group and all after the last whole group."""
    whole = layers // group_size * group_size
    return [(i + 1) % group_size == 0 or i >= whole for i in range(layers)]


def _rotary_dim(config, head_dim):
    if config.get("rotary_dim") is not None:
        return int(config["rotary_dim"])
    return int(head_dim * config.get("partial_rotary_factor", 1.0))


def _moe(config):
    if config.get("score_function", "sigmoid") != "sigmoid":
        raise ValueError(f"score_function {config['score_function']!r} is not sigmoid")
    return Moe(
        experts=config["num_experts"],
        top_k=config["num_experts_per_tok"],
        groups=config.get("n_group") or 1,
        top_groups=config.get("topk_group") or 1,
        scale=config["routed_scaling_factor"],
        normalize=config["norm_topk_prob"] and config["num_experts_per_tok"] > 1,
        has_bias=config.get("moe_router_enable_expert_bias", True),
        has_shared=bool(config.get("num_shared_experts")),
    )


def parse(config):
    """Config from the contents of config.json."""
    architecture = config["architectures"][0]
    family = ARCHITECTURES[architecture]
    heads, layers = config["num_attention_heads"], config["num_hidden_layers"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    rotary_dim = _rotary_dim(config, head_dim)
    inv_freq, rope_scale = rope_frequencies(config, rotary_dim)
    group_size, first_moe, moe = 1, layers, None
    if family == "bailing":
        group_size = config.get("layer_group_size", 1)
        first_moe, moe = config["first_k_dense_replace"], _moe(config)
    return Config(
        architecture=architecture,
        family=family,
        hidden=config["hidden_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=head_dim,
        eps=config["rms_norm_eps"],
        qk_norm=architecture == "Qwen3ForCausalLM" or config.get("use_qk_norm", False),
        tied=config.get("tie_word_embeddings", False),
        rotary_dim=rotary_dim,
        inv_freq=inv_freq,
        rope_scale=rope_scale,
        softmax_layer=[t == "full_attention" for t in config.get("layer_types") or []]
        or softmax_layers(layers, group_size),
        moe_layer=[i >= first_moe for i in range(layers)],
        norm_groups=config.get("group_norm_size", 1),
        moe=moe,
        mtp_layers=config.get("num_nextn_predict_layers") or 0,
        decay=config.get("ringlet_decay_factor", "A"),
    )
