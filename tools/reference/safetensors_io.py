"""Reading and writing safetensors files with nothing but numpy.

Bit conversions of BF16 and FP8 E4M3 (the "fn" variant: no infinity, largest value 448) are our own,
so that this file shares no code with the program it checks. Tensors are returned as float64.
"""

import json
import os
import struct

import numpy as np

FP8_BLOCK = 128


def bf16_to_float(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def float_to_bf16(values):
    """Round to nearest even; NaN stays NaN."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16
    is_nan = (bits & 0x7FFFFFFF) > 0x7F800000
    return np.where(is_nan, (bits >> 16) | 0x40, rounded).astype(np.uint16)


def _f8_table():
    codes = np.arange(256)
    exponent = (codes >> 3) & 15
    mantissa = codes & 7
    magnitude = np.where(
        exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0)
    )
    magnitude[(codes & 127) == 127] = np.nan
    return np.where(codes >= 128, -magnitude, magnitude)


F8_VALUES = _f8_table()


def f8_to_float(codes):
    return F8_VALUES[codes]


def float_to_f8(values):
    """Round to nearest even, saturating at 448; NaN stays NaN."""
    values = np.asarray(values, dtype=np.float64)
    magnitude = np.minimum(np.abs(values), 448.0)
    nan = np.isnan(values)
    magnitude = np.where(nan, 0.0, magnitude)
    _, exponent = np.frexp(magnitude)  # magnitude = m * 2^exponent, m in [0.5, 1)
    step = 2.0 ** (np.maximum(exponent - 1, -6) - 3)
    rounded = np.minimum(np.rint(magnitude / step) * step, 448.0)
    codes = np.searchsorted(F8_VALUES[:127], rounded)
    codes = np.where(nan, 127, codes)
    return np.where(np.signbit(values), codes | 128, codes).astype(np.uint8)


def quantize_fp8(weight, power_of_two_scale=False):
    """Codes and scales of 128x128 blocks: weight = codes * scale (edge blocks are smaller)."""
    rows, cols = weight.shape
    grid = (-(-rows // FP8_BLOCK), -(-cols // FP8_BLOCK))
    padded = np.zeros((grid[0] * FP8_BLOCK, grid[1] * FP8_BLOCK))
    padded[:rows, :cols] = np.abs(weight)
    largest = padded.reshape(grid[0], FP8_BLOCK, grid[1], FP8_BLOCK).max(axis=(1, 3))
    scale = np.maximum(largest, 1e-4) / 448.0
    if power_of_two_scale:
        scale = 2.0 ** np.ceil(np.log2(scale))
    scale = scale.astype(np.float32)
    return float_to_f8(weight / expand_blocks(scale, weight.shape)), scale


def expand_blocks(scale, shape):
    """One multiplier per element from one per 128x128 block."""
    full = np.repeat(np.repeat(scale.astype(np.float64), FP8_BLOCK, 0), FP8_BLOCK, 1)
    return full[: shape[0], : shape[1]]


_DECODE = {
    "F64": (np.dtype("<f8"), lambda a: a.astype(np.float64)),
    "F32": (np.dtype("<f4"), lambda a: a.astype(np.float64)),
    "F16": (np.dtype("<f2"), lambda a: a.astype(np.float64)),
    "BF16": (np.dtype("<u2"), bf16_to_float),
    "F8_E4M3": (np.dtype("u1"), f8_to_float),
    "I32": (np.dtype("<i4"), lambda a: a.astype(np.float64)),
    "I64": (np.dtype("<i8"), lambda a: a.astype(np.float64)),
}
_ENCODE = {
    "F64": lambda a: np.asarray(a, dtype="<f8"),
    "F32": lambda a: np.asarray(a, dtype="<f4"),
    "F16": lambda a: np.asarray(a, dtype="<f2"),
    "BF16": float_to_bf16,
    "F8_E4M3": float_to_f8,
}


def unpack_integers(words, scale, shape):
    """compressed-tensors "pack-quantized": [rows, cols] values from words of 4-bit or 8-bit codes.

    The first code is in the lowest bits, half the range is added, and `scale` has one column for
    each group of columns.
    """
    rows, cols = shape
    bits = words.shape[1] * 32 // cols
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    codes = (words.view(np.uint32)[:, :, None] >> shifts) & (2**bits - 1)
    codes = codes.reshape(rows, cols).astype(np.float64) - 2 ** (bits - 1)
    return codes * np.repeat(scale, cols // scale.shape[1], axis=1)


class Stored:
    """A tensor already in stored form: its dtype name and its array of codes."""

    def __init__(self, dtype, codes):
        self.dtype = dtype
        self.codes = np.ascontiguousarray(codes)


def encode(values, dtype):
    return Stored(dtype, _ENCODE[dtype](values))


def decode(stored):
    return _DECODE[stored.dtype][1](stored.codes)


def save_file(path, tensors):
    """Writes {name: Stored}."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        size = tensor.codes.nbytes
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.codes.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            out.write(tensor.codes.tobytes())


def save_sharded(directory, tensors, shards):
    """Writes `shards` files and model.safetensors.index.json."""
    names = list(tensors)
    per_shard = -(-len(names) // shards)
    weight_map, total = {}, 0
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = {n: tensors[n] for n in names[shard * per_shard : (shard + 1) * per_shard]}
        save_file(os.path.join(directory, file), part)
        weight_map.update(dict.fromkeys(part, file))
        total += sum(t.codes.nbytes for t in part.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    with open(os.path.join(directory, "model.safetensors.index.json"), "w") as out:
        json.dump(index, out, indent=2)


class SafetensorsFile:
    """One mapped file; read(name) gives the stored tensor."""

    def __init__(self, path):
        with open(path, "rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            self._entries = json.loads(file.read(size))
        self._entries.pop("__metadata__", None)
        self._data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + size)

    def names(self):
        return list(self._entries)

    def read(self, name):
        entry = self._entries[name]
        begin, end = entry["data_offsets"]
        dtype = _DECODE[entry["dtype"]][0]
        codes = np.frombuffer(self._data[begin:end].tobytes(), dtype=dtype)
        return Stored(entry["dtype"], codes.reshape(entry["shape"]))


class Checkpoint:
    """Every tensor of a directory of safetensors files, in float64.

    Scales of FP8 blocks are applied on reading, and packed integers are one tensor ".weight".
    """

    def __init__(self, directory):
        self._files = {}
        self.used = set()
        paths = sorted(f for f in os.listdir(directory) if f.endswith(".safetensors"))
        if not paths:
            raise FileNotFoundError(f"{directory}: no *.safetensors file")
        for path in paths:
            file = SafetensorsFile(os.path.join(directory, path))
            self._files.update(dict.fromkeys(file.names(), file))

    def names(self):
        return list(self._files)

    def __contains__(self, name):
        return name in self._files or name + "_packed" in self._files

    def _read(self, name):
        self.used.add(name)
        return self._files[name].read(name)

    def __getitem__(self, name):
        if name + "_packed" in self._files:
            shape = self._read(name + "_shape").codes.tolist()
            scale = decode(self._read(name + "_scale"))
            return unpack_integers(self._read(name + "_packed").codes, scale, shape)
        values = decode(self._read(name))
        scale = name + "_scale_inv"
        if scale in self._files:
            values = values * expand_blocks(decode(self._read(scale)), values.shape)
        return values
