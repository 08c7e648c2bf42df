"""The tiny models that make_checkpoint.py writes: one per way in which real ones differ."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Preset:
    about: str
    config: dict
    dtype: str = "BF16"
    fp8: bool = False
    shards: int = 1
    bias_name: str = "expert_bias"
    bias_dtype: str = "F32"
    tokens: int = 150  # enough to cross two 64-token chunks
    eos_ids: list = field(default_factory=lambda: [1, 2])


def _bailing(architecture, **changes):
    """All keys that the published config.json files of the family have."""
    config = {
        "architectures": [architecture],
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "embedding_dropout": 0.0,
        "eos_token_id": 1,
        "first_k_dense_replace": 1,
        "head_dim": 32,
        "hidden_act": "silu",
        "hidden_size": 128,
        "initializer_range": 0.02,
        "intermediate_size": 192,
        "max_position_embeddings": 4096,
        "max_window_layers": 20,
        "model_type": "bailing_moe",
        "moe_intermediate_size": 32,
        "moe_router_enable_expert_bias": True,
        "n_group": 4,
        "norm_topk_prob": True,
        "num_attention_heads": 4,
        "num_experts": 16,
        "num_experts_per_tok": 4,
        "num_hidden_layers": 5,
        "num_key_value_heads": 2,
        "num_nextn_predict_layers": 0,
        "num_shared_experts": 1,
        "output_dropout": 0.0,
        "output_router_logits": False,
        "pad_token_id": 1,
        "partial_rotary_factor": 0.5,
        "rms_norm_eps": 1e-6,
        "rope_scaling": None,
        "rope_theta": 600000,
        "routed_scaling_factor": 2.5,
        "router_dtype": "fp32",
        "score_function": "sigmoid",
        "sliding_window": 4096,
        "tie_word_embeddings": False,
        "topk_group": 2,
        "transformers_version": "4.56.1",
        "use_bias": False,
        "use_cache": True,
        "use_qk_norm": True,
        "use_qkv_bias": False,
        "use_rmsnorm": True,
        "use_sliding_window": False,
        "vocab_size": 512,
    }
    config.update(changes)
    config.setdefault("moe_shared_expert_intermediate_size", config["moe_intermediate_size"])
    return {key: value for key, value in config.items() if value is not ...}


def _hybrid(**changes):
    defaults = {
        "auto_map": {
            "AutoConfig": "configuration_bailing_moe_linear_v2.BailingMoeLinearV2Config",
            "AutoModel": "modeling_bailing_moe_linear_v2.BailingMoeLinearV2Model",
            "AutoModelForCausalLM": "modeling_bailing_moe_linear_v2.BailingMoeLinearV2ForCausalLM",
        },
        "group_norm_size": 4,
        "layer_group_size": 5,
        "linear_silu": False,
        "model_type": "bailing_moe_linear",
        "rope_theta": 1000000,
    }
    return _bailing("BailingMoeLinearV2ForCausalLM", **{**defaults, **changes})


def _softmax(**changes):
    return _bailing("BailingMoeV2ForCausalLM", **changes)


def _llama(**changes):
    config = {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "eos_token_id": [1, 2],
        "head_dim": 32,
        "hidden_act": "silu",
        "hidden_size": 128,
        "initializer_range": 0.02,
        "intermediate_size": 256,
        "max_position_embeddings": 8192,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 4,
        "num_key_value_heads": 2,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-5,
        "rope_scaling": None,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "transformers_version": "4.45.0",
        "use_cache": True,
        "vocab_size": 480,
    }
    config.update(changes)
    return {key: value for key, value in config.items() if value is not ...}


def _qwen3(**changes):
    config = _llama(
        architectures=["Qwen3ForCausalLM"],
        eos_token_id=1,
        max_window_layers=4,
        mlp_bias=...,
        model_type="qwen3",
        pretraining_tp=...,
        rms_norm_eps=1e-6,
        rope_theta=1000000,
        sliding_window=None,
        transformers_version="4.51.0",
        use_sliding_window=False,
    )
    config.update(changes)
    return config


def _scaling(kind, **values):
    return {"rope_type": kind, **values}


_FP8 = {
    "quantization_config": {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "weight_block_size": [128, 128],
    }
}
_YARN = _scaling("yarn", factor=4.0, original_max_position_embeddings=128)
_LLAMA3 = _scaling(
    "llama3",
    factor=8.0,
    high_freq_factor=4.0,
    low_freq_factor=1.0,
    original_max_position_embeddings=128,
)

PRESETS = {
    "hybrid10": Preset(
        "10 layers in groups of 5, sharded", _hybrid(num_hidden_layers=10), shards=3
    ),
    "remainder": Preset(
        "13 layers in groups of 5: the last 3 are softmax", _hybrid(num_hidden_layers=13)
    ),
    "all_linear": Preset(
        "4 linear layers and no other",
        _hybrid(num_hidden_layers=4, layer_types=4 * ["linear_attention"]),
    ),
    "heads6": Preset(
        "6 heads, 2 of keys: slopes of no power of two, 3 norm groups, e_score_correction_bias",
        _hybrid(num_attention_heads=6, hidden_size=192, group_norm_size=3),
        bias_name="e_score_correction_bias",
    ),
    "one_group": Preset(
        "all experts in one routing group, one norm group, expert bias in BF16",
        _hybrid(n_group=1, topk_group=1, group_norm_size=1),
        bias_dtype="BF16",
    ),
    "ratio8": Preset(
        "16 layers in groups of 8, 8 heads on 1 of keys",
        _hybrid(
            num_hidden_layers=16,
            layer_group_size=8,
            num_attention_heads=8,
            num_key_value_heads=1,
            head_dim=16,
        ),
    ),
    "shared2": Preset("two shared experts", _hybrid(num_shared_experts=2)),
    "shared3": Preset(
        "three shared experts, their width given as a sum",
        _hybrid(num_shared_experts=3, moe_shared_expert_intermediate_size=96),
    ),
    "no_shared": Preset("no shared expert", _hybrid(num_shared_experts=0)),
    "no_bias": Preset(
        "no expert bias", _hybrid(moe_router_enable_expert_bias=False, linear_silu=...)
    ),
    "all_dense": Preset(
        "no routed layer, tied embeddings",
        _hybrid(num_hidden_layers=6, first_k_dense_replace=6, tie_word_embeddings=True),
    ),
    "dense3": Preset(
        "three leading dense layers, groups of 3, theta 10000",
        _hybrid(
            num_hidden_layers=7, layer_group_size=3, first_k_dense_replace=3, rope_theta=10000.0
        ),
    ),
    "decay_b": Preset(
        "decay factor B, named in the configuration", _hybrid(ringlet_decay_factor="B")
    ),
    "decay_c": Preset("decay factor C", _hybrid(ringlet_decay_factor="C")),
    "narrow": Preset(
        "hidden 72, head_dim 24, rotary 12, 3 heads, expert width 20",
        _hybrid(
            hidden_size=72,
            head_dim=24,
            num_attention_heads=3,
            num_key_value_heads=1,
            group_norm_size=3,
            intermediate_size=100,
            moe_intermediate_size=20,
        ),
    ),
    "odd_vocab": Preset(
        "vocabulary of 333, odd head counts",
        _hybrid(
            vocab_size=333,
            num_attention_heads=5,
            num_key_value_heads=5,
            hidden_size=160,
            group_norm_size=5,
            num_experts=9,
            n_group=3,
            topk_group=1,
            num_experts_per_tok=2,
        ),
    ),
    "head128": Preset(
        "the real head_dim 128 with rotary 64, one group of 2 layers",
        _hybrid(
            num_hidden_layers=2,
            layer_group_size=2,
            head_dim=128,
            num_attention_heads=2,
            num_key_value_heads=1,
            hidden_size=256,
            group_norm_size=2,
        ),
    ),
    "one_layer": Preset(
        "a single layer: softmax, as the remainder of no group", _hybrid(num_hidden_layers=1)
    ),
    "wide_dim": Preset(
        "heads wider than hidden / heads, a quarter rotated",
        _hybrid(head_dim=48, hidden_size=96, partial_rotary_factor=0.25),
    ),
    "yarn": Preset(
        "YaRN with factor 4 beyond its original 128 positions",
        _hybrid(rope_scaling=_YARN, max_position_embeddings=512),
        tokens=200,
    ),
    "fp8": Preset(
        "FP8 E4M3 weights in 128x128 blocks with ragged edges",
        _hybrid(hidden_size=192, num_attention_heads=6, moe_intermediate_size=40, **_FP8),
        fp8=True,
    ),
    "f16": Preset("F16 weights", _hybrid(), dtype="F16"),
    "f32": Preset("F32 weights", _hybrid(), dtype="F32"),
    "long": Preset("333 tokens: five chunks and a rest", _hybrid(), tokens=333),
    "long2": Preset(
        "2 layers over 2,200 tokens: crosses two splits of 1,024",
        _hybrid(
            num_hidden_layers=2,
            layer_group_size=2,
            hidden_size=64,
            head_dim=16,
            intermediate_size=96,
            vocab_size=320,
        ),
        tokens=2200,
    ),
    "all_softmax": Preset("BailingMoeV2: every layer softmax", _softmax()),
    "rotary_dim": Preset(
        "BailingMoeV2 with rotary_dim instead of partial_rotary_factor",
        _softmax(partial_rotary_factor=..., rotary_dim=8),
    ),
    "mtp1": Preset(
        "BailingMoeV2 with one multi-token prediction layer",
        _softmax(num_nextn_predict_layers=1, num_hidden_layers=3),
    ),
    "softmax_yarn": Preset(
        "BailingMoeV2 with YaRN, key `type`",
        _softmax(
            num_hidden_layers=3,
            rope_scaling={"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 64},
            max_position_embeddings=128,
        ),
        tokens=128,
    ),
    "softmax_shared2": Preset(
        "BailingMoeV2 with two shared experts", _softmax(num_shared_experts=2, num_hidden_layers=3)
    ),
    "softmax256": Preset(
        "BailingMoeV2 with rows of 256, for the K formats of GGUF",
        _softmax(
            num_hidden_layers=2,
            hidden_size=256,
            intermediate_size=256,
            head_dim=64,
            moe_intermediate_size=256,
            num_experts=8,
        ),
    ),
    "llama": Preset("Llama with grouped queries and llama3 scaling", _llama(rope_scaling=_LLAMA3)),
    "llama_tied": Preset(
        "Llama with tied embeddings, no head_dim key, linear scaling",
        _llama(
            tie_word_embeddings=True,
            head_dim=...,
            rope_scaling=_scaling("linear", factor=2.0),
            num_key_value_heads=4,
        ),
    ),
    "llama256": Preset(
        "Llama with rows of 256, for the K formats of GGUF",
        _llama(hidden_size=256, intermediate_size=512, head_dim=64, num_hidden_layers=2),
    ),
    "qwen3": Preset("Qwen3 with a head_dim of its own", _qwen3(head_dim=48)),
    "qwen3_tied": Preset("Qwen3, tied", _qwen3(tie_word_embeddings=True, num_hidden_layers=2)),
}


def random_preset(seed):
    """A preset drawn at random: every choice that keeps the model well defined."""
    rng = np.random.default_rng(seed)

    def pick(*values):
        return values[rng.integers(len(values))]

    kv_heads, per_group = pick(1, 2, 3), pick(1, 2, 3, 4)
    heads, head_dim = kv_heads * per_group, pick(8, 16, 20, 24, 32, 64)
    shape = {
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "hidden_size": pick(40, 64, 72, 100, 128, 200),
        "intermediate_size": pick(33, 64, 130, 256),
        "vocab_size": int(rng.integers(100, 700)),
        "num_hidden_layers": int(rng.integers(1, 12)),
        "rope_theta": pick(10000.0, 600000, 1000000),
    }
    if pick(0, 1, 2) == 0:
        return Preset("random", pick(_llama, _qwen3)(**shape), dtype=pick("BF16", "F16", "F32"))
    groups, per_group, top_groups = pick(1, 2, 4), pick(2, 3, 8), 1
    if groups > 1:
        top_groups = int(rng.integers(1, groups))
    shape.update(
        n_group=groups,
        topk_group=top_groups,
        num_experts=groups * per_group,
        num_experts_per_tok=int(rng.integers(1, top_groups * per_group + 1)),
        moe_intermediate_size=pick(16, 24, 50),
        num_shared_experts=pick(0, 1, 2),
        first_k_dense_replace=pick(0, 1, 2),
        partial_rotary_factor=pick(0.5, 1.0),
        routed_scaling_factor=pick(1.0, 2.5),
        norm_topk_prob=pick(True, False),
    )
    shape["first_k_dense_replace"] = min(shape["first_k_dense_replace"], shape["num_hidden_layers"])
    if pick(0, 1, 2) == 0:
        return Preset("random", _softmax(**shape))
    shape["layer_group_size"] = int(rng.integers(2, 9))
    shape["group_norm_size"] = pick(1, heads)
    return Preset("random", _hybrid(**shape), shards=pick(1, 2))
