#!/usr/bin/env python3
"""What the endpoints of `ringlet serve` answer, and what they refuse.

    tests/server/api_test.py build/release/ringlet
"""

import base64
import http.client
import json
import pathlib
import struct
import sys
import tempfile
import threading
import unittest

import serving
import tiny_model

BINARY = ""

# Shows tools as Qwen's templates do, and thinks when it is told to.
TEMPLATE = ("{% if tools %}<system># Tools\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}"
            "<tool_call>\n{\"name\": ..., \"arguments\": ...}\n</tool_call><end>{% endif %}"
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
            "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }}</tool_call>"
            "{% endfor %}<end>{% endfor %}"
            "{% if add_generation_prompt %}<assistant>"
            "{% if enable_thinking is defined and enable_thinking %}<think>{% endif %}{% endif %}")

HELLO = [{"role": "user", "content": "Hello"}]
CITY = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8},
                                         "size": {"type": "integer", "minimum": 1, "maximum": 99},
                                         "tags": {"type": "array", "items": {"enum": ["a", "b"]},
                                                  "maxItems": 2}},
        "required": ["name", "size"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": CITY}}
OTHER = {"type": "function", "function": {"name": "clock", "parameters": {
    "type": "object", "properties": {"zone": {"enum": ["utc", "cet"]}}, "required": ["zone"],
    "additionalProperties": False}}}

# Path, body, and the parameter that the error must name.
CHAT, TEXT, EMBED = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
REFUSED = [
    (CHAT, {}, "messages"), (CHAT, {"messages": "x"}, "messages"),
    (CHAT, {"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
    (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
     "messages[0].content[0]"),
    (CHAT, {"temperature": "hot"}, "temperature"), (CHAT, {"temperature": -1}, "temperature"),
    (CHAT, {"top_p": 1.5}, "top_p"), (CHAT, {"top_k": 1.5}, "top_k"), (CHAT, {"n": 0}, "n"),
    (CHAT, {"n": 100000}, "n"), (CHAT, {"max_tokens": -2}, "max_tokens"),
    (CHAT, {"max_completion_tokens": "all"}, "max_completion_tokens"),
    (CHAT, {"stop": [1]}, "stop"), (CHAT, {"stop": ["a"] * 17}, "stop"),
    (CHAT, {"stop": [""]}, "stop"), (CHAT, {"seed": 1.5}, "seed"),
    (CHAT, {"logit_bias": {"x": 1}}, "logit_bias"), (CHAT, {"logit_bias": {"5": 101}}, "logit_bias"),
    (CHAT, {"logit_bias": {"123456": 1}}, "logit_bias"), (CHAT, {"logit_bias": [1]}, "logit_bias"),
    (CHAT, {"top_logprobs": 3}, "top_logprobs"),
    (CHAT, {"logprobs": True, "top_logprobs": 21}, "top_logprobs"), (CHAT, {"logprobs": 1}, "logprobs"),
    (CHAT, {"stream": "yes"}, "stream"), (CHAT, {"stream_options": {"usage": True}}, "stream_options"),
    (CHAT, {"frequency_penalty": 9e99}, "frequency_penalty"), (CHAT, {"surprise": 1}, "surprise"),
    (CHAT, {"response_format": {}}, "response_format"),
    (CHAT, {"response_format": {"type": "xml"}}, "response_format"),
    (CHAT, {"response_format": {"type": "json_schema"}}, "response_format"),
    (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
     "response_format"),
    (CHAT, {"response_format": {"type": "json_schema", "json_schema": {
        "schema": {"type": "number", "multipleOf": 3}}}}, "multipleOf"),
    (CHAT, {"grammar": "root ::= (("}, "grammar"), (CHAT, {"grammar": 5}, "grammar"),
    (CHAT, {"reasoning_effort": "huge"}, "reasoning_effort"),
    (CHAT, {"chat_template_kwargs": 3}, "chat_template_kwargs"),
    (CHAT, {"chat_template_kwargs": {"messages": []}}, "messages"),
    (CHAT, {"tools": {}}, "tools"), (CHAT, {"tools": [{"type": "banana"}]}, "tools[0]"),
    (CHAT, {"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
    (CHAT, {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "no"}}},
     "tool_choice"),
    (CHAT, {"tool_choice": "required"}, "tool"),
    (CHAT, {"tools": [TOOL], "response_format": {"type": "json_object"}}, "response_format"),
    (CHAT, {"continue_final_message": True, "add_generation_prompt": True}, "add_generation_prompt"),
    (TEXT, {}, "prompt"), (TEXT, {"prompt": ""}, "prompt"), (TEXT, {"prompt": []}, "prompt"),
    (TEXT, {"prompt": [[]]}, "prompt"), (TEXT, {"prompt": [1, -1]}, "prompt[1]"),
    (TEXT, {"prompt": [1, 10 ** 30]}, "prompt"), (TEXT, {"prompt": {"a": 1}}, "prompt"),
    (TEXT, {"prompt": ["a", 5]}, "prompt[1]"), (TEXT, {"prompt": ["a"] * 300}, "prompt"),
    (TEXT, {"prompt": "a" * 2000}, "prompt"), (TEXT, {"prompt": "a", "best_of": 2}, "best_of"),
    (TEXT, {"prompt": "a", "suffix": "b"}, "suffix"), (TEXT, {"prompt": "a", "logprobs": 99}, "logprobs"),
    (TEXT, {"prompt": "a", "echo": 1}, "echo"),
    (TEXT, {"prompt": "a", "echo": True, "logprobs": 1, "stream": True}, "stream"),
    (EMBED, {}, "input"), (EMBED, {"input": []}, "input"),
    (EMBED, {"input": "a", "dimensions": 0}, "dimensions"),
    (EMBED, {"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ("/v1/responses", {}, "input"), ("/v1/responses", {"input": "a", "background": True}, "background"),
    ("/v1/responses", {"input": "a", "previous_response_id": "r"}, "previous_response_id"),
    ("/v1/responses", {"input": "a", "truncation": "auto"}, "truncation"),
    ("/v1/responses", {"input": "a", "text": {"format": {"type": "no"}}}, "text.format"),
    ("/v1/responses", {"input": [{"type": "odd"}]}, "input[0]"),
    ("/v1/messages", {"messages": HELLO}, "max_tokens"), ("/v1/messages", {"max_tokens": 5}, "messages"),
    ("/v1/messages", {"messages": HELLO, "max_tokens": 0}, "max_tokens"),
    ("/v1/messages", {"messages": HELLO, "max_tokens": 5, "thinking": {"type": "much"}}, "thinking"),
    ("/tokenize", {}, "content"), ("/tokenize", {"content": 5}, "content"),
    ("/detokenize", {"tokens": [10 ** 9]}, "tokens"), ("/detokenize", {"tokens": "x"}, "tokens"),
    ("/sessions/save", {"name": "../x", "prompt": "a"}, "name"),
    ("/sessions/save", {"name": "a" * 65, "prompt": "a"}, "name"),
    ("/sessions/restore", {"name": ".hidden"}, "name"),
]


def is_city(value):
    return (isinstance(value, dict) and set(value) <= {"name", "size", "tags"}
            and isinstance(value["name"], str) and len(value["name"]) <= 8
            and isinstance(value["size"], int) and 1 <= value["size"] <= 99
            and len(value.get("tags", [])) <= 2 and all(t in "ab" for t in value.get("tags", [])))


def join_chat(chunks):
    """The messages of a streamed chat completion, as those of one that is not."""
    messages, finish = {}, {}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        message = messages.setdefault(choice["index"], {"content": "", "reasoning_content": "",
                                                        "tool_calls": []})
        delta = choice["delta"]
        for key in ("content", "reasoning_content"):
            message[key] += delta.get(key) or ""
        for call in delta.get("tool_calls", []):
            if call["index"] == len(message["tool_calls"]):
                message["tool_calls"].append({"name": call["function"]["name"], "arguments": ""})
            message["tool_calls"][call["index"]]["arguments"] += call["function"]["arguments"]
        finish[choice["index"]] = choice["finish_reason"] or finish.get(choice["index"])
    return [messages[i] | {"finish": finish[i]} for i in sorted(messages)]


def plain_chat(answer):
    return [{"content": choice["message"]["content"] or "",
             "reasoning_content": choice["message"].get("reasoning_content", ""),
             "tool_calls": [{"name": c["function"]["name"], "arguments": c["function"]["arguments"]}
                            for c in choice["message"].get("tool_calls", [])],
             "finish": choice["finish_reason"]} for choice in answer["choices"]]


def named_events(data):
    """(event, data) of each event of a stream that has names."""
    found = []
    for block in data.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((lines["event"], json.loads(lines["data"])))
    return found


class ApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.model = tiny_model.make(BINARY, cls.scratch.name + "/model")
        config = {"chat_template": TEMPLATE, "eos_token": "<end>"}
        (cls.model / "tokenizer_config.json").write_text(json.dumps(config))
        cls.sessions = pathlib.Path(cls.scratch.name) / "sessions"
        cls.sessions.mkdir()
        cls.server = cls.serve()

    @classmethod
    def serve(cls, *options):
        return serving.Server(BINARY, cls.model, "--ctx", 1000, "--memory", 0.3, "--name", "tiny",
                              "--session-dir", cls.sessions, *options)

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.scratch.cleanup()

    def stream(self, path, body):
        status, headers, data = self.server.call("POST", path, body | {"stream": True})
        self.assertEqual(status, 200, data)
        self.assertTrue(headers["Content-Type"].startswith("text/event-stream"))
        return data

    def chat(self, **body):
        """A chat completion, which must be the same when it is streamed."""
        body = {"messages": HELLO, "max_tokens": 40, "seed": 3} | body
        whole = plain_chat(self.server.good(CHAT, body))
        self.assertEqual(whole, join_chat(serving.events(self.stream(CHAT, body))))
        return whole

    def test_refused(self):
        for path, body, named in REFUSED:
            if path == CHAT and "messages" not in body and body:
                body = {"messages": HELLO} | body
            with self.subTest(path=path, body=str(body)[:200]):
                status, _, data = self.server.call("POST", path, body)
                self.assertEqual(status, 400, data)
                error = json.loads(data)["error"]
                self.assertEqual(error["type"], "invalid_request_error")
                self.assertIn(named, error["message"] + str(error.get("param")))
        self.assertTrue(self.server.alive())

    def test_bodies_that_are_no_requests(self):
        for body in (b"", b"{", b"[]", b"null", b'{"a":1,"a":2}', b'{"prompt":"\xff"}', b"{}x",
                     b'{"prompt":"\\ud800"}', b'{"temperature":1e999,"prompt":"a"}', b"[" * 5000,
                     b'{"prompt":NaN}', json.dumps({str(i): i for i in range(2000)}).encode()):
            with self.subTest(body=body[:40]):
                status, _, data = self.server.call("POST", TEXT, body)
                self.assertEqual(status, 400, data)
        status, _, _ = self.server.call("POST", TEXT, b"{}", {"Content-Type": "text/plain"})
        self.assertEqual(status, 415)
        self.assertEqual(self.server.call("GET", TEXT)[0], 405)
        self.assertEqual(self.server.call("GET", "/v1/nothing")[0], 404)
        self.assertEqual(self.server.call("GET", "/v1/models/none")[0], 404)

    def test_chat(self):
        answer = self.server.good(CHAT, {"messages": HELLO, "max_tokens": 5, "seed": 1, "n": 3,
                                         "ignore_eos": True})
        self.assertEqual([c["index"] for c in answer["choices"]], [0, 1, 2])
        self.assertEqual(answer["usage"]["completion_tokens"], 15)
        prompt = self.server.good("/apply-template", {"messages": HELLO})
        self.assertEqual(prompt["prompt"], "<user>Hello<end><assistant>")
        self.assertEqual(answer["usage"]["prompt_tokens"], prompt["count"])
        self.chat(n=2)
        self.chat(stop=["a", "b"])
        self.chat(temperature=0, max_completion_tokens=7)

    def test_chat_goes_on_with_the_last_message(self):
        messages = HELLO + [{"role": "assistant", "content": "Once upon"}]
        prompt = self.server.good("/apply-template", {"messages": messages,
                                                      "continue_final_message": True,
                                                      "add_generation_prompt": False})
        self.assertEqual(prompt["prompt"], "<user>Hello<end><assistant>Once upon")

    def test_chat_logprobs(self):
        body = {"messages": HELLO, "max_tokens": 6, "seed": 1, "ignore_eos": True, "logprobs": True,
                "top_logprobs": 3}
        content = self.server.good(CHAT, body)["choices"][0]["logprobs"]["content"]
        self.assertEqual(len(content), 6)
        for token in content:
            self.assertEqual(len(token["top_logprobs"]), 3)
            self.assertEqual(bytes(token["bytes"]).decode(), token["token"])
            values = [top["logprob"] for top in token["top_logprobs"]]
            self.assertEqual(values, sorted(values, reverse=True))
        streamed = [token for chunk in serving.events(self.stream(CHAT, body))
                    for choice in chunk["choices"] if choice.get("logprobs")
                    for token in choice["logprobs"]["content"]]
        self.assertEqual(streamed, content)

    def test_sampling_parameters_act(self):
        def text(**more):
            return self.server.good(TEXT, {"prompt": "abc", "max_tokens": 20, "seed": 5,
                                           "ignore_eos": True} | more)["choices"][0]["text"]
        self.assertEqual(text(), text())
        self.assertNotEqual(text(), text(seed=6))
        a = tiny_model.encode("a")[0]
        self.assertEqual(text(logit_bias={str(a): 100}), "a" * 20)
        self.assertNotIn("a", text(temperature=5, logit_bias={str(a): -100}))
        self.assertEqual(text(top_k=1, temperature=2), text(temperature=0))
        ended = self.server.good(TEXT, {"prompt": "abc", "max_tokens": 30, "min_tokens": 30, "seed": 1})
        self.assertEqual(ended["usage"]["completion_tokens"], 30)

    def test_completion_echo_scores_the_prompt(self):
        body = {"prompt": "abcdef", "max_tokens": 1, "echo": True, "logprobs": 2, "temperature": 0}
        choice = self.server.good(TEXT, body)["choices"][0]
        scores = choice["logprobs"]
        self.assertEqual(len(scores["tokens"]), 7)
        self.assertEqual(choice["text"][:6], "abcdef")
        self.assertIsNone(scores["token_logprobs"][0])
        self.assertEqual(scores["text_offset"], list(range(7)))
        tokens = tiny_model.encode("abcdef")
        again = self.server.good(TEXT, body | {"prompt": tokens, "max_tokens": 0})["choices"][0]
        self.assertEqual(again["logprobs"]["token_logprobs"], scores["token_logprobs"][:6])
        both = self.server.good(TEXT, body | {"prompt": [tokens, tokens[:3]]})
        self.assertEqual([len(c["logprobs"]["tokens"]) for c in both["choices"]], [7, 4])

    def test_formats_hold(self):
        schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}
        for seed in range(6):
            with self.subTest(seed=seed):
                answer = self.chat(response_format=schema, seed=seed, max_tokens=300, temperature=2)[0]
                self.assertEqual(answer["finish"], "stop")
                self.assertTrue(is_city(json.loads(answer["content"])), answer)
        value = self.chat(grammar='root ::= "yes" | "no" " "? "way"', temperature=5, max_tokens=20)
        self.assertIn(value[0]["content"], ("yes", "noway", "no way"))
        digits = self.chat(grammar="root ::= [0-9]{5}", n=2)
        self.assertTrue(all(c["content"].isdigit() and len(c["content"]) == 5 for c in digits))

    def test_tools(self):
        for choice, names in (("required", {"weather", "clock"}),
                              ({"type": "function", "function": {"name": "clock"}}, {"clock"})):
            for seed in range(3):
                with self.subTest(choice=choice, seed=seed):
                    answer = self.chat(tools=[TOOL, OTHER], tool_choice=choice, seed=seed,
                                       max_tokens=400, parallel_tool_calls=False, temperature=1.5)[0]
                    self.assertEqual(answer["finish"], "tool_calls")
                    (call,) = answer["tool_calls"]
                    self.assertIn(call["name"], names)
                    arguments = json.loads(call["arguments"])
                    if call["name"] == "weather":
                        self.assertTrue(is_city(arguments))
                    else:
                        self.assertIn(arguments["zone"], ("utc", "cet"))
                    self.assertEqual(answer["content"], "")

    def test_required_calls_are_all_there_is(self):
        several = 0
        for seed in range(4):
            with self.subTest(seed=seed):
                answer = self.chat(tools=[OTHER], tool_choice="required", seed=seed, max_tokens=500,
                                   temperature=1.5)[0]
                self.assertTrue(answer["tool_calls"])
                if answer["finish"] == "tool_calls":
                    self.assertEqual(answer["content"], "")
                    for call in answer["tool_calls"]:
                        self.assertIn(json.loads(call["arguments"])["zone"], ("utc", "cet"))
                several += len(answer["tool_calls"]) > 1
        self.assertGreater(several, 0, "no answer has two calls")

    def test_thinking(self):
        body = {"chat_template_kwargs": {"enable_thinking": True}}
        answer = self.chat(**body, max_tokens=20, ignore_eos=True)[0]
        self.assertEqual(answer["content"], "")
        self.assertTrue(answer["reasoning_content"])
        answer = self.chat(**body, thinking_token_budget=4, max_tokens=60, ignore_eos=True)[0]
        self.assertLessEqual(len(answer["reasoning_content"]), 4)
        self.assertTrue(answer["content"])
        held = self.chat(**body, thinking_token_budget=4, max_tokens=60,
                         grammar='root ::= "done"')[0]
        self.assertEqual(held["content"], "done")

    def test_messages(self):
        body = {"messages": HELLO, "max_tokens": 20, "seed": 2, "system": "Be brief."}
        whole = self.server.good("/v1/messages", body)
        self.assertEqual((whole["type"], whole["role"]), ("message", "assistant"))
        events = named_events(self.stream("/v1/messages", body))
        self.assertEqual([events[0][0], events[-2][0], events[-1][0]],
                         ["message_start", "message_delta", "message_stop"])
        text = "".join(e["delta"]["text"] for name, e in events if name == "content_block_delta")
        self.assertEqual(text, whole["content"][0]["text"])
        self.assertEqual(events[-2][1]["delta"]["stop_reason"], whole["stop_reason"])
        counted = self.server.good("/v1/messages/count_tokens",
                                   {key: body[key] for key in ("messages", "system")})
        usage = whole["usage"]
        self.assertEqual(counted["input_tokens"],
                         usage["input_tokens"] + usage["cache_read_input_tokens"])
        tool = {"name": "clock", "input_schema": OTHER["function"]["parameters"]}
        called = self.server.good("/v1/messages", body | {
            "max_tokens": 300, "tools": [tool],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True}})
        self.assertEqual(called["stop_reason"], "tool_use")
        self.assertIn(called["content"][-1]["input"]["zone"], ("utc", "cet"))
        status, _, data = self.server.call("POST", "/v1/messages", {"messages": 5, "max_tokens": 1})
        self.assertEqual((status, json.loads(data)["error"]["type"]), (400, "invalid_request_error"))

    def test_responses(self):
        body = {"input": "Hello", "max_output_tokens": 20, "seed": 2, "instructions": "Be brief."}
        whole = self.server.good("/v1/responses", body)
        events = named_events(self.stream("/v1/responses", body))
        self.assertEqual([e["sequence_number"] for _, e in events], list(range(len(events))))
        final = events[-1][1]["response"]
        self.assertEqual(final["output"][0]["content"][0]["text"],
                         whole["output"][0]["content"][0]["text"])
        deltas = "".join(e["delta"] for name, e in events if name == "response.output_text.delta")
        self.assertEqual(deltas, whole["output"][0]["content"][0]["text"])
        self.assertEqual(final["status"], whole["status"])
        tool = {"type": "function", "name": "clock", "parameters": OTHER["function"]["parameters"]}
        called = self.server.good("/v1/responses", body | {
            "max_output_tokens": 300, "tools": [tool], "tool_choice": "required",
            "parallel_tool_calls": False})
        self.assertEqual(called["output"][-1]["type"], "function_call")
        formatted = self.server.good("/v1/responses", body | {
            "max_output_tokens": 300,
            "text": {"format": {"type": "json_schema", "name": "city", "schema": CITY}}})
        self.assertTrue(is_city(json.loads(formatted["output"][-1]["content"][0]["text"])))

    def test_embeddings(self):
        plain = self.server.good(EMBED, {"input": ["abc", "xyz"]})
        packed = self.server.good(EMBED, {"input": ["abc", "xyz"], "encoding_format": "base64"})
        for a, b in zip(plain["data"], packed["data"]):
            raw = base64.b64decode(b["embedding"])
            self.assertEqual(list(struct.unpack(f"<{len(raw) // 4}f", raw)), a["embedding"])
            self.assertAlmostEqual(sum(x * x for x in a["embedding"]), 1, places=5)
        self.assertNotEqual(plain["data"][0]["embedding"], plain["data"][1]["embedding"])
        cut = self.server.good(EMBED, {"input": "abc", "dimensions": 3})
        self.assertEqual(len(cut["data"][0]["embedding"]), 3)

    def test_tokens(self):
        ids = self.server.good("/tokenize", {"content": "abc"})
        self.assertEqual(ids["tokens"], tiny_model.encode("abc"))
        self.assertEqual(self.server.good("/detokenize", {"tokens": ids["tokens"]})["content"], "abc")

    def test_operation(self):
        self.assertEqual(self.server.good("/health")["status"], "ok")
        self.assertEqual(self.server.good("/v1/models")["data"][0]["id"], "tiny")
        self.assertEqual(self.server.good("/props")["n_ctx"], 1000)
        self.assertEqual(self.server.good("/slots"), [])
        self.assertGreaterEqual(self.server.metrics()["ringlet_requests_finished_total"], 0)
        status, headers, data = self.server.call("GET", "/")
        self.assertEqual(status, 200)
        self.assertIn(b"<!doctype html>", data)
        self.assertIn("default-src", headers["Content-Security-Policy"])
        again = self.server.call("GET", "/", headers={"If-None-Match": headers["ETag"]})
        self.assertEqual(again[0], 304)
        self.assertNotIn("Access-Control-Allow-Origin",
                         self.server.call("GET", "/health", headers={"Origin": "http://a.b"})[1])

    def test_keys_and_origins(self):
        keys = pathlib.Path(self.scratch.name) / "keys"
        keys.write_text("second\n\n")
        with self.serve("--api-key", "first", "--api-key-file", keys, "--cors", "http://a.b") as server:
            self.assertEqual(server.call("GET", "/v1/models")[0], 401)
            for headers in ({"Authorization": "Bearer first"}, {"x-api-key": "second"},
                            {"authorization": "bearer second"}):
                self.assertEqual(server.call("GET", "/v1/models", headers=headers)[0], 200)
            for headers in ({"Authorization": "Bearer firs"}, {"x-api-key": ""},
                            {"Authorization": "Bearer firstt"}):
                self.assertEqual(server.call("GET", "/v1/models", headers=headers)[0], 401)
            for path in ("/", "/health", "/ready"):
                self.assertEqual(server.call("GET", path)[0], 200)
            allowed = server.call("GET", "/health", headers={"Origin": "http://a.b"})[1]
            self.assertEqual(allowed["Access-Control-Allow-Origin"], "http://a.b")
            refused = server.call("GET", "/v1/models", headers={"Origin": "http://a.b"})
            self.assertEqual((refused[0], refused[1].get("Access-Control-Allow-Origin")),
                             (401, "http://a.b"))

    def test_the_log_has_a_line_for_each_request(self):
        with self.serve("--api-key", "k", "--log-requests") as server:
            key = {"x-api-key": "k"}
            server.call("GET", "/v1/models")
            server.call("GET", "/none", headers=key)
            server.call("POST", TEXT, {"prompt": "a", "surprise": 1}, key)
            server.call("POST", TEXT, {"prompt": "a", "max_tokens": 1}, key)
            self.assertEqual(server.stop(), 0)
        lines = [json.loads(line) for line in server.log if line.startswith("{")]
        self.assertEqual([(line["outcome"], line.get("status"), line["path"]) for line in lines],
                         [("refused", 401, "/v1/models"), ("refused", 404, "/none"),
                          ("refused", 400, TEXT), ("answered", None, TEXT)])

    def test_a_full_queue_refuses(self):
        long = {"prompt": "abc", "max_tokens": 900, "ignore_eos": True}
        with self.serve("--max-seqs", 1, "--max-queue", 2) as server:
            statuses, headers = [], []

            def call():
                status, header, _ = server.call("POST", TEXT, long)
                statuses.append(status)
                headers.append(header)
            threads = [threading.Thread(target=call) for _ in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(set(statuses), {200, 429})
            refused = headers[statuses.index(429)]
            self.assertGreater(int(refused["Retry-After"]), 0)

    def test_a_client_that_leaves_frees_its_slot(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        connection.request("POST", TEXT, json.dumps({"prompt": "abc", "max_tokens": 900,
                                                     "ignore_eos": True, "stream": True}),
                           {"Content-Type": "application/json"})
        connection.getresponse().readline()
        before = self.server.metrics()["ringlet_requests_cancelled_total"]
        connection.sock.close() if connection.sock else None
        connection.close()
        del connection
        self.server.wait_until_idle()
        self.assertGreaterEqual(self.server.metrics()["ringlet_requests_cancelled_total"], before)

    def test_sessions_survive_a_restart(self):
        text = "The quick brown fox jumps over the lazy dog. " * 12
        body = {"prompt": text + "And then", "max_tokens": 12, "seed": 4, "logprobs": 1}
        golden = self.server.good(TEXT, body)
        saved = self.server.good("/sessions/save", {"name": "fox", "prompt": text + "And then"})
        self.assertGreater(saved["saved_tokens"], len(text) - 128)
        self.assertIn("fox", [s["name"] for s in self.server.good("/sessions")["sessions"]])
        with self.serve() as server:
            restored = server.good("/sessions/restore", {"name": "fox"})
            self.assertEqual(restored["restored_tokens"], saved["saved_tokens"])
            answer = server.good(TEXT, body)
            self.assertEqual(answer["choices"], golden["choices"])
            self.assertGreaterEqual(answer["usage"]["prompt_tokens_details"]["cached_tokens"],
                                    len(text) - 128)
            path = self.sessions / "fox.session"
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
            status, _, error = server.call("POST", "/sessions/restore", {"name": "fox"})
            self.assertEqual(status, 400, error)
            self.assertIn(b"checksum", error)
            self.assertEqual(server.call("DELETE", "/sessions/fox")[0], 200)
            self.assertEqual(server.call("DELETE", "/sessions/fox")[0], 404)
            missing = server.call("POST", "/sessions/restore", {"name": "fox"})
            self.assertIn(missing[0], (400, 404))


if __name__ == "__main__":
    BINARY = serving.main(sys.argv, __doc__)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
