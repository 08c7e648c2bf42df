"""What clients do wrong, one function for each kind: bytes on a socket, and what may come back.

A fault takes a Client, misbehaves, and returns the bytes that the server sent, if it read them. Whatever
it does, the server may answer with an error of the client's (4xx), with the answer, or not at all.
"""

import contextlib
import json
import random
import socket
import struct
import time

READ_SECONDS = 30
WEIRD = [None, True, False, 0, -1, 1, 1.5, 1e308, -1e308, 2**31, 2**63, -2**63, 2**64, 10**30, "", "x",
         "\u0000", "\ud7ff", "NaN", "a" * 10000, [], [[]], [None], [1, "a"], {}, {"a": {}},
         {"type": "object"}, [[[[1]]]], ["", ""], {"": ""}]
COMPLETION_FIELDS = [
    "prompt", "max_tokens", "temperature", "top_p", "top_k", "min_p", "typical_p", "n", "best_of",
    "stop", "logprobs", "echo", "stream", "stream_options", "seed", "logit_bias", "suffix", "user",
    "model", "frequency_penalty", "presence_penalty", "repetition_penalty", "repeat_last_n",
    "min_tokens", "ignore_eos", "dry_multiplier", "dry_sequence_breakers", "xtc_probability",
    "unknown"]
CHAT_FIELDS = [
    "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "stop", "logprobs",
    "top_logprobs", "stream", "stream_options", "seed", "logit_bias", "tools", "tool_choice",
    "parallel_tool_calls", "response_format", "grammar", "chat_template_kwargs", "reasoning_effort",
    "thinking_token_budget", "continue_final_message", "add_generation_prompt", "return_progress",
    "user", "store", "metadata", "prediction", "unknown"]
MESSAGES_FIELDS = ["messages", "max_tokens", "system", "stop_sequences", "stream", "temperature",
                   "tools", "tool_choice", "thinking", "top_k", "top_p", "metadata", "unknown"]
RESPONSES_FIELDS = ["input", "instructions", "max_output_tokens", "stream", "text", "tools",
                    "tool_choice", "reasoning", "previous_response_id", "store", "truncation",
                    "temperature", "unknown"]


class Client:
    """A raw connection and a source of chance."""

    def __init__(self, port, seed):
        self.port = port
        self.random = random.Random(seed)

    @contextlib.contextmanager
    def connect(self, receive_buffer=None):
        with socket.socket() as connection:
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(READ_SECONDS)
            connection.connect(("127.0.0.1", self.port))
            yield connection

    def exchange(self, data):
        """Sends and reads until the server closes; it closes early when it refuses."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
            except OSError:
                pass
            return read_all(connection)


def read_all(connection):
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionError:
        pass
    return data


def reset(connection):
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def request(body, path="/v1/completions", headers=b"", close=True):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            + (b"Connection: close\r\n" if close else b"") + headers
            + b"Content-Length: %d\r\n\r\n" % len(data) + data)


def completion(client, **fields):
    letters = "".join(client.random.choices("abcde ", k=client.random.randint(1, 80)))
    return {"prompt": letters, "max_tokens": client.random.randint(1, 20), "seed": 1} | fields


def chat(client, **fields):
    return {"messages": [{"role": "user", "content": client.random.choice(["hi", "why?", "abc"])}],
            "max_tokens": client.random.randint(1, 20), "seed": 1} | fields


# Connections that break, at every stage.

def connect_and_close(client):
    with client.connect():
        pass


def connect_and_reset(client):
    with client.connect() as connection:
        reset(connection)


def cut_request(client):
    """FIN or RST somewhere in a request."""
    data = request(completion(client))
    with client.connect() as connection:
        connection.sendall(data[:client.random.randrange(1, len(data))])
        time.sleep(client.random.choice([0, 0.01]))
        if client.random.random() < 0.5:
            return reset(connection)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def reset_before_the_answer(client):
    with client.connect() as connection:
        connection.sendall(request(completion(client, max_tokens=400, ignore_eos=True)))
        time.sleep(client.random.choice([0, 0.001, 0.05]))
        reset(connection)


def leave_a_stream(client):
    """FIN or RST after some of a stream."""
    with client.connect() as connection:
        connection.sendall(request(completion(client, max_tokens=2000, ignore_eos=True, stream=True)))
        for _ in range(client.random.randint(1, 5)):
            connection.recv(1000)
        if client.random.random() < 0.5:
            reset(connection)


def leave_several_choices(client):
    with client.connect() as connection:
        connection.sendall(request(completion(client, max_tokens=500, ignore_eos=True, n=20,
                                              stream=True)))
        connection.recv(1000)
        reset(connection)


def half_close(client):
    """The client's side ends with the request: it counts as gone or gets its answer."""
    with client.connect() as connection:
        connection.sendall(request(completion(client)))
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def write_slowly(client):
    data = request(completion(client))
    with client.connect() as connection:
        for begin in range(0, len(data), 40):
            connection.sendall(data[begin:begin + 40])
            time.sleep(0.002)
        return must_be(b"200", read_all(connection))


