"""The GGUF weight formats: decoding, and simple encoders for making test files.

decode(name, bytes, count) follows the published block layouts. The encoders aim at valid blocks
that use every field, not at the smallest error. A format packs `block` consecutive values of a row
into `size` bytes.
"""

import numpy as np

from safetensors_io import bf16_to_float, float_to_bf16

# name -> (type code in the file, values per block, bytes per block)
FORMATS = {
    "F32": (0, 1, 4),
    "F16": (1, 1, 2),
    "Q4_0": (2, 32, 18),
    "Q4_1": (3, 32, 20),
    "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24),
    "Q8_0": (8, 32, 34),
    "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176),
    "Q6_K": (14, 256, 210),
    "BF16": (30, 1, 2),
}
NAMES = {code: name for name, (code, _, _) in FORMATS.items()}


def _half(raw):
    """Two bytes per row -> float64 column."""
    return np.ascontiguousarray(raw).view("<f2").astype(np.float64)


def _half_bytes(column):
    return np.asarray(column, dtype="<f2").reshape(-1, 1).view(np.uint8)


def _nibbles(raw):
    """[n, b] bytes -> [n, 2b]: all low nibbles, then all high ones."""
    return np.concatenate([raw & 15, raw >> 4], axis=1)


def _pack_nibbles(q):
    half = q.shape[1] // 2
    return (q[:, :half] | (q[:, half:] << 4)).astype(np.uint8)


def _fifth_bits(raw):
    """Four bytes, little endian -> 32 bits per row, shifted to weight 16."""
    return np.unpackbits(np.ascontiguousarray(raw), axis=1, bitorder="little") << 4


# ---- 32-value formats ----


def _decode_q4_0(b):
    return _half(b[:, :2]) * (_nibbles(b[:, 2:]) - 8.0)


def _decode_q4_1(b):
    return _half(b[:, :2]) * _nibbles(b[:, 4:]) + _half(b[:, 2:4])


def _decode_q5_0(b):
    return _half(b[:, :2]) * ((_nibbles(b[:, 6:]) | _fifth_bits(b[:, 2:6])) - 16.0)


def _decode_q5_1(b):
    return _half(b[:, :2]) * (_nibbles(b[:, 8:]) | _fifth_bits(b[:, 4:8])) + _half(b[:, 2:4])


def _decode_q8_0(b):
    return _half(b[:, :2]) * np.ascontiguousarray(b[:, 2:]).view(np.int8)


def _safe_inverse(scale):
    return np.where(scale == 0, 0.0, 1.0 / np.where(scale == 0, 1.0, scale))


def _stored_half(x):
    return np.asarray(x, dtype="<f2").astype(np.float64)


