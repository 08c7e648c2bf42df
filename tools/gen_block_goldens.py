"""Writes tests/data/gguf_blocks.json: blocks of every GGUF format with the values that the Python
package `gguf` (0.19.0, module gguf.quants) decodes them to. Codes and group scales are random bytes;
fp16 scales are random finite numbers, zeros and subnormals.

    python3 tools/gen_block_goldens.py > tests/data/gguf_blocks.json
"""

import json
import sys

import numpy as np
from gguf import GGMLQuantizationType
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

# Offsets of the fp16 numbers in a block.
HALVES = {
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q8_0": [0],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
}


def main():
    rng = np.random.default_rng(20260729)
    goldens = {}
    for name, halves in HALVES.items():
        kind = GGMLQuantizationType[name]
        elements, size = GGML_QUANT_SIZES[kind]
        count = 4 if elements == 256 else 12
        blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
        for offset in halves:
            scales = (rng.standard_normal(count) * 0.1).astype(np.float16)
            scales[0] = 0.0
            scales[1] = np.float16(-(2.0**-24))
            blocks[:, offset : offset + 2] = scales.view(np.uint8).reshape(count, 2)
        values = dequantize(blocks, kind).astype("<f4")
        goldens[name] = {"blocks": blocks.tobytes().hex(), "values": values.tobytes().hex()}
    json.dump(goldens, sys.stdout, indent=1)
    sys.stdout.write("\n")


main()