def read_slowly(client):
    with client.connect(receive_buffer=4096) as connection:
        connection.sendall(request(completion(client, max_tokens=300, ignore_eos=True, stream=True,
                                              logprobs=5)))
        data = b""
        for _ in range(50):
            data += connection.recv(500)
            time.sleep(0.002)
        return must_be(b"200", data + read_all(connection))


def read_nothing(client):
    with client.connect(receive_buffer=2048) as connection:
        connection.sendall(request(completion(client, max_tokens=3000, ignore_eos=True, stream=True,
                                              logprobs=5)))
        time.sleep(0.2)
        reset(connection)


# HTTP that is none.

def garbage(client):
    return client.exchange(client.random.randbytes(client.random.randint(1, 3000)) + b"\r\n\r\n")


def tls_hello(client):
    return client.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))


def bad_request_line(client):
    line = client.random.choice([
        b"GET /health HTTP/2.0", b"GET /health", b"GET  /health HTTP/1.1", b"GET health HTTP/1.1",
        b"G\x00T /health HTTP/1.1", b"get /health HTTP/1.1", b"GET /\xff\xfe HTTP/1.1",
        b"GET /%zz HTTP/1.1", b"GET /../../etc/passwd HTTP/1.1", b"BREW / HTTP/1.1",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1", b"PRI * HTTP/2.0", b" GET / HTTP/1.1",
        b"CONNECT x:80 HTTP/1.1", b"DELETE /v1/models HTTP/1.1", b"GET /no/such HTTP/1.1"])
    return client.exchange(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")


def bad_headers(client):
    head = client.random.choice([
        b"Host x\r\n", b"Host : x\r\n", b": x\r\n", b"A: b\r\n folded\r\n", b"A: \x00\r\n",
        b"A: " + b"b" * 30000 + b"\r\n", b"A: b\r\n" * 200, b"Host: x\r\nHost: y\r\n",
        b"Host: x\r\nContent-Length: -1\r\n", b"Host: x\r\nContent-Length: 1x\r\n",
        b"Host: x\r\nContent-Length: 99999999999999999999\r\n",
        b"Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        b"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Host: x\r\nTransfer-Encoding: gzip\r\n", b"Host: x\r\nTransfer-Encoding: chunked, x\r\n",
        b"Host: x\nA: b\r\n", b""])
    return client.exchange(b"POST /v1/completions HTTP/1.1\r\n" + head + b"\r\n")


def bad_chunks(client):
    chunks = client.random.choice([
        b"zz\r\n", b"-1\r\n", b"5\r\nabc", b"5\r\nabcdefgh\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n",
        b"3;" + b"x" * 30000 + b"\r\nabc\r\n0\r\n\r\n", b"0\r\nA\r\n\r\n", b"\r\n"])
    with client.connect() as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
                           b"application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def oversize(client):
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
    return must_be(b"413", client.exchange(head + b" " * 100000))


def wrong_type(client):
    return must_be(b"415", client.exchange(request(completion(client)).replace(
        b"application/json", b"text/plain")))


def expect_continue(client):
    return must_be(b"200", client.exchange(request(completion(client),
                                                   headers=b"Expect: 100-continue\r\n")))


def pipeline(client):
    """Several requests in one write: as many answers, in order."""
    count = client.random.randint(2, 8)
    data = b"".join(request({"content": "a" * i}, "/tokenize", close=i == count)
                    for i in range(1, count + 1))
    answers = client.exchange(data)
    found = [json.loads(part.split(b"\r\n\r\n", 1)[1])["count"]
             for part in answers.split(b"HTTP/1.1 200 ")[1:]]
    if found != list(range(1, count + 1)):
        raise AssertionError(f"{count} pipelined requests: {answers!r}")
    return answers


def pipeline_and_leave(client):
    with client.connect() as connection:
        body = completion(client, max_tokens=300, ignore_eos=True)
        connection.sendall(request(body, close=False) * client.random.randint(2, 6))
        time.sleep(client.random.choice([0, 0.02]))
        reset(connection)


# JSON that is none, or not what is asked for.

def answer_quickly(client, body, path):
    """Sends what may or may not be a good request; leaves after the first bytes or a moment."""
    data = b""
    with client.connect() as connection:
        connection.sendall(request(body, path))
        connection.settimeout(0.5)
        try:
            data = connection.recv(65536)
        except TimeoutError:
            pass
        if client.random.random() < 0.5:
            reset(connection)
        return data


def cut_json(client):
    data = json.dumps(completion(client)).encode()
    return must_be(b"400", client.exchange(request(data[:client.random.randrange(1, len(data))])))


def mutated_json(client):
    data = bytearray(json.dumps(completion(client)).encode())
    for _ in range(client.random.randint(1, 4)):
        data[client.random.randrange(len(data))] = client.random.randrange(256)
    return answer_quickly(client, bytes(data), "/v1/completions")  # digits may have become many


def odd_json(client):
    body = client.random.choice([
        b"", b"null", b"[]", b"7", b'"a"', b"{}", b"{}{}", b'{"prompt":"a","prompt":"b"}', b"\xff\xfe",
        b'{"prompt":"\xc3"}', b'{"prompt":"\xed\xa0\x80"}', b'{"prompt":"\\ud800"}',
        b'{"prompt":"a\x00"}', b"[" * 100000, b'{"prompt":' * 1000, b'{"prompt":"a","seed":1e999}',
        b'{"prompt":"a","max_tokens":1' + b"0" * 5000 + b"}", b'{"prompt":' + b"[" * 100 + b"1"
        + b"]" * 100 + b"}", b"\xef\xbb\xbf{}", b'{"prompt":"a",}', b"{'prompt':'a'}"])
    return must_be(b"400", client.exchange(request(body)))


def weird_field(client):
    path, base, fields = client.random.choice([
        ("/v1/completions", completion(client), COMPLETION_FIELDS),
        ("/v1/chat/completions", chat(client), CHAT_FIELDS),
        ("/v1/messages", chat(client), MESSAGES_FIELDS),
        ("/v1/responses", {"input": "hi", "max_output_tokens": 5}, RESPONSES_FIELDS),
        ("/v1/embeddings", {"input": "abc"}, ["input", "dimensions", "encoding_format", "model"]),
        ("/tokenize", {"content": "abc"}, ["content", "add_special", "with_pieces", "x"]),
        ("/detokenize", {"tokens": [7]}, ["tokens"])])
    for _ in range(client.random.randint(1, 2)):
        base[client.random.choice(fields)] = client.random.choice(WEIRD)
    return answer_quickly(client, base, path)


def hostile_bias(client):
    biases = [{"-1": 1}, {"1e3": 1}, {"99999999999999999999": 1}, {"5": "x"}, {"5": 1e300},
              {str(i): 1 for i in range(100000)}, {"": 0}, {"5": None}, {" 5": 1}, {"5": -101}]
    return must_be(b"400", client.exchange(request(completion(
        client, logit_bias=client.random.choice(biases)))))


def ban_everything(client):
    return must_be(b"400", client.exchange(request(completion(
        client, logit_bias={str(i): -100 for i in range(101)}))))


def hostile_stop(client):
    stops = [[""], ["a"] * 1000, [1], {}, [["a"]], [None]]
    return must_be(b"400", client.exchange(request(completion(
        client, stop=client.random.choice(stops)))))


def long_stop(client):
    return must_be(b"200", client.exchange(request(completion(client, stop=["a" * 100000, "zzzz"]))))


def hostile_n(client):
    if client.random.random() < 0.5:
        return must_be(b"400", client.exchange(request(completion(client, n=10**9))))
    return answer_quickly(client, completion(client, n=128, max_tokens=2000, ignore_eos=True),
                          "/v1/completions")


def huge_max_tokens(client):
    return answer_quickly(client, completion(client, max_tokens=2**31, ignore_eos=True, stream=True),
                          "/v1/completions")


def hostile_prompt(client):
    prompts = [[-1], [10**9], [2**63], [1.5], [1, "a"], [[]], ["a", [-5]], [["a"]], "a" * 500000,
               [7] * 200000, ["a"] * 100000, [[7]] * 100000, "", [""], []]
    return must_be(b"400", client.exchange(request(completion(
        client, prompt=client.random.choice(prompts)))))


def hostile_messages(client):
    messages = client.random.choice([
        [], [{}], [{"role": "user"}], [{"role": 1, "content": "a"}], [{"role": "user", "content": 5}],
        [{"role": "king", "content": "a"}], ["a"], [None],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
        [{"role": "user", "content": [{"type": "text"}]}], [{"role": "user", "content": "refuse"}],
        [{"role": "tool", "content": "a", "tool_call_id": 5}],
        [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{"}}]}]])
    path = client.random.choice(["/v1/chat/completions", "/v1/messages"])
    return client.exchange(request(chat(client, messages=messages), path))


def hostile_format(client):
    schema = client.random.choice([
        {"type": "nothing"}, {"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "string", "pattern": "(a+)+$"}, {"type": "string", "pattern": "("},
        {"type": "string", "minLength": 10**9}, {"enum": []}, {"enum": ["a" * 100000]},
        {"type": "array", "minItems": 10**9, "items": {"type": "null"}}, {"not": {}}, 7, None,
        {"allOf": [{}] * 1000}, {"properties": {str(i): {} for i in range(5000)}}])
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    return answer_quickly(client, chat(client, response_format=form), "/v1/chat/completions")


def hostile_grammar(client):
    grammar = client.random.choice([
        "", "root", "root ::= root", "root ::= a", "root ::= \"a", "root ::= " + "(" * 10000,
        "root ::= [a-" + "b" * 1000, "root ::= (\"\"*)*", "root ::= x{1000000}\nx ::= \"a\"{1000000}",
        "root ::= \"\\xff\"", "root ::= a\na ::= b\nb ::= a", "root ::= " + "\"a\" | " * 20000 + "\"b\""])
    return answer_quickly(client, chat(client, grammar=grammar), "/v1/chat/completions")


def hostile_tools(client):
    tools = client.random.choice([
        [{}], [{"type": "function"}], [{"type": "function", "function": {"name": ""}}],
        [{"type": "function", "function": {"name": "a b\"c"}}], [5], {},
        [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "#"}}}],
        [{"type": "function", "function": {"name": f"f{i}", "parameters": {"type": "object"}}}
         for i in range(500)]])
    choice = client.random.choice(["auto", "required", "none", "f", {"type": "function"}, 5])
    return answer_quickly(client, chat(client, tools=tools, tool_choice=choice),
                          "/v1/chat/completions")


def must_be(code, data):
    """The answer's status, where there can be one only; a server that is busy may say so."""
    status = data[9:12]
    if status not in (code, b"429"):
        raise AssertionError(f"expected {code.decode()}: {data[:300]!r}")
    return data


ALL = [connect_and_close, connect_and_reset, cut_request, reset_before_the_answer, leave_a_stream,
       leave_several_choices, half_close, write_slowly, read_slowly, read_nothing, garbage, tls_hello,
       bad_request_line, bad_headers, bad_chunks, oversize, wrong_type, expect_continue, pipeline,
       pipeline_and_leave, cut_json, mutated_json, odd_json, weird_field, hostile_bias, ban_everything,
       hostile_stop, long_stop, hostile_n, huge_max_tokens, hostile_prompt, hostile_messages,
       hostile_format, hostile_grammar, hostile_tools]
