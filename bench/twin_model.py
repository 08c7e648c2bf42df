"""The models of train_twin.py in eager PyTorch 2: a hybrid read from config.json, and a dense GPT.

Written to be a peer worth beating: lightning attention in batched chunk form (no loop over tokens),
softmax attention through scaled_dot_product_attention, experts on rows gathered once by
index_select, gate and up projections fused, rows flat so that every linear layer is one product.
"""

import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools/reference"))

import forward as reference  # noqa: E402
import model_config  # noqa: E402
import safetensors_io  # noqa: E402


def rms(x, weight, eps):
    """RMSNorm over the last axis; vecdot reads x once and keeps no square of it."""
    mean = torch.linalg.vecdot(x, x).unsqueeze(-1) / x.shape[-1]
    return x * torch.rsqrt(mean + eps) * weight


class GroupedLinear(torch.autograd.Function):
    """Rows in blocks by expert times that expert's matrix; every product writes its place at once."""

    @staticmethod
    def forward(ctx, x, weight, counts):
        ctx.save_for_backward(x, weight)
        ctx.counts = counts
        out = x.new_empty(len(x), weight.shape[1])
        for a, w, y in zip(x.split(counts), weight, out.split(counts)):
            torch.mm(a, w.t(), out=y)
        return out

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad, dx, dw = grad.contiguous(), torch.empty_like(x), torch.empty_like(weight)
        parts = zip(*(t.split(ctx.counts) for t in (x, grad, dx)), weight, dw)
        for a, dy, da, w, dweight in parts:
            torch.mm(dy, w, out=da)
            torch.mm(dy.t(), a, out=dweight)
        return dx, dw, None


def grouped_custom(x, weight, counts):
    return GroupedLinear.apply(x, weight, counts)


def grouped_loop(x, weight, counts):
    return torch.cat([F.linear(a, w) for a, w in zip(x.split(counts), weight.unbind())])


def grouped_builtin(x, weight, counts):
    ends = torch.tensor(counts).cumsum(0).to(torch.int32)
    return F.grouped_mm(x, weight.transpose(1, 2), offs=ends)


EXPERT_FORMS = {"custom": grouped_custom, "loop": grouped_loop}
if hasattr(F, "grouped_mm"):
    EXPERT_FORMS["grouped_mm"] = grouped_builtin


class Experts(nn.Module):
    """Grouped sigmoid routing; `form` is a name of EXPERT_FORMS."""

    def __init__(self, config, weights, prefix):
        super().__init__()
        self.moe = moe = config.moe
        self.form = "custom"

        def stacked(name):
            return [weights[f"{prefix}experts.{e}.{name}_proj.weight"] for e in range(moe.experts)]

        self.router = nn.Parameter(weights[prefix + "gate.weight"])
        pairs = zip(stacked("gate"), stacked("up"))
        self.gate_up = nn.Parameter(torch.stack([torch.cat(pair) for pair in pairs]))
        self.down = nn.Parameter(torch.stack(stacked("down")))
        bias = weights[prefix + "gate.expert_bias"] if moe.has_bias else torch.zeros(moe.experts)
        self.bias = nn.Buffer(bias, persistent=False)
        self.shared = SwiGlu(weights, prefix + "shared_experts.") if moe.has_shared else None

    def route(self, x):
        moe = self.moe
        with torch.autocast("cpu", enabled=False):
            scores = torch.sigmoid(F.linear(x.float(), self.router.float()))
        with torch.no_grad():
            biased = (scores + self.bias.float()).view(len(x), moe.groups, -1)
            best = biased.topk(2, dim=-1).values.sum(-1) if biased.shape[-1] > 1 else biased[..., 0]
            kept = best.topk(moe.top_groups, dim=-1).indices
            allowed = torch.full_like(best, -math.inf).scatter_(1, kept, 0.0).unsqueeze(-1)
            ids = (biased + allowed).flatten(1).topk(moe.top_k, dim=-1).indices
        weights = scores.gather(1, ids)
        if moe.normalize:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        return ids, weights * moe.scale

    def forward(self, x):
        ids, weights = self.route(x)
        order = ids.flatten().argsort()
        counts = ids.flatten().bincount(minlength=self.moe.experts).tolist()
        back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))
        grouped = EXPERT_FORMS[self.form]
        rows = compute(x).index_select(0, order // self.moe.top_k)
        gate, up = grouped(rows, compute(self.gate_up), counts).chunk(2, dim=-1)
        rows = grouped(F.silu(gate) * up, compute(self.down), counts)
        rows = rows.index_select(0, back).view(len(x), self.moe.top_k, -1)
        out = torch.bmm(weights.to(rows.dtype).unsqueeze(1), rows).squeeze(1)
        return out if self.shared is None else out + self.shared(x)


def compute(x):
    """What autocast would do to the operand of a product, for functions that it does not know."""
    return x.bfloat16() if torch.is_autocast_enabled("cpu") else x


class SwiGlu(nn.Module):
    def __init__(self, weights, prefix):
        super().__init__()
        pair = [weights[f"{prefix}{name}_proj.weight"] for name in ("gate", "up")]
        self.gate_up = nn.Parameter(torch.cat(pair))
        self.down = nn.Parameter(weights[prefix + "down_proj.weight"])

    def forward(self, x):
        gate, up = F.linear(x, self.gate_up).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, self.down)


