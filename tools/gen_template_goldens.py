#!/usr/bin/env python3
"""Writes the expected outputs of the chat-template tests with Jinja2, set up as transformers does.

    python3 tools/gen_template_goldens.py            rewrite the files under tests/data/chat_templates
    python3 tools/gen_template_goldens.py --check    only compare; exit 1 when one differs

Needs Jinja2 (python3-jinja2). language.json holds small templates over one context; whole/*.jinja
are rendered over the conversations of conversations.json; malformed.json holds templates that
Jinja2 must refuse too, unless the case says "ours" (a refusal of Ringlet's sandbox alone).
"""
import datetime
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

DATA = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "chat_templates"
NOW = datetime.datetime(2024, 7, 26, 13, 5, 9)


class Generation(jinja2.ext.Extension):
    """{% generation %} passes its body through, in a scope of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_call"), [], [], body).set_lineno(line)

    def _call(self, caller):
        return caller()


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    # transformers uses the immutable sandbox, which refuses list.append; published templates that
    # other engines run do append, so the mutable one is the reference here.
    env = jinja2.sandbox.SandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def render(source, chat):
    variables = {"messages": chat.get("messages", []), "tools": chat.get("tools"),
                 "documents": None,
                 "add_generation_prompt": chat.get("add_generation_prompt", True)}
    for token in ("bos_token", "eos_token"):
        if chat.get(token):
            variables[token] = chat[token]
    variables.update(chat.get("extra") or {})
    return environment().from_string(source).render(**variables)


def language(data):
    for case in data["cases"]:
        case["expected"] = render(case["template"], {"extra": data["context"]})


def conversations(data):
    data["expected"] = {}
    for path in sorted((DATA / "whole").glob("*.jinja")):
        outputs = data["expected"][path.name] = {}
        for name, chat in data["conversations"].items():
            try:
                outputs[name] = {"text": render(path.read_text(), chat)}
            except (jinja2.exceptions.TemplateError, TypeError) as error:
                outputs[name] = {"error": str(error)}


def malformed(data):
    for case in data["cases"]:
        if case.get("ours"):
            continue
        try:
            render(case["template"], {"extra": data["context"]})
        except Exception:
            continue
        raise SystemExit(f"malformed.json: Jinja2 accepts {case['name']}")


def main():
    stale = []
    for name, fill in (("language.json", language), ("conversations.json", conversations),
                       ("malformed.json", malformed)):
        path = DATA / name
        old = path.read_text()
        data = json.loads(old)
        fill(data)
        new = json.dumps(data, ensure_ascii=False, indent=1) + "\n"
        if new != old:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(new)
    for name in stale:
        print(f"{name}: {'differs' if '--check' in sys.argv else 'rewritten'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
