#!/usr/bin/env python3
"""Many requests, a third of them broken or hostile: the server stays alive, right and small.

    tests/server/soak.py build/release/ringlet [--requests 20000] [--seed N] [--clients N] [--only FAULT]

Afterwards nothing runs or waits, no descriptor and no thread is left over, memory has stopped growing,
nobody saw a 5xx, and every good request got the answer that it gets from a quiet server.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import time

import faults
import serving
from serving import tiny_model

FAULT_SHARE = 0.3
SETTLE_SECONDS = 20
# What allocators keep: the growth from the middle of a soak to its end, whatever its length.
MAX_GROWTH = 24 << 20
# The address sanitizer keeps what was freed, up to 256 MiB unless told otherwise.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
MEMORY = 20 << 20
OPTIONS = ["--ctx", 4096, "--max-seqs", 8, "--max-queue", 4096, "--memory", MEMORY / 2**30,
           "--no-page"]
SERVER_ERROR = re.compile(rb'HTTP/1\.[01] 5\d\d |data: \{"error"')


def good_requests(generator):
    """(path, body) of requests with one answer each."""
    letters = "abcdef ,.\n"
    found = []
    for index in range(30):
        text = "".join(generator.choices(letters, k=generator.randint(1, 300)))
        sampling = {"max_tokens": generator.randint(1, 24), "seed": index, "temperature": 1}
        if index % 3 == 0:
            found.append(("/v1/chat/completions", sampling | {
                "messages": [{"role": "user", "content": text}], "logprobs": True,
                "top_logprobs": 2}))
        elif index % 5 == 1:
            found.append(("/v1/embeddings", {"input": text}))
        else:
            found.append(("/v1/completions", sampling | {"prompt": text, "logprobs": 2,
                                                         "stream": index % 2 == 0}))
    return found


def answer(server, path, body):
    """The part of an answer that is the same each time; None when the server is busy."""
    status, _, data = server.call("POST", path, body)
    if status == 429:
        return None
    if status != 200:
        raise AssertionError(f"a good request: {path}: {status}: {data[:300]!r}")
    if body.get("stream"):
        return serving.same_bytes(serving.join_chunks(serving.events(data))[0])
    found = json.loads(data)
    return serving.same_bytes(found.get("choices") or found["data"])


class Process:
    """What the system says of the server."""

    def __init__(self, pid):
        self.folder = pathlib.Path(f"/proc/{pid}")

    def descriptors(self):
        return len(os.listdir(self.folder / "fd"))

    def threads(self):
        return len(os.listdir(self.folder / "task"))

    def resident(self):
        return int(re.search(r"VmRSS:\s*(\d+)", (self.folder / "status").read_text())[1]) << 10


class Soak:
    def __init__(self, server, arguments):
        self.server = server
        self.process = Process(server.process.pid)
        self.arguments = arguments
        self.kinds = [f for f in faults.ALL if arguments.only in ("", f.__name__)]
        self.counts = collections.Counter()
        self.failures = []
        # Set aside for the states of answers, whether there are any or not.
        self.memory = server.metrics()["ringlet_sequence_memory_bytes"]
        self.good = good_requests(random.Random(arguments.seed))
        self.golden = [answer(server, path, body) for path, body in self.good]
        time.sleep(1.5)  # connections that have ended linger for a second
        self.descriptors = self.process.descriptors()
        self.threads = self.process.threads()

    def one(self, index):
        """One request, good or not; failures are collected."""
        generator = random.Random(self.arguments.seed * 1000003 + index)
        if generator.random() >= FAULT_SHARE:
            return self.good_one(generator.randrange(len(self.good)))
        fault = generator.choice(self.kinds)
        self.counts[fault.__name__] += 1
        try:
            data = fault(faults.Client(self.server.port, generator.random()))
            if data and SERVER_ERROR.search(data):
                raise AssertionError(f"the server's error: {data[:600]!r}")
        except ConnectionError:
            pass  # the server may close on whom it refuses
        except Exception as error:  # whatever it is, the soak goes on and tells at its end
            self.failures.append(f"{fault.__name__} ({index}): {type(error).__name__}: {error}")

    def good_one(self, number):
        self.counts["good"] += 1
        try:
            while (found := answer(self.server, *self.good[number])) is None:
                time.sleep(0.05)
            if found != self.golden[number]:
                self.failures.append(f"another answer to {self.good[number]}:\n{found}\n"
                                     f"{self.golden[number]}")
        except Exception as error:  # as above
            self.failures.append(f"good: {type(error).__name__}: {error}")

    def run(self):
        """The requests in two halves; returns the resident bytes after each."""
        sizes = []
        count = self.arguments.requests
        with concurrent.futures.ThreadPoolExecutor(self.arguments.clients) as pool:
            for part in (range(count // 2), range(count // 2, count)):
                list(pool.map(self.one, part))
                sizes.append(self.process.resident())
        return sizes

    def settle(self, what, wanted):
        """Waits until what() is `wanted`; connections of clients that left end within seconds."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := what()) != wanted:
            if time.monotonic() > deadline:
                self.failures.append(f"{what.__name__}: found {found}, expected {wanted}")
                return
            time.sleep(0.05)

    def check(self, reuse):
        metrics = self.server.wait_until_idle()
        self.settle(self.process.descriptors, self.descriptors)
        self.settle(self.process.threads, self.threads)
        for number in range(len(self.good)):
            self.good_one(number)
        metrics = self.server.wait_until_idle()
        more = metrics["ringlet_sequence_memory_bytes"] - self.memory
        kept = metrics["ringlet_prefix_cache_tokens"]
        if more < 0 or self.memory + more > MEMORY or (more > 0) != (kept > 0) or (
                kept > 0 and not reuse):
            self.failures.append(f"{more:.0f} bytes are in use for {kept:.0f} tokens that are kept")
        return metrics


def soak(binary, model, arguments, reuse):
    """Returns the failures of one server."""
    begin = time.monotonic()
    options = OPTIONS + ([] if reuse else ["--no-reuse"])
    with serving.Server(binary, model, *options) as server:
        run = Soak(server, arguments)
        first, last = run.run()
        if not server.alive():
            return run.failures + [f"the server died: {server.process.poll()}: {server.log[-20:]}"]
        metrics = run.check(reuse)
        if last - first > MAX_GROWTH:
            run.failures.append(f"{last - first} bytes more in the second half")
        if (code := server.stop()) != 0:
            run.failures.append(f"exit code {code}")
    print(f"{'with' if reuse else 'without'} reuse: {sum(run.counts.values())} requests, "
          f"{len([c for c in run.counts if c != 'good'])} kinds of faults, "
          f"{time.monotonic() - begin:.0f} s; {first >> 20} MiB, then {last >> 20} MiB; "
          f"{metrics['ringlet_requests_cancelled_total']:.0f} answers cancelled, "
          f"{metrics['ringlet_requests_failed_total']:.0f} failed, "
          f"{metrics['ringlet_preemptions_total']:.0f} preempted")
    return run.failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--requests", type=int, default=2000 // serving.SLOWNESS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--only", default="", help="one kind of fault")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = tiny_model.make(arguments.binary, scratch + "/model")
        failures = soak(arguments.binary, model, arguments, reuse=True)
        arguments.requests //= 4
        failures += soak(arguments.binary, model, arguments, reuse=False)
    for failure in failures[:40]:
        print(failure)
    if failures:
        sys.exit(f"soak: {len(failures)} failures")


if __name__ == "__main__":
    main()
