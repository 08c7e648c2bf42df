#!/usr/bin/env python3
"""The official clients of OpenAI and Anthropic, and lm-eval-harness, against `ringlet serve`.

    tests/server/clients.py build/release/ringlet MODEL [PYTHON]

MODEL is SmolLM2 (make demo-smollm2 fetches it). PYTHON is the interpreter of an environment that has the
clients, made for example by

    python3 -m venv .cache/clients
    .cache/clients/bin/pip install openai anthropic 'lm-eval[api]'

Exit status 77 when the model or the clients of OpenAI and Anthropic are absent. Without lm-eval only
its test is skipped.
"""

import base64
import concurrent.futures
import importlib.util
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import serving
from serving import tiny_model

BINARY, MODEL = "", ""
KEY = "secret"
WEATHER = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}},
           "required": ["city"], "additionalProperties": False}
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = serving.Server(BINARY, MODEL, "--api-key", KEY, "--ctx", 4096, "--name", "smol")
        cls.url = f"http://127.0.0.1:{cls.server.port}"

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()


class OpenAiTest(ClientsTest):
    def setUp(self):
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["smol"])
        self.assertEqual(self.client.models.retrieve("smol").object, "model")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("other")

    def test_completions(self):
        options = {"model": "smol", "prompt": "One, two, three,", "max_tokens": 8, "temperature": 0}
        plain = self.client.completions.create(**options)
        self.assertIn("four", plain.choices[0].text)
        self.assertEqual(plain.usage.completion_tokens, 8)
        scored = self.client.completions.create(**options, echo=True, logprobs=2)
        self.assertTrue(scored.choices[0].text.startswith("One, two, three,"))
        table = scored.choices[0].logprobs
        self.assertEqual(len(table.tokens), len(table.token_logprobs))
        self.assertIsNone(table.token_logprobs[0])
        self.assertLess(max(table.token_logprobs[1:]), 0)
        self.assertEqual("".join(table.tokens), scored.choices[0].text)
        chunks = list(self.client.completions.create(**options, stream=True,
                                                     stream_options={"include_usage": True}))
        self.assertEqual("".join(c.choices[0].text for c in chunks if c.choices),
                         plain.choices[0].text)
        self.assertEqual(chunks[-1].usage.completion_tokens, 8)

    def test_embeddings(self):
        texts = ["a cat", "a kitten", "the stock exchange"]
        # Without a format the client asks for base64 and decodes it.
        packed = self.client.embeddings.create(model="smol", input=texts)
        floats = self.client.embeddings.create(model="smol", input=texts, encoding_format="float")
        raw = self.client.embeddings.create(model="smol", input=texts, encoding_format="base64")
        for ours, theirs, text in zip(packed.data, floats.data, raw.data):
            self.assertEqual(len(ours.embedding), len(theirs.embedding))
            self.assertAlmostEqual(math.hypot(*ours.embedding), 1, 5)
            self.assertEqual(ours.embedding, [struct.unpack("f", struct.pack("f", x))[0]
                                              for x in theirs.embedding])
            data = base64.b64decode(text.embedding)
            self.assertEqual(ours.embedding, list(struct.unpack(f"{len(data) // 4}f", data)))
        self.assertGreater(floats.usage.prompt_tokens, 5)

    def test_chat(self):
        options = {"model": "smol", "messages": [{"role": "user", "content": "What is 2 + 2?"}],
                   "temperature": 0, "max_tokens": 24}
        answer = self.client.chat.completions.create(**options)
        self.assertIn("4", answer.choices[0].message.content)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        chunks = list(self.client.chat.completions.create(
            **options, stream=True, stream_options={"include_usage": True}))
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices),
                         answer.choices[0].message.content)
        self.assertEqual(chunks[-1].usage.completion_tokens, answer.usage.completion_tokens)
        scored = self.client.chat.completions.create(**options, logprobs=True, top_logprobs=2)
        self.assertEqual(len(scored.choices[0].logprobs.content[0].top_logprobs), 2)
        several = self.client.chat.completions.create(**options | {"n": 3, "temperature": 1})
        self.assertEqual([choice.index for choice in several.choices], [0, 1, 2])

    def test_chat_with_a_schema(self):
        form = {"type": "json_schema",
                "json_schema": {"name": "city", "strict": True, "schema": WEATHER}}
        answer = self.client.chat.completions.create(
            model="smol", messages=QUESTION, response_format=form, max_tokens=100, temperature=0)
        self.assertEqual(list(json.loads(answer.choices[0].message.content)), ["city"])

    def test_errors(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.completions.create(model="smol", prompt="a", temperature=-1)
        self.assertEqual(caught.exception.param, "temperature")
        with self.assertRaises(openai.AuthenticationError):
            openai.OpenAI(base_url=self.url + "/v1", api_key="wrong").models.list()
        with self.assertRaises(openai.NotFoundError):
            self.client.post("/no/such", cast_to=object)

    def test_responses(self):
        options = {"model": "smol", "input": "What is 2 + 2?", "temperature": 0,
                   "max_output_tokens": 24}
        answer = self.client.responses.create(**options)
        self.assertIn("4", answer.output_text)
        self.assertGreater(answer.usage.output_tokens, 0)
        with self.client.responses.stream(**options) as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_response()
        self.assertEqual(final.output_text, answer.output_text)
        self.assertEqual(kinds[0], "response.created")
        self.assertIn("response.output_text.delta", kinds)
        form = {"format": {"type": "json_schema", "name": "city", "strict": True, "schema": WEATHER}}
        answer = self.client.responses.create(**options | {"max_output_tokens": 100}, text=form)
        self.assertEqual(list(json.loads(answer.output_text)), ["city"])
        with self.assertRaises(openai.BadRequestError):
            self.client.responses.create(**options, previous_response_id="resp_1")


class AnthropicTest(ClientsTest):
    # The client knows no temperature; the API does.
    OPTIONS = {"model": "smol", "max_tokens": 24, "extra_body": {"temperature": 0},
               "messages": [{"role": "user", "content": "What is 2 + 2?"}]}

    def setUp(self):
        self.client = anthropic.Anthropic(base_url=self.url, api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def test_messages(self):
        answer = self.client.messages.create(**self.OPTIONS)
        self.assertIn("4", answer.content[0].text)
        advised = self.client.messages.create(**self.OPTIONS, system="You are a poet.")
        self.assertGreater(advised.usage.output_tokens, 0)
        self.assertIn(answer.stop_reason, ("end_turn", "max_tokens"))
        self.assertGreater(answer.usage.input_tokens, 5)
        stopped = self.client.messages.create(**self.OPTIONS, stop_sequences=[" "])
        self.assertEqual((stopped.stop_reason, stopped.stop_sequence), ("stop_sequence", " "))

    def test_stream(self):
        whole = self.client.messages.create(**self.OPTIONS)
        with self.client.messages.stream(**self.OPTIONS) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, whole.content[0].text)
        self.assertEqual(final.usage.output_tokens, whole.usage.output_tokens)

    def test_count_tokens(self):
        counted = self.client.messages.count_tokens(model="smol", messages=QUESTION)
        answer = self.client.messages.create(**self.OPTIONS | {"messages": QUESTION})
        usage = answer.usage
        self.assertEqual(counted.input_tokens,
                         usage.input_tokens + (usage.cache_read_input_tokens or 0))

    def test_errors(self):
        with self.assertRaises(anthropic.BadRequestError):
            self.client.messages.create(**self.OPTIONS | {"messages": []})
        with self.assertRaises(anthropic.AuthenticationError):
            anthropic.Anthropic(base_url=self.url, api_key="wrong").messages.create(**self.OPTIONS)


class ToolsTest(unittest.TestCase):
    """The demo's model knows no calls; a random one makes them as the grammar wants them."""

    TEMPLATE = ("{% if tools %}<system>{{ tools | tojson }} "
                "<tool_call>{'name': NAME, 'arguments': OBJECT}</tool_call><end>{% endif %}"
                "{% for m in messages %}<user>{{ m.role }}: {{ m.content or '' }}"
                "{% for call in m.tool_calls or [] %}<tool_call>{{ call | tojson }}</tool_call>"
                "{% endfor %}<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}")

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        model = tiny_model.make(BINARY, cls.scratch.name + "/tiny")
        (model / "tokenizer_config.json").write_text(
            json.dumps({"chat_template": cls.TEMPLATE, "eos_token": "<end>"}))
        cls.server = serving.Server(BINARY, model, "--ctx", 4096, "--memory", 0.2)
        url = f"http://127.0.0.1:{cls.server.port}"
        cls.openai = openai.OpenAI(base_url=url + "/v1", api_key="x", max_retries=0)
        cls.anthropic = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.openai.close()
        cls.anthropic.close()
        cls.server.kill()
        cls.scratch.cleanup()

    def test_openai_chat(self):
        tools = [{"type": "function", "function": {
            "name": "get_weather", "description": "The weather of a city", "parameters": WEATHER}}]
        options = {"model": "tiny", "messages": QUESTION, "tools": tools, "tool_choice": "required",
                   "parallel_tool_calls": False, "max_tokens": 200, "seed": 1}
        answer = self.openai.chat.completions.create(**options)
        (call,) = answer.choices[0].message.tool_calls
        self.assertEqual(call.function.name, "get_weather")
        self.assertEqual(list(json.loads(call.function.arguments)), ["city"])
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        with self.openai.chat.completions.stream(**options) as stream:
            streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
        self.assertEqual(streamed.function.arguments, call.function.arguments)
        history = QUESTION + [answer.choices[0].message.model_dump(exclude_none=True),
                              {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}]
        after = self.openai.chat.completions.create(**options | {
            "messages": history, "tool_choice": "none"})
        self.assertTrue(after.choices[0].message.content)

    def test_openai_responses(self):
        tool = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}
        answer = self.openai.responses.create(model="tiny", input="Hi", tools=[tool],
                                              tool_choice="required", max_output_tokens=200,
                                              extra_body={"seed": 1})
        calls = [item for item in answer.output if item.type == "function_call"]
        self.assertEqual(calls[0].name, "get_weather")
        self.assertEqual(list(json.loads(calls[0].arguments)), ["city"])

    def test_anthropic_messages(self):
        tool = {"name": "get_weather", "description": "The weather", "input_schema": WEATHER}
        options = {"model": "tiny", "messages": QUESTION, "max_tokens": 200, "tools": [tool],
                   "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
                   "extra_body": {"seed": 1}}
        answer = self.anthropic.messages.create(**options)
        self.assertEqual(answer.stop_reason, "tool_use")
        call = next(block for block in answer.content if block.type == "tool_use")
        self.assertEqual((call.name, list(call.input)), ("get_weather", ["city"]))
        with self.anthropic.messages.stream(**options) as stream:
            blocks = stream.get_final_message().content
        streamed = next(block for block in blocks if block.type == "tool_use")
        self.assertEqual(streamed.input, call.input)
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "Sunny."}
        history = QUESTION + [{"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
                              {"role": "user", "content": [result]}]
        after = self.anthropic.messages.create(**options | {"messages": history,
                                                         "tool_choice": {"type": "none"}})
        self.assertTrue(after.content)


class BusyTest(unittest.TestCase):
    def test_a_full_queue_is_a_rate_limit(self):
        with serving.Server(BINARY, MODEL, "--max-seqs", 1, "--max-queue", 1, "--ctx", 2048) as server:
            url = f"http://127.0.0.1:{server.port}"
            clients = (openai.OpenAI(base_url=url + "/v1", api_key="x", max_retries=0),
                       anthropic.Anthropic(base_url=url, api_key="x", max_retries=0))
            message = [{"role": "user", "content": "Tell a story."}]
            enough = threading.Event()

            def ask(index):
                for _ in range(20):
                    if enough.is_set():
                        return
                    try:
                        if index % 2 == 0:
                            clients[0].chat.completions.create(model="m", messages=message,
                                                               max_tokens=40)
                        else:
                            clients[1].messages.create(model="m", messages=message, max_tokens=40)
                    except (openai.RateLimitError, anthropic.RateLimitError) as error:
                        seen.add(type(error))
                        if len(seen) == 2:
                            enough.set()

            seen = set()
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                list(pool.map(ask, range(6)))
            self.assertEqual(seen, {openai.RateLimitError, anthropic.RateLimitError})
            for client in clients:
                client.close()


class LmEvalTest(ClientsTest):
    """lm-eval: log-likelihoods through local-completions, answers through local-chat-completions."""

    ITEMS = [("The capital of France is", " Paris", " purple"),
             ("Two plus two equals", " four", " water"),
             ("The opposite of hot is", " cold", " Tuesday"),
             ("Cats and dogs are", " animals", " numbers"),
             ("The sun rises in the", " east", " spoon"),
             ("Water freezes into", " ice", " books")]
    TASK = """task: ringlet_choices
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
target_delimiter: ""
doc_to_choice: choices
doc_to_target: label
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""

    ANSWERS = """
task: ringlet_answers
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
test_split: test
output_type: generate_until
doc_to_text: "{{{{text}}}}"
doc_to_target: "{{{{label}}}}"
generation_kwargs:
  until: ["\\n\\n"]
  max_gen_toks: 24
  do_sample: false
filter_list:
  - name: first
    filter:
      - function: regex
        regex_pattern: "{pattern}"
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""

    def evaluate(self, model, arguments, task, items, *options, **fields):
        """The scores of a task of the given items."""
        if importlib.util.find_spec("lm_eval") is None:
            print("skipped: lm-eval is not installed")
            self.skipTest("lm-eval is not installed")
        with tempfile.TemporaryDirectory() as directory:
            folder = pathlib.Path(directory)
            (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
            name = task.split("task: ")[1].split("\n")[0]
            (folder / f"{name}.yaml").write_text(task.format(file=folder / "items.jsonl", **fields))
            result = subprocess.run(
                [sys.executable, "-m", "lm_eval", "run", "--model", model, "--model_args", arguments,
                 "--tasks", name, "--include_path", directory, "--output_path", str(folder / "out"),
                 *options], capture_output=True, text=True,
                env=os.environ | {"OPENAI_API_KEY": KEY, "HF_HUB_OFFLINE": "1",
                                  "HF_HOME": str(folder / "cache"), "PYTHONWARNINGS": "ignore"},
                timeout=900, check=False)
            self.assertEqual(result.returncode, 0, result.stderr[-3000:])
            (report,) = folder.glob("out/**/results*.json")
            return json.loads(report.read_text())["results"][name]

    def test_multiple_choice(self):
        items = [{"text": text, "choices": [right, wrong] if i % 2 == 0 else [wrong, right],
                  "label": i % 2} for i, (text, right, wrong) in enumerate(self.ITEMS)]
        scores = self.evaluate(
            "local-completions", f"base_url={self.url}/v1/completions,model=smol,num_concurrent=2,"
            "tokenizer_backend=remote,tokenized_requests=True,max_length=2048,"
            f"auth_token={KEY}", self.TASK, items)
        self.assertGreaterEqual(scores["acc,none"], 0.8, scores)

    def test_chat_answers(self):
        items = [{"text": f"What is {a} + {b}? Answer with the number.", "label": str(a + b)}
                 for a, b in ((2, 2), (1, 1), (2, 3), (3, 4), (10, 10))]
        scores = self.evaluate(
            "local-chat-completions", f"base_url={self.url}/v1/chat/completions,model=smol,"
            "num_concurrent=2,tokenizer_backend=None", self.ANSWERS, items,
            "--apply_chat_template", pattern="= ([0-9]+)")
        self.assertGreaterEqual(scores["exact_match,first"], 0.8, scores)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    if len(sys.argv) == 4 and os.path.exists(sys.argv[3]):
        os.execv(sys.argv[3], [sys.argv[3], *sys.argv[:3]])
    if not os.path.exists(sys.argv[2]):
        print(f"skipped: {sys.argv[2]} is absent (make demo-smollm2 fetches it)")
        sys.exit(77)
    for name in ("openai", "anthropic"):
        if importlib.util.find_spec(name) is None:
            print(f"skipped: the Python client {name} is not installed ({sys.argv[0]} says how)")
            sys.exit(77)


if __name__ == "__main__":
    main()
    import anthropic
    import openai
    BINARY, MODEL = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
