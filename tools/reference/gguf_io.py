"""Reading and writing GGUF files, and presenting one under Hugging Face names."""

import re
import struct

import numpy as np

import ggml_blocks
import model_config

ALIGNMENT = 32
# Value types of metadata as struct codes.
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd"))
_STRING, _ARRAY = 8, 9
_UINT32, _FLOAT32, _BOOL = 4, 6, 7

HF_ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "bailingmoe2": "BailingMoeV2ForCausalLM",
}

# Hugging Face name inside "model.layers.N." -> GGUF name inside "blk.N.".
_LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "attention.query_key_value.weight": "attn_qkv.weight",
    "attention.dense.weight": "attn_output.weight",
    "attention.query_layernorm.weight": "attn_q_norm.weight",
    "attention.key_layernorm.weight": "attn_k_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "mlp.gate.weight": "ffn_gate_inp.weight",
    "mlp.gate.expert_bias": "exp_probs_b.bias",
    "mlp.shared_experts.gate_proj.weight": "ffn_gate_shexp.weight",
    "mlp.shared_experts.up_proj.weight": "ffn_up_shexp.weight",
    "mlp.shared_experts.down_proj.weight": "ffn_down_shexp.weight",
    "enorm.weight": "nextn.enorm.weight",
    "hnorm.weight": "nextn.hnorm.weight",
    "eh_proj.weight": "nextn.eh_proj.weight",
    "final_layernorm.weight": "layer_output_norm.weight",
}
_TOP_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.word_embeddings.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def gguf_name(name):
    """(GGUF name, expert or None) of a Hugging Face tensor; None when there is no counterpart."""
    if name in _TOP_NAMES:
        return _TOP_NAMES[name], None
    match = re.fullmatch(r"model\.layers\.(\d+)\.(.*)", name)
    if not match:
        return None
    layer, rest = match.groups()
    expert = re.fullmatch(r"mlp\.experts\.(\d+)\.(gate|up|down)_proj\.weight", rest)
    if expert:
        return f"blk.{layer}.ffn_{expert[2]}_exps.weight", int(expert[1])
    return (f"blk.{layer}.{_LAYER_NAMES[rest]}", None) if rest in _LAYER_NAMES else None


def interleave_rows(weight, heads):
    """Row order of llama's q and k: the two halves of a head become even and odd rows."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def deinterleave_rows(weight, heads):
    return weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def _write_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _write_value(value):
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    return struct.pack("<I", _STRING) + _write_string(value)


def write(path, metadata, tensors, version=3):
    """tensors: {name: (format name, float array)}; metadata values: bool, int, float or str."""
    header = struct.pack("<4sIQQ", b"GGUF", version, len(tensors), len(metadata))
    for key, value in metadata.items():
        header += _write_string(key) + _write_value(value)
    offset, blobs = 0, []
    for name, (kind, values) in tensors.items():
        blob = ggml_blocks.encode(kind, values)
        dims = values.shape[::-1]
        header += _write_string(name) + struct.pack("<I", len(dims))
        header += struct.pack(f"<{len(dims)}Q", *dims)
        header += struct.pack("<IQ", ggml_blocks.FORMATS[kind][0], offset)
        blobs.append(blob + b"\0" * (-len(blob) % ALIGNMENT))
        offset += len(blobs[-1])
    with open(path, "wb") as out:
        out.write(header + b"\0" * (-len(header) % ALIGNMENT))
        for blob in blobs:
            out.write(blob)


class GgufFile:
    """Metadata and tensors of one file; tensor(name) decodes to float64."""

    def __init__(self, path):
        self._data = np.memmap(path, dtype=np.uint8, mode="r")
        self._at = 0
        magic, version, tensors, pairs = self._unpack("4sIQQ")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"{path}: not a GGUF file of version 2 or 3")
        self.metadata = {}
        for _ in range(pairs):
            key = self._string()
            self.metadata[key] = self._value(self._unpack("I")[0])
        self.tensors = {}  # name -> (format, shape outermost first, offset)
        for _ in range(tensors):
            name = self._string()
            (rank,) = self._unpack("I")
            shape = self._unpack(f"{rank}Q")[::-1]
            code, offset = self._unpack("IQ")
            self.tensors[name] = (ggml_blocks.NAMES[code], shape, offset)
        alignment = self.metadata.get("general.alignment", ALIGNMENT)
        self._base = -(-self._at // alignment) * alignment

    def _unpack(self, layout):
        size = struct.calcsize("<" + layout)
        values = struct.unpack("<" + layout, self._data[self._at : self._at + size].tobytes())
        self._at += size
        return values

    def _string(self):
        (size,) = self._unpack("Q")
        self._at += size
        return self._data[self._at - size : self._at].tobytes().decode("utf-8", "surrogateescape")

    def _value(self, kind):
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            element, count = self._unpack("IQ")
            if element == _STRING:
                return [self._string() for _ in range(count)]
            return list(self._unpack(f"{count}{_SCALARS[element]}"))
        return self._unpack(_SCALARS[kind])[0]

    def tensor(self, name):
        kind, shape, offset = self.tensors[name]
        begin = self._base + offset
        size = ggml_blocks.byte_count(kind, int(np.prod(shape)))
        return ggml_blocks.decode(kind, self._data[begin : begin + size].tobytes(), shape)

    def value(self, key, default=None):
        """A metadata value under the architecture's prefix."""
        return self.metadata.get(f"{self.metadata['general.architecture']}.{key}", default)


