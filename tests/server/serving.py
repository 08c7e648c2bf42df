"""Servers for tests: `ringlet serve` with the tiny model, and calls to it."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))

import tiny_model  # noqa: E402  (lies beside the tests of the command line)

SECONDS = 300  # nothing takes a tenth of that, but machines may be busy
SLOWNESS = int(os.environ.get("RINGLET_SLOWNESS", "1"))
LISTENING = re.compile(r"ringlet: .* at http://\S+:(\d+) \(")


class Server:
    """A server of its own process; use as a context."""

    def __init__(self, binary, model, *options, threads=2):
        self.process = subprocess.Popen(
            [binary, "serve", model, "--port", "0", "--threads", str(threads), *map(str, options)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.log = []
        self.port = None
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._listening.wait(SECONDS) or self.port is None:
            self.kill()
            raise RuntimeError(f"the server did not start: {''.join(self.log)}")

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)
            if found := LISTENING.match(line):
                self.port = int(found[1])
                self._listening.set()
        self._listening.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)

    def alive(self):
        return self.process.poll() is None

    def call(self, method, path, body=None, headers=None):
        """One request on a connection of its own; returns (status, headers, bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data,
                               {"Content-Type": "application/json"} | (headers or {}))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def good(self, path, body=None):
        """POST, or GET without a body; returns the answer's JSON."""
        status, _, data = self.call("GET" if body is None else "POST", path, body)
        if status != 200:
            raise AssertionError(f"{path}: {status}: {data[:500]!r}")
        return json.loads(data)

    def answer(self, body, path="/v1/completions"):
        """The choices of a completion in one form, streamed or not, and its usage."""
        status, _, data = self.call("POST", path, body)
        if status != 200:
            raise AssertionError(f"{path}: {status}: {data[:500]!r} for {json.dumps(body)[:500]}")
        if not body.get("stream"):
            answer = json.loads(data)
            return answer["choices"], answer.get("usage")
        return join_chunks(events(data))

    def metrics(self, key=""):
        status, _, data = self.call("GET", "/metrics", headers={"x-api-key": key})
        if status != 200:
            raise AssertionError(f"/metrics: {status}")
        return {name: float(value) for name, value in
                re.findall(r"^(ringlet_\w+) (\S+)$", data.decode(), re.M)}

    def wait_until_idle(self, seconds=60):
        """Until nothing runs or waits; returns the metrics."""
        deadline = time.monotonic() + seconds
        while True:
            metrics = self.metrics()
            busy = metrics["ringlet_requests_running"] + metrics["ringlet_requests_waiting"]
            if busy == 0:
                return metrics
            if time.monotonic() > deadline:
                raise AssertionError(f"{busy:.0f} requests are still there")
            time.sleep(0.02)


def events(data):
    """The data of each event of a whole stream."""
    found = [line[6:] for line in data.decode().split("\n") if line.startswith("data: ")]
    if not found or found[-1] != "[DONE]":
        raise AssertionError(f"a stream without [DONE] at its end: {data[-300:]!r}")
    return [json.loads(text) for text in found[:-1]]


def join_chunks(chunks):
    """Chunks of a streamed completion as the choices and the usage of one that is not."""
    choices, usage = {}, None
    for chunk in chunks:
        if "error" in chunk:
            raise AssertionError(f"an error within a stream: {chunk}")
        usage = chunk.get("usage") or usage
        for part in chunk["choices"]:
            choice = choices.setdefault(part["index"], {"text": "", "index": part["index"],
                                                        "logprobs": None, "finish_reason": None})
            choice["text"] += part["text"]
            choice["finish_reason"] = part["finish_reason"] or choice["finish_reason"]
            if part["logprobs"] is not None:
                whole = choice["logprobs"] or {key: [] for key in part["logprobs"]}
                for key, values in part["logprobs"].items():
                    whole[key] += values
                choice["logprobs"] = whole
    return [choices[index] for index in sorted(choices)], usage


def same_bytes(value):
    """A form in which two answers are equal if and only if their bytes are."""
    return json.dumps(value, sort_keys=True)


def main(arguments, doc):
    """The binary that the command line names."""
    if len(arguments) < 2 or not pathlib.Path(arguments[1]).exists():
        sys.exit(doc)
    return arguments[1]