def _symmetric(x, levels):
    """Scale so that the value of largest magnitude becomes -levels/2."""
    extreme = np.take_along_axis(x, np.abs(x).argmax(axis=1)[:, None], axis=1)
    scale = _stored_half(extreme / (-levels / 2))
    q = np.clip(np.rint(x * _safe_inverse(scale)) + levels // 2, 0, levels - 1)
    return scale, q.astype(np.uint8)


def _affine(x, levels):
    low = _stored_half(x.min(axis=1, keepdims=True))
    scale = _stored_half((x.max(axis=1, keepdims=True) - low) / (levels - 1))
    q = np.clip(np.rint((x - low) * _safe_inverse(scale)), 0, levels - 1)
    return scale, low, q.astype(np.uint8)


def _high_bits(q):
    return np.packbits(q >> 4, axis=1, bitorder="little")


def _encode_q4_0(x):
    scale, q = _symmetric(x, 16)
    return np.concatenate([_half_bytes(scale), _pack_nibbles(q)], axis=1)


def _encode_q4_1(x):
    scale, low, q = _affine(x, 16)
    return np.concatenate([_half_bytes(scale), _half_bytes(low), _pack_nibbles(q)], axis=1)


def _encode_q5_0(x):
    scale, q = _symmetric(x, 32)
    return np.concatenate([_half_bytes(scale), _high_bits(q), _pack_nibbles(q & 15)], axis=1)


def _encode_q5_1(x):
    scale, low, q = _affine(x, 32)
    head = [_half_bytes(scale), _half_bytes(low)]
    return np.concatenate(head + [_high_bits(q), _pack_nibbles(q & 15)], axis=1)


def _encode_q8_0(x):
    scale = _stored_half(np.abs(x).max(axis=1, keepdims=True) / 127)
    q = np.clip(np.rint(x * _safe_inverse(scale)), -127, 127).astype(np.int8)
    return np.concatenate([_half_bytes(scale), q.view(np.uint8)], axis=1)


# ---- 256-value formats ----


def _unpack_scales(raw):
    """Twelve bytes -> eight 6-bit scales and eight 6-bit minima."""
    first, second, third = raw[:, 0:4], raw[:, 4:8], raw[:, 8:12]
    scales = np.concatenate([first & 63, (third & 15) | ((first >> 6) << 4)], axis=1)
    minima = np.concatenate([second & 63, (third >> 4) | ((second >> 6) << 4)], axis=1)
    return scales.astype(np.float64), minima.astype(np.float64)


def _pack_scales(scales, minima):
    first = (scales[:, :4] & 63) | ((scales[:, 4:] >> 4) << 6)
    second = (minima[:, :4] & 63) | ((minima[:, 4:] >> 4) << 6)
    third = (scales[:, 4:] & 15) | ((minima[:, 4:] & 15) << 4)
    return np.concatenate([first, second, third], axis=1).astype(np.uint8)


def _sub_block_nibbles(raw):
    """128 bytes -> [n, 8, 32]: each 32 bytes hold one sub-block low and the next one high."""
    pairs = raw.reshape(len(raw), 4, 32)
    return np.stack([pairs & 15, pairs >> 4], axis=2).reshape(len(raw), 8, 32)


def _pack_sub_block_nibbles(q):
    pairs = q.reshape(len(q), 4, 2, 32)
    return (pairs[:, :, 0] | (pairs[:, :, 1] << 4)).reshape(len(q), 128).astype(np.uint8)


def _scaled_sub_blocks(b, q):
    scales, minima = _unpack_scales(b[:, 4:16])
    scale = _half(b[:, :2]) * scales
    low = _half(b[:, 2:4]) * minima
    return (scale[:, :, None] * q - low[:, :, None]).reshape(len(b), 256)


def _decode_q4_k(b):
    return _scaled_sub_blocks(b, _sub_block_nibbles(b[:, 16:]))


def _decode_q5_k(b):
    high = (b[:, None, 16:48] >> np.arange(8, dtype=np.uint8)[None, :, None]) & 1
    return _scaled_sub_blocks(b, _sub_block_nibbles(b[:, 48:]) | (high << 4))


def _decode_q6_k(b):
    low = b[:, :128].reshape(-1, 2, 2, 32)
    low = np.concatenate([low & 15, low >> 4], axis=2)  # [n, half, quarter, 32]
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[None, None, :, None]
    high = (b[:, 128:192].reshape(-1, 2, 1, 32) >> shifts) & 3
    q = (low | (high << 4)).astype(np.float64) - 32
    scales = np.ascontiguousarray(b[:, 192:208]).view(np.int8).astype(np.float64)
    scaled = q.reshape(len(b), 16, 16) * scales[:, :, None]
    return _half(b[:, 208:210]) * scaled.reshape(len(b), 256)


def _k_parameters(x, levels):
    """Quantized scales and minima of eight sub-blocks, and the codes they give."""
    sub = x.reshape(len(x), 8, 32)
    low = np.maximum(-sub.min(axis=2), 0)
    scale = np.maximum((sub.max(axis=2) + low) / (levels - 1), 1e-12)
    d = _stored_half(scale.max(axis=1, keepdims=True) / 63)
    dmin = _stored_half(low.max(axis=1, keepdims=True) / 63)
    scales = np.clip(np.rint(scale * _safe_inverse(d)), 1, 63).astype(np.uint8)
    minima = np.clip(np.rint(low * _safe_inverse(dmin)), 0, 63).astype(np.uint8)
    step = _safe_inverse(d * scales)[:, :, None]
    q = np.clip(np.rint((sub + (dmin * minima)[:, :, None]) * step), 0, levels - 1)
    head = [_half_bytes(d), _half_bytes(dmin), _pack_scales(scales, minima)]
    return head, q.astype(np.uint8)


def _encode_q4_k(x):
    head, q = _k_parameters(x, 16)
    return np.concatenate(head + [_pack_sub_block_nibbles(q)], axis=1)


def _encode_q5_k(x):
    head, q = _k_parameters(x, 32)
    weights = (1 << np.arange(8)).astype(np.uint8)[None, :, None]
    high = ((q >> 4) * weights).sum(axis=1).astype(np.uint8)
    return np.concatenate(head + [high, _pack_sub_block_nibbles(q & 15)], axis=1)


def _encode_q6_k(x):
    sub = x.reshape(len(x), 16, 16)
    extreme = np.take_along_axis(sub, np.abs(sub).argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    scale = extreme / -32  # signed, so that negative stored scales occur
    d = _stored_half(np.abs(scale).max(axis=1, keepdims=True) / 127)
    scales = np.clip(np.rint(scale * _safe_inverse(d)), -127, 127)
    step = _safe_inverse(d * scales)[:, :, None]
    q = np.clip(np.rint(sub * step) + 32, 0, 63).astype(np.uint8).reshape(len(x), 2, 4, 32)
    low = (q[:, :, :2] & 15) | ((q[:, :, 2:] & 15) << 4)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[None, None, :, None]
    high = ((q >> 4) << shifts).sum(axis=2).astype(np.uint8)
    parts = [low.reshape(-1, 128), high.reshape(-1, 64), scales.astype(np.int8).view(np.uint8)]
    return np.concatenate(parts + [_half_bytes(d)], axis=1)


_DECODERS = {
    "Q4_0": _decode_q4_0,
    "Q4_1": _decode_q4_1,
    "Q5_0": _decode_q5_0,
    "Q5_1": _decode_q5_1,
    "Q8_0": _decode_q8_0,
    "Q4_K": _decode_q4_k,
    "Q5_K": _decode_q5_k,
    "Q6_K": _decode_q6_k,
}
_ENCODERS = {
    "Q4_0": _encode_q4_0,
    "Q4_1": _encode_q4_1,
    "Q5_0": _encode_q5_0,
    "Q5_1": _encode_q5_1,
    "Q8_0": _encode_q8_0,
    "Q4_K": _encode_q4_k,
    "Q5_K": _encode_q5_k,
    "Q6_K": _encode_q6_k,
}


def byte_count(name, count):
    _, block, size = FORMATS[name]
    return count // block * size


def decode(name, raw, shape):
    """float64 array of `shape` from the bytes of a tensor; rows are the last dimension."""
    raw = np.frombuffer(raw, dtype=np.uint8)
    if name == "BF16":
        return bf16_to_float(raw.view("<u2")).reshape(shape)
    if name in ("F32", "F16"):
        return raw.view("<f4" if name == "F32" else "<f2").astype(np.float64).reshape(shape)
    return _DECODERS[name](raw.reshape(-1, FORMATS[name][2])).reshape(shape)


def encode(name, values):
    """The bytes of a tensor whose last dimension is a multiple of the block."""
    if name == "BF16":
        return float_to_bf16(values).tobytes()
    if name in ("F32", "F16"):
        return np.asarray(values, dtype="<f4" if name == "F32" else "<f2").tobytes()
    blocks = np.asarray(values, dtype=np.float64).reshape(-1, FORMATS[name][1])
    return _ENCODERS[name](blocks).tobytes()
