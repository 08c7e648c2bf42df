"""What the measurements of `ringlet train` share."""

import json
import subprocess

# The end of a configuration whose run only steps: no checkpoint, no held-out loss.
ONLY_STEPS = """
[checkpoint]
every_steps = 1000000
every_minutes = 0
[evaluation]
every_steps = 0
"""


def make_shards(ringlet, directory, vocabulary, texts, *options):
    """directory/tokenizer and directory/data of files or directories of text."""
    tokenizer = directory / "tokenizer"
    for command in (["tokenizer", "--vocab", str(vocabulary), "--out", tokenizer],
                    ["shards", "--tokenizer", tokenizer, "--out", directory / "data", *options]):
        subprocess.run([ringlet, "data", *command, "--quiet", *texts], check=True)


def steps(ringlet, config, count, *options):
    """The records of `count` steps of a run, as its log holds them."""
    output = subprocess.run([ringlet, "train", config, "--json", "--quiet", "--steps", str(count),
                             *options], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]
