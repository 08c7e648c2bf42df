#!/usr/bin/env python3
"""How a server stops: answers under way end properly, new requests do not begin.

    tests/server/drain_test.py build/release/ringlet
"""

import http.client
import json
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest

import serving
from serving import tiny_model

BINARY = ""
LONG = {"prompt": "abc", "max_tokens": 4000 // serving.SLOWNESS, "seed": 1, "ignore_eos": True}


class Streaming:
    """A stream that is being read by a thread."""

    def __init__(self, server, body):
        self.first = threading.Event()
        self.data, self.error = b"", None
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port,
                                                      timeout=serving.SECONDS)
        self._connection.request("POST", "/v1/completions", json.dumps(body | {"stream": True}))
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        if not self.first.wait(serving.SECONDS):
            raise TimeoutError("no first token")

    def _read(self):
        try:
            response = self._connection.getresponse()
            while line := response.readline():
                self.data += line
                self.first.set()
        except (OSError, http.client.HTTPException) as error:
            self.error = error
        self.first.set()

    def join(self):
        self._thread.join(serving.SECONDS)
        self._connection.close()


class DrainTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.model = tiny_model.make(BINARY, cls.scratch.name + "/model")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def serve(self, *options):
        server = serving.Server(BINARY, self.model, "--ctx", 100000, "--memory", 0.5, *options)
        self.addCleanup(server.kill)
        return server

    def refused(self, server):
        """Whether a new request is: no connection, or 503."""
        try:
            return server.call("POST", "/v1/completions", LONG)[0] == 503
        except (OSError, http.client.HTTPException):
            return True

    def check_streams_end(self, number):
        server = self.serve()
        streams = [Streaming(server, LONG) for _ in range(3)]
        server.process.send_signal(number)
        while not any("stopping" in line for line in server.log):
            time.sleep(0.01)
        self.assertTrue(server.alive())
        self.assertTrue(self.refused(server))
        self.assertEqual(server.process.wait(serving.SECONDS), 0)
        for stream in streams:
            stream.join()
            self.assertIsNone(stream.error)
            chunks = serving.events(stream.data)
            (choice,), _ = serving.join_chunks(chunks)
            self.assertEqual(choice["finish_reason"], "length")
            # All of it; the prompt and special tokens have no characters.
            self.assertGreater(len(choice["text"]), LONG["max_tokens"] // 2)

    def test_streams_end_on_sigterm(self):
        self.check_streams_end(signal.SIGTERM)

    def test_streams_end_on_sigint(self):
        self.check_streams_end(signal.SIGINT)

    def test_requests_on_open_connections_get_503_or_the_end(self):
        server = self.serve()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=serving.SECONDS)
        connection.request("GET", "/health")
        self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}')
        stream = Streaming(server, LONG)
        server.process.send_signal(signal.SIGTERM)
        while not any("stopping" in line for line in server.log):
            time.sleep(0.01)
        try:
            connection.request("POST", "/v1/completions", json.dumps(LONG))
            self.assertEqual(connection.getresponse().status, 503)
        except (OSError, http.client.HTTPException):
            pass  # the server had closed what was idle
        connection.close()
        stream.join()
        serving.events(stream.data)
        self.assertEqual(server.process.wait(serving.SECONDS), 0)

    def test_a_second_signal_ends_at_once(self):
        server = self.serve()
        stream = Streaming(server, LONG | {"max_tokens": 90000})
        server.process.send_signal(signal.SIGTERM)
        while not any("stopping" in line for line in server.log):
            time.sleep(0.01)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(serving.SECONDS), -signal.SIGTERM)
        self.assertLess(time.monotonic() - begin, 5)
        stream.join()
        self.assertNotIn(b"[DONE]", stream.data)

    def test_answers_longer_than_the_drain_are_cut_off(self):
        server = self.serve("--drain", 0.5)
        stream = Streaming(server, LONG | {"max_tokens": 90000})
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 10)
        stream.join()
        self.assertNotIn(b"[DONE]", stream.data)
        self.assertTrue(any("cut off" in line for line in server.log), server.log)

    def test_an_idle_server_ends_at_once(self):
        server = self.serve()
        idle = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(idle.close)
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"200", idle.recv(4096))
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual(idle.recv(1), b"")


if __name__ == "__main__":
    BINARY = serving.main(sys.argv, __doc__)
    unittest.main(argv=sys.argv[:1])
