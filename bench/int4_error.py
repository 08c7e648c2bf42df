#!/usr/bin/env python3
"""The error that `ringlet quantize --dtype int4` leaves, by group size: of Gaussian and Laplace
values, and of the embedding of a GGUF model.

    bench/int4_error.py [--binary build/release/ringlet] [--model MODEL.gguf]

Every figure is what the command itself reports for a matrix that holds the values: root mean square
of the error over that of the values. Needs numpy.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools/reference"))
import gguf_io  # noqa: E402
import safetensors_io  # noqa: E402

GROUPS = (16, 32, 64, 128)
RANDOM_SHAPE = (4096, 1024)
MATRIX = "model.embed_tokens"


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout


def write_model(binary, directory, values):
    """A tiny Llama whose embedding, which is its head too, holds `values`."""
    run(binary, "new", "tiny-llama", directory, "--quiet")
    config = json.loads((directory / "config.json").read_text())
    hidden = values.shape[1]
    config |= {"hidden_size": hidden, "vocab_size": len(values), "num_hidden_layers": 1}
    (directory / "config.json").write_text(json.dumps(config))
    heads = config["num_attention_heads"] * config["head_dim"]
    kv_heads = config["num_key_value_heads"] * config["head_dim"]
    ffn = config["intermediate_size"]
    shapes = {"self_attn.q_proj": (heads, hidden), "self_attn.k_proj": (kv_heads, hidden),
              "self_attn.v_proj": (kv_heads, hidden), "self_attn.o_proj": (hidden, heads),
              "mlp.gate_proj": (ffn, hidden), "mlp.up_proj": (ffn, hidden),
              "mlp.down_proj": (hidden, ffn), "input_layernorm": (hidden,),
              "post_attention_layernorm": (hidden,)}
    tensors = {f"model.layers.0.{name}.weight": safetensors_io.encode(np.ones(shape), "BF16")
               for name, shape in shapes.items()}
    tensors["model.norm.weight"] = safetensors_io.encode(np.ones(hidden), "BF16")
    tensors[MATRIX + ".weight"] = safetensors_io.encode(values, "F32")
    safetensors_io.save_file(directory / "model.safetensors", tensors)


def error(binary, model, scratch, columns, group):
    """The figure as text; a group must divide a row."""
    if columns % group != 0:
        return "-"
    out = scratch / f"group-{group}"
    report = json.loads(run(binary, "quantize", model, out, "--dtype", "int4", "--group", group,
                            "--keep", MATRIX + "=int4", "--json", "--quiet"))
    (tensor,) = [t for t in report["tensors"] if t["name"] == MATRIX + ".weight"]
    return f"{100 * tensor['relative_error']:.2f}%"


def cases(model):
    """(name, values) of what is measured."""
    rng = np.random.default_rng(1)
    yield "Gaussian", rng.standard_normal(RANDOM_SHAPE)
    yield "Laplace", rng.laplace(size=RANDOM_SHAPE)
    if model:
        yield f"embedding of {model.name}", gguf_io.GgufFile(model).tensor("token_embd.weight")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=ROOT / "build/release/ringlet")
    parser.add_argument("--model", type=pathlib.Path)
    arguments = parser.parse_args()
    print("| values |" + "".join(f" groups of {group} |" for group in GROUPS))
    for name, values in cases(arguments.model):
        with tempfile.TemporaryDirectory() as scratch:
            scratch = pathlib.Path(scratch)
            write_model(arguments.binary, scratch / "model", values)
            errors = [error(arguments.binary, scratch / "model", scratch, values.shape[1], group)
                      for group in GROUPS]
        print(f"| {name} | {' | '.join(errors)} |", flush=True)


if __name__ == "__main__":
    main()