def _moe_config(file):
    return {
        "first_k_dense_replace": file.value("leading_dense_block_count", 0),
        "num_experts": file.value("expert_count"),
        "num_experts_per_tok": file.value("expert_used_count"),
        "n_group": file.value("expert_group_count", 1),
        "topk_group": file.value("expert_group_used_count", 1),
        "routed_scaling_factor": file.value("expert_weights_scale"),
        "norm_topk_prob": file.value("expert_weights_norm", False),
        "num_shared_experts": file.value("expert_shared_count", 0),
        "score_function": {1: "softmax", 2: "sigmoid"}[file.value("expert_gating_func")],
        "use_qk_norm": True,
    }


def parse_config(file):
    architecture = file.metadata["general.architecture"]
    mtp = file.value("nextn_predict_layers", 0)
    heads, hidden = file.value("attention.head_count"), file.value("embedding_length")
    config = {
        "architectures": [HF_ARCHITECTURES[architecture]],
        "hidden_size": hidden,
        "num_hidden_layers": file.value("block_count") - mtp,
        "num_nextn_predict_layers": mtp,
        "num_attention_heads": heads,
        "num_key_value_heads": file.value("attention.head_count_kv", heads),
        "head_dim": file.value("attention.key_length", hidden // heads),
        "rotary_dim": file.value("rope.dimension_count"),
        "rope_theta": file.value("rope.freq_base", 10000.0),
        "rms_norm_eps": file.value("attention.layer_norm_rms_epsilon"),
        "max_position_embeddings": file.value("context_length"),
        "tie_word_embeddings": "output.weight" not in file.tensors,
    }
    scaling = file.value("rope.scaling.type", "none")
    if scaling != "none":
        config["rope_scaling"] = {
            "rope_type": scaling,
            "factor": file.value("rope.scaling.factor"),
            "original_max_position_embeddings": file.value("rope.scaling.original_context_length"),
        }
    if architecture == "bailingmoe2":
        config.update(_moe_config(file))
    parsed = model_config.parse(config)
    if "rope_freqs.weight" in file.tensors:
        parsed.inv_freq = parsed.inv_freq / file.tensor("rope_freqs.weight")
    return parsed


class HuggingFaceView:
    """A GGUF file as a mapping from Hugging Face names to float64 arrays."""

    def __init__(self, file):
        self._file = file
        self._permuted = file.metadata["general.architecture"] == "llama"
        self._heads = file.value("attention.head_count")
        self._kv_heads = file.value("attention.head_count_kv", self._heads)
        self._experts = {}  # decoded expert tensors; each is asked for once per expert

    def __contains__(self, name):
        found = gguf_name(name)
        return found is not None and found[0] in self._file.tensors

    def __getitem__(self, name):
        stored, expert = gguf_name(name)
        if expert is not None:
            if stored not in self._experts:
                self._experts[stored] = self._file.tensor(stored)
            return self._experts[stored][expert]
        values = self._file.tensor(stored)
        if self._permuted and stored.endswith(("attn_q.weight", "attn_k.weight")):
            query = stored.endswith("attn_q.weight")
            return deinterleave_rows(values, self._heads if query else self._kv_heads)
        return values
