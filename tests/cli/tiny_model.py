"""A tiny random model that takes text and chats, made with `ringlet new` and three files.

The vocabulary is five special tokens, the printable ASCII characters and the newline, one token each:
whatever the model says encodes back to the tokens it drew. The model's own vocabulary is larger, as
padded vocabularies are.
"""

import json
import pathlib
import subprocess

SPECIAL = ["<pad>", "<end>", "<user>", "<assistant>", "<system>"]
CHARACTERS = "\n" + "".join(chr(code) for code in range(32, 127))
END_ID = 1
VOCABULARY = len(SPECIAL) + len(CHARACTERS)

TEMPLATE = ("{% for m in messages %}"
            "{% if m.content == 'refuse' %}{{ raise_exception('refused') }}{% endif %}"
            "<{{ m.role }}>{{ m.content }}<end>{% endfor %}"
            "{% if add_generation_prompt %}<assistant>{% endif %}")


def spelling(character):
    """A character as byte-level vocabularies spell it."""
    return {"\n": "\u010a", " ": "\u0120"}.get(character, character)


def encode(text):
    """The ids of a text without special tokens."""
    return [len(SPECIAL) + CHARACTERS.index(character) for character in text]


def tokenizer():
    """tokenizer.json as an object."""
    vocabulary = {name: i for i, name in enumerate(SPECIAL)}
    vocabulary |= {spelling(c): len(SPECIAL) + i for i, c in enumerate(CHARACTERS)}
    added = [{"id": i, "content": name, "special": True, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False} for i, name in enumerate(SPECIAL)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
            "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None,
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": []}}


def make(binary, directory, text=True):
    """Creates `directory` with the model; without `text` neither tokenizer nor template."""
    directory = pathlib.Path(directory)
    subprocess.run([binary, "new", "tiny-hybrid", directory, "--seed", "7", "--quiet"], check=True)
    # Room for answers that only Ctrl-C ends.
    config = json.loads((directory / "config.json").read_text())
    config["max_position_embeddings"] = 1000000
    (directory / "config.json").write_text(json.dumps(config))
    if text:
        (directory / "tokenizer.json").write_text(json.dumps(tokenizer()))
        (directory / "tokenizer_config.json").write_text(
            json.dumps({"chat_template": TEMPLATE, "eos_token": "<end>"}))
    return directory
