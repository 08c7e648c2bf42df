#!/usr/bin/env python3
"""The llama.cpp side of compare_llama_cpp.py; runs in a Python that has llama-cpp-python.

    llama_cpp_peer.py speed MODEL TEXT --threads N --decode N     -> rates, as JSON
    llama_cpp_peer.py logprobs MODEL TEXT --threads N             -> token ids and log-probs, as JSON

Calls the C functions directly, so that no time of Python's wrapper is counted.
"""

import argparse
import ctypes
import json
import time

import llama_cpp
import numpy as np


class Peer:
    def __init__(self, model, threads, context, all_logits):
        self._llama = llama_cpp.Llama(model, n_ctx=context, n_batch=512, n_ubatch=512,
                                      n_threads=threads, n_threads_batch=threads,
                                      logits_all=all_logits, verbose=False)
        self._context = self._llama.ctx
        self.vocab = self._llama.n_vocab()

    def tokenize(self, text):
        return self._llama.tokenize(text, add_bos=False, special=False)

    def decode(self, tokens):
        """Appends tokens; returns the logits of the last one."""
        for begin in range(0, len(tokens), 512):
            piece = tokens[begin:begin + 512]
            array = (ctypes.c_int32 * len(piece))(*piece)
            batch = llama_cpp.llama_batch_get_one(array, len(piece))
            if llama_cpp.llama_decode(self._context, batch) != 0:
                raise RuntimeError("llama_decode failed")
        pointer = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.vocab,))

    def logprobs(self, tokens):
        self._llama.eval(tokens)
        scores = np.asarray(self._llama.scores[:len(tokens)], dtype=np.float64)
        shifted = scores - scores.max(axis=1, keepdims=True)
        rows = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return [None] + [float(rows[i, t]) for i, t in enumerate(tokens[1:])]


def measure_speed(arguments, text):
    peer = Peer(arguments.model, arguments.threads, 4096, False)
    tokens = peer.tokenize(text)
    begun = time.perf_counter()
    logits = peer.decode(tokens)
    prefilled = time.perf_counter()
    for _ in range(arguments.decode):
        logits = peer.decode([int(logits.argmax())])
    done = time.perf_counter()
    return {"prompt_tokens": len(tokens), "prefill": len(tokens) / (prefilled - begun),
            "decode": arguments.decode / (done - prefilled)}


def measure_logprobs(arguments, text):
    peer = Peer(arguments.model, arguments.threads, 4096, True)
    tokens = peer.tokenize(text)
    return {"tokens": tokens, "logprobs": peer.logprobs(tokens)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["speed", "logprobs"])
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--decode", type=int, default=128)
    arguments = parser.parse_args()
    with open(arguments.text, "rb") as stream:
        text = stream.read()
    run = measure_speed if arguments.mode == "speed" else measure_logprobs
    print(json.dumps(run(arguments, text)))


if __name__ == "__main__":
    main()