class Attention(nn.Module):
    """Norm of queries and keys and partial rotation, common to both kinds of layers."""

    def __init__(self, config, weights, prefix, kv_heads):
        super().__init__()
        self.config, self.kv_heads = config, kv_heads
        self.qkv = nn.Parameter(weights[prefix + "query_key_value.weight"])
        self.out = nn.Parameter(weights[prefix + "dense.weight"])
        self.q_norm = nn.Parameter(weights[prefix + "query_layernorm.weight"])
        self.k_norm = nn.Parameter(weights[prefix + "key_layernorm.weight"])

    def project(self, u, batch, table):
        """q, k [B, T, H or Hk, D], normed and rotated, and v."""
        c, kv = self.config, self.kv_heads
        rows = F.linear(u, self.qkv).view(batch, -1, c.heads + 2 * kv, c.head_dim)
        qk, v = rows.split([c.heads + kv, kv], dim=2)
        weight = torch.cat([self.q_norm.expand(c.heads, -1), self.k_norm.expand(kv, -1)])
        qk = rms(qk, weight, c.eps)
        half = c.rotary_dim // 2
        first, second, rest = qk.split([half, half, c.head_dim - 2 * half], dim=-1)
        cos, sin = (t.to(qk.dtype) for t in table)
        turned = [first * cos - second * sin, second * cos + first * sin, rest]
        return *torch.cat(turned, dim=-1).split([c.heads, kv], dim=2), v


class SoftmaxAttention(Attention):
    def __init__(self, config, weights, prefix):
        super().__init__(config, weights, prefix, config.kv_heads)

    def forward(self, u, batch, table):
        q, k, v = self.project(u, batch, table)
        copies = self.config.heads // self.kv_heads
        if copies > 1:
            k, v = (t.repeat_interleave(copies, dim=2) for t in (k, v))
        q, k, v = (compute(t).transpose(1, 2) for t in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return F.linear(mixed.transpose(1, 2).reshape(len(u), -1), self.out)


class DecayTables:
    """Powers of one layer's decays for chunks of C tokens, [H, ...], with q's scale folded in."""

    def __init__(self, decay, dim, chunk, chunks, dtype):
        decay = torch.from_numpy(decay)  # float64

        def causal_powers(base, count, shift):
            gap = torch.arange(count)[:, None] - torch.arange(count)[None, :] - shift
            return torch.where(gap >= 0, base[:, None, None] ** gap.clamp(min=0), 0.0)

        i = torch.arange(chunk)
        self.inner = (causal_powers(decay, chunk, 0) * dim**-0.5).to(dtype).unsqueeze(1)
        self.query = (decay[:, None] ** (i + 1) * dim**-0.5).to(dtype)[:, None, :, None]
        self.key = (decay[:, None] ** (chunk - 1 - i)).to(dtype)[:, None, :, None]
        # The state before chunk i is a sum over earlier chunks: one small triangular product.
        self.scan = causal_powers(decay**chunk, chunks, 1).float()


class LightningAttention(Attention):
    """S_t = decay S_{t-1} + k_t v_t', o_t = d^-1/2 q_t S_t, all chunks at once."""

    def __init__(self, config, weights, prefix, layer):
        super().__init__(config, weights, prefix, config.heads)
        self.gate = nn.Parameter(weights[prefix + "g_proj.weight"])
        self.g_norm = nn.Parameter(weights[prefix + "g_norm.weight"])
        self.decay = reference.decays(config.heads, layer, config.layers, config.decay)
        self.chunk = 64
        self.tables = {}

    def mix(self, q, k, v):
        """[B, T, H, D] each; T a multiple of the chunk."""
        batch, tokens, heads, dim = q.shape
        chunks = tokens // self.chunk

        def split(x):
            return compute(x).transpose(1, 2).reshape(batch, heads, chunks, self.chunk, dim)

        q, k, v = split(q), split(k), split(v)
        key = (self.chunk, chunks, q.dtype)
        if key not in self.tables:
            self.tables[key] = DecayTables(self.decay, dim, *key)
        t = self.tables[key]
        added = torch.matmul((k * t.key).transpose(-1, -2), v)
        with torch.autocast("cpu", enabled=False):  # the state is fp32, as in the engine
            state = torch.matmul(t.scan, added.flatten(3).float()).view_as(added).to(q.dtype)
        scores = torch.matmul(q, k.transpose(-1, -2)) * t.inner
        out = torch.matmul(scores, v) + torch.matmul(q * t.query, state)
        return out.view(batch, heads, tokens, dim).transpose(1, 2)

    def forward(self, u, batch, table):
        q, k, v = self.project(u, batch, table)
        tokens, c = q.shape[1], self.config
        missing = -tokens % self.chunk
        if missing:  # zero keys and values at the end change no earlier row
            q, k, v = (F.pad(t, (0, 0, 0, 0, 0, missing)) for t in (q, k, v))
        mixed = self.mix(q, k, v)[:, :tokens].reshape(len(u), c.norm_groups, -1)
        mixed = rms(mixed, self.g_norm.view(c.norm_groups, -1), c.eps).flatten(1)
        return F.linear(mixed * torch.sigmoid(F.linear(u, self.gate)), self.out)


class Layer(nn.Module):
    def __init__(self, config, weights, index):
        super().__init__()
        prefix, self.eps = f"model.layers.{index}.", config.eps
        self.norm_in = nn.Parameter(weights[prefix + "input_layernorm.weight"])
        self.norm_post = nn.Parameter(weights[prefix + "post_attention_layernorm.weight"])
        if config.softmax_layer[index]:
            self.mixer = SoftmaxAttention(config, weights, prefix + "attention.")
        else:
            self.mixer = LightningAttention(config, weights, prefix + "attention.", index)
        if config.moe_layer[index]:
            self.mlp = Experts(config, weights, prefix + "mlp.")
        else:
            self.mlp = SwiGlu(weights, prefix + "mlp.")

    def forward(self, x, batch, table):
        x = x + self.mixer(rms(x, self.norm_in, self.eps), batch, table)
        return x + self.mlp(rms(x, self.norm_post, self.eps))


class RandomWeights:
    """For a directory without a checkpoint: near-normal matrices, norms of one, biases of zero."""

    def __init__(self, raw, config):
        self.raw, self.config = raw, config

    def shape(self, name):
        raw, c = self.raw, self.config
        hidden, wide = c.hidden, c.heads * c.head_dim
        routed = ".experts." in name
        inner = raw["moe_intermediate_size" if routed else "intermediate_size"]
        if ".shared_experts." in name:
            inner = raw["moe_intermediate_size"] * raw["num_shared_experts"]
        layer = int(name.split(".")[2]) if ".layers." in name else 0
        kv = c.kv_heads if c.softmax_layer[layer] else c.heads
        endings = {
            "word_embeddings.weight": (raw["vocab_size"], hidden),
            "lm_head.weight": (raw["vocab_size"], hidden),
            "query_key_value.weight": ((c.heads + 2 * kv) * c.head_dim, hidden),
            "attention.dense.weight": (hidden, wide),
            "g_proj.weight": (wide, hidden),
            "g_norm.weight": (wide,),
            "query_layernorm.weight": (c.head_dim,),
            "key_layernorm.weight": (c.head_dim,),
            "mlp.gate.weight": (raw.get("num_experts"), hidden),
            "expert_bias": (raw.get("num_experts"),),
            "down_proj.weight": (hidden, inner),
            "gate_proj.weight": (inner, hidden),
            "up_proj.weight": (inner, hidden),
        }
        return next((v for k, v in endings.items() if name.endswith(k)), (hidden,))

    def __getitem__(self, name):
        shape = self.shape(name)
        if len(shape) == 1:
            return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
        return torch.randn(shape) / shape[1] ** 0.5


class StoredWeights:
    def __init__(self, directory):
        self.stored = safetensors_io.Checkpoint(directory)

    def __getitem__(self, name):
        if name.endswith("expert_bias") and name not in self.stored:
            name = name.replace("expert_bias", "e_score_correction_bias")
        return torch.from_numpy(self.stored[name]).float()


class Hybrid(nn.Module):
    """A model of the Bailing family from the directory's config.json and, if there, its weights."""

    def __init__(self, directory):
        super().__init__()
        raw = json.loads((Path(directory) / "config.json").read_text())
        self.config = c = model_config.parse(raw)
        if c.family != "bailing":
            raise SystemExit(f"{directory}: found {c.architecture}, expected a Bailing model")
        stored = any(Path(directory).glob("*.safetensors"))
        weights = StoredWeights(directory) if stored else RandomWeights(raw, c)
        self.vocabulary = raw["vocab_size"]
        self.embedding = nn.Parameter(weights["model.word_embeddings.weight"])
        self.head = self.embedding if c.tied else nn.Parameter(weights["lm_head.weight"])
        self.layers = nn.ModuleList(Layer(c, weights, i) for i in range(c.layers))
        self.norm = nn.Parameter(weights["model.norm.weight"])
        self.angles = {}

    def table(self, tokens):
        """cos and sin [T, 1, rotary / 2]."""
        if tokens not in self.angles:
            c = self.config
            angle = torch.arange(tokens).double()[:, None, None] * torch.from_numpy(c.inv_freq)
            self.angles[tokens] = tuple(
                (f(angle) * c.rope_scale).float() for f in (torch.cos, torch.sin)
            )
        return self.angles[tokens]

    def logits(self, tokens):
        """[B * T, V] for ids [B, T]."""
        batch, length = tokens.shape
        x, table = F.embedding(tokens.flatten(), self.embedding), self.table(length)
        for layer in self.layers:
            x = layer(x, batch, table)
        return F.linear(rms(x, self.norm, self.config.eps), self.head)

    def forward(self, tokens, labels):
        return F.cross_entropy(self.logits(tokens).float(), labels.flatten())


class DenseLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_in, self.norm_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        rows = self.qkv(self.norm_in(x)).view(batch, tokens, 3, self.heads, -1)
        q, k, v = rows.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm_post(x)), approximate="tanh"))


class DenseGpt(nn.Module):
    """GPT-2 in small: 6 layers of 512, 8 heads, GELU of 2,048, a tied vocabulary of 8,192."""

    def __init__(self, width=512, layers=6, heads=8, vocabulary=8192, positions=256):
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = nn.Parameter(torch.randn(vocabulary, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(positions, width) * 0.02)
        self.layers = nn.Sequential(*(DenseLayer(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens, labels):
        x = F.embedding(tokens, self.embedding) + self.positions[: tokens.shape[1]]
        logits = F.linear(self.norm(self.layers(x)), self.embedding)
        return F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())
