#!/usr/bin/env python3
"""The data of models/ringlet-nano: cleaning, readers, splits, recall tasks and their evaluation."""

import collections
import json
import pathlib
import random
import re
import shutil
import sys
import tempfile
import types
import unittest
import unittest.mock
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/nano"))

import bpe  # noqa: E402
import clean  # noqa: E402
import copy_tasks  # noqa: E402
import extract  # noqa: E402
import heldout  # noqa: E402
import prepare_data  # noqa: E402
import recall_eval  # noqa: E402
import recall_tasks  # noqa: E402
from sources import SOURCES  # noqa: E402

PROSE = ("It is a truth that a small model of a language learns from what it reads, and that which "
         "it reads should therefore be written by someone who has something to say.")


class CleanTest(unittest.TestCase):
    def test_tidy_gives_plain_typography(self):
        self.assertEqual(clean.tidy("\u201cIt\u2019s\u00a0 _so_,\u201d he\n said\u2014then"),
                         '"It\'s so," he said--then')
        self.assertEqual(clean.tidy("one , two ."), "one, two.")
        self.assertEqual(clean.tidy("a file_name_here stays"), "a file_name_here stays")

    def test_unwrap_joins_lines_between_empty_ones(self):
        self.assertEqual(list(clean.unwrap(["a", " b ", "", "", "c"])), ["a b", "c"])

    def test_prose_is_told_from_code_tables_and_other_languages(self):
        self.assertTrue(clean.is_prose(PROSE))
        for other in ("for (int i = 0; i < n; ++i) { sum += values[i]; } return sum / n; // done",
                      "alpha 12 34.5 beta 17 22.1 gamma 93 11.0 delta 11 42.7 epsilon 31 77.2.",
                      "Die Verwendung von Programmen und Daten auf diesem Rechner ist geregelt in "
                      "einer Ordnung.", PROSE[:-1] + "x" * 50 + "."):
            self.assertFalse(clean.is_prose(other), other)

    def test_books_keep_short_lines(self):
        self.assertTrue(clean.is_prose('"Oh!" said she.', strict=False))
        self.assertFalse(clean.is_prose('"Oh!" said she.'))

    def test_headings_stay_only_above_prose(self):
        self.assertEqual(clean.clean(["First", "Second", PROSE, "Last"]), ["Second", PROSE])

    def test_key_ignores_case_and_punctuation(self):
        self.assertEqual(clean.paragraph_key("A b, C."), clean.paragraph_key("a  b c"))
        self.assertNotEqual(clean.paragraph_key("a b"), clean.paragraph_key("a c"))

    def test_cut_keeps_every_paragraph_in_order(self):
        paragraphs = [str(n) * (n % 7 + 1) for n in range(100)]
        pieces = list(clean.cut(paragraphs, 60))
        self.assertEqual([p for piece in pieces for p in piece], paragraphs)
        self.assertTrue(all(sum(map(len, piece)) < 90 for piece in pieces))
        self.assertEqual(list(clean.cut([], 60)), [])


class ExtractTest(unittest.TestCase):
    def test_html_leaves_out_navigation_tables_and_code(self):
        text = ("<html><head><title>t</title></head><body><div class='navheader'>no<div>no</div></div>"
                "<h1>Head</h1><p>One <b>bold</b> word<br>line &amp; more<table><tr><td>no</table>"
                "<pre>no</pre><p>Last</body></html>")
        self.assertEqual(extract.from_html(text), ["Head", "One bold word", "line & more", "Last"])

    def test_rst(self):
        text = ("Title\n=====\n\nSee :ref:`the list <x>` and ``code`` and `site <http://a>`_.\n\n"
                ".. code-block:: c\n\n   no\n\nLiteral::\n\n   no\n\n- item\n  goes on\n")
        self.assertEqual(list(extract.from_rst(text)),
                         ["Title", "See the list and code and site.", "Literal:", "item goes on"])

    def test_pod(self):
        text = "=head1 NAME\n\nUse B<this> or C<< a > b >> and L<that|perlfoo>, E<lt>.\n\n  code\n"
        self.assertEqual(list(extract.from_pod(text)), ["NAME", "Use this or a > b and that, <."])

    def test_man(self):
        text = (".TH X 1\n.SH DESCRIPTION\nThe\n.B \"big one\"\nand\n.BR open (2),\n\\fIso\\fP on.\n"
                ".nf\nno\n.fi\n.PP\nEnd.\n")
        self.assertEqual(list(extract.from_man(text)),
                         ["Description", "The big one and open(2), so on.", "End."])

    def test_markdown(self):
        text = "# Head\n\nA [link](x) and **bold** said so [Someone, p. 12].\n\n1. first\n2. second\n"
        self.assertEqual(list(extract.from_markdown(text)),
                         ["Head", "A link and bold said so.", "first", "second"])

    def test_dictionaries(self):
        entry = 'Ring \\Ring\\, n. [AS. hring;\n   akin.]\n   1. A {circle} of gold.\n   [1913]\n'
        self.assertEqual(list(extract.from_gcide(entry)), [])
        longer = entry.replace("of gold", "of gold on a finger")
        self.assertEqual(list(extract.from_gcide(longer)),
                         ["Ring: A circle of gold on a finger."])
        line = "00001740 03 n 01 living_thing 0 003 ~ 0 | a thing that lives  \n"
        self.assertEqual(list(extract.from_wordnet(line)), ["living thing: a thing that lives."])

    def test_strings_of_r_objects(self):
        strings = ["first line", "", "second line"]
        data = b"".join(b"\x00\x04\x00\x09" + len(s).to_bytes(4, "big") + s.encode()
                        for s in strings)
        packed = (len(data).to_bytes(4, "big") + zlib.compress(data)) * 2
        blobs = list(extract.r_objects(packed))
        self.assertEqual(blobs, [data, data])
        self.assertEqual(list(extract.r_strings(data)), strings)
        self.assertEqual(list(extract.r_strings(data[:-3])), strings[:2])


class ScratchTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)


class PrepareTest(ScratchTest):
    def write_source(self, name, documents):
        lines = [json.dumps({"name": str(n), "paragraphs": d}) for n, d in enumerate(documents)]
        (self.root / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        return types.SimpleNamespace(package=name, group="prose", what="w", licence="l")

    def test_splits_share_no_paragraph_and_lose_none(self):
        rng = random.Random(1)
        make = [[f"{PROSE} {rng.random()}" for _ in range(5)] for _ in range(200)]
        again = [[make[n][2], f"{PROSE} again {n}", f"{PROSE} more {n}"] for n in range(200)]
        sources = [self.write_source("a", make), self.write_source("b", again)]
        with unittest.mock.patch.dict(prepare_data.HELD_OUT, prose=0.2):
            rows = prepare_data.split(sources, self.root, self.root / "out")
        train = [json.loads(line)["text"] for name in "ab" for line in
                 (self.root / f"out/corpus/prose/{name}.jsonl").read_text().splitlines()]
        held = [json.loads(line)["text"] for line in
                (self.root / "out/heldout/heldout.jsonl").read_text().splitlines()]
        train_paragraphs = [p for text in train for p in text.split("\n\n")]
        held_paragraphs = [p for text in held for p in text.split("\n\n")]
        self.assertEqual(set(train_paragraphs) & set(held_paragraphs), set())
        everything = train_paragraphs + held_paragraphs
        self.assertEqual(len(everything), len(set(everything)))
        self.assertEqual(set(everything), {p for d in make + again for p in d})
        self.assertEqual(sum(r["heldout_documents"] for r in rows), len(held))
        self.assertTrue(40 < len(held) < 130, len(held))

    def test_a_document_keeps_its_split_when_text_is_added(self):
        text = [PROSE + str(n) for n in range(50)]
        before = [t for t in text if prepare_data.is_held_out(t, 0.3)]
        self.assertTrue(0 < len(before) < 50)
        self.assertTrue(all(prepare_data.is_held_out(t, 0.5) for t in before))

    def test_table_has_every_source_and_the_sum(self):
        row = {"documents": 1, "bytes": 2_000_000, "heldout_documents": 1, "heldout_bytes": 3_000}
        text = prepare_data.table(list(SOURCES), [row] * len(SOURCES), ["1"] * len(SOURCES))
        for source in SOURCES:
            self.assertIn(f"| {source.package} | 1 | {source.group} |", text)
        self.assertIn(f"| {2 * len(SOURCES):.2f} | {3 * len(SOURCES)} |", text)

    def test_sources_are_named_once_and_pinned(self):
        names = [source.package for source in SOURCES]
        self.assertEqual(len(names), len(set(names)))
        needed = set(names) | {n for source in SOURCES for n in source.needs}
        self.assertEqual(needed, set(prepare_data.read_pins()))

    def test_missing_package_says_what_to_do(self):
        refused = types.SimpleNamespace(stderr="E: no such package", returncode=100)
        with unittest.mock.patch("subprocess.run", return_value=refused), \
                self.assertRaisesRegex(prepare_data.PrepareError, "no such package\nnext step"):
            prepare_data.download("ringlet-no-such-package", self.root, {}, False)


class CopyTest(unittest.TestCase):
    WORDS = [f"{a}{b}{c}" for a in "bcdf" for b in "aeiou" for c in "lmnrst"]

    def test_all_but_the_first_copy_is_known(self):
        rng = random.Random(4)
        for _ in range(200):
            text = copy_tasks.repeated(rng, self.WORDS)
            self.assertTrue(any(len(set(text.split(separator))) == 1 and separator in text
                                for separator in copy_tasks.SEPARATORS), text)

    def test_pairs_come_three_times(self):
        rng = random.Random(5)
        for _ in range(200):
            counts = collections.Counter(
                word for word in re.findall("[a-z]+", copy_tasks.pairs(rng, self.WORDS))
                if word != "is")
            self.assertTrue(all(count % 3 == 0 for count in counts.values()), counts)

    def test_words_are_single_tokens_that_the_evaluation_lacks(self):
        with tempfile.TemporaryDirectory() as scratch:
            vocabulary = {token: n for n, token in enumerate(
                ("\u0120river", "river", "\u0120of", "\u0120amber", "\u0120River", "\u0120stone"))}
            path = pathlib.Path(scratch)
            (path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
            self.assertEqual(copy_tasks.single_tokens(path), ["river", "stone"])


class RecallTest(ScratchTest):
    def setUp(self):
        super().setUp()
        vocab = {character: n for n, character in enumerate(bpe.byte_alphabet())}
        merges = [["t", "h"], ["th", "e"], ["\u0120", "the"], [".", "\u010a"]]
        for left, right in merges:
            vocab[left + right] = len(vocab)
        (self.root / "tokenizer.json").write_text(
            json.dumps({"model": {"vocab": vocab, "merges": merges}}))
        self.bpe = bpe.Bpe(self.root)
        rng = random.Random(2)
        words = ["".join(rng.choice("abcdefghijklmnop") for _ in range(rng.randint(4, 8)))
                 for _ in range(900)]
        lines = []
        for _ in range(40):
            paragraphs = [" ".join(rng.choice(words) for _ in range(30)).capitalize() + "."
                          for _ in range(20)]
            lines.append(json.dumps({"text": "\n\n".join(paragraphs)}))
        (self.root / "filler.jsonl").write_text("\n".join(lines))
        self.filler = recall_tasks.Filler([self.root / "filler.jsonl"])

    def maker(self, task, seed=1):
        return recall_tasks.Maker(self.bpe, self.filler, seed, {task: 1.0})

    def test_bpe(self):
        self.assertEqual(len(self.bpe.encode("the the")), 2)
        self.assertEqual(self.bpe.encode("12"), [49, 50])
        self.assertEqual(self.bpe.count(".\n\nthe"), 3)
        self.assertEqual(bpe.WORD.findall("It's a dog-house, 12.\n\nNo"),
                         ["It", "'s", " a", " dog", "-house", ",", " ", "1", "2", ".\n\n", "No"])

    def test_documents_have_exactly_the_length(self):
        for task in ("facts", "needle", "pairs", "copy", "words"):
            maker = self.maker(task)
            for length in (600, 1700, 5000):
                self.assertEqual(self.bpe.count(maker.document(length)), length - 1, task)

    def test_every_question_has_its_fact_before_it(self):
        asked = 0
        for seed in range(20):
            text = self.maker("facts", seed).document(4000)
            for match in recall_tasks.re.finditer(
                    r"What is the ([^?]+)\? The \1 is ([^.]+)\.", text):
                value = match[2]
                before = text[:match.start()]
                self.assertTrue(value in before or value[0].upper() + value[1:] in before)
                asked += 1
        self.assertGreater(asked, 100)

    def test_needle_is_asked_at_the_end(self):
        text = self.maker("needle").document(1500)
        last = text.split("\n\n")[-1]
        fact = last.split("? ")[1]
        self.assertEqual(text.count(fact), 2, last)

    def test_lengths_fill_the_sequence(self):
        rng = random.Random(3)
        for _ in range(200):
            parts = recall_tasks.lengths(rng, 16384, 200, 4096)
            self.assertEqual(sum(parts), 16384)
            self.assertTrue(all(200 <= part <= 4096 for part in parts), parts)
        self.assertEqual(recall_tasks.lengths(rng, 2048, 2048, 2048), [2048])

    def test_evaluation_words_are_not_trained_on(self):
        used = set(self.filler.words)
        self.assertFalse(used & {*recall_tasks.EVALUATION_KEYS, *recall_tasks.EVALUATION_VALUES})

    def test_shares_are_checked(self):
        self.assertEqual(recall_tasks.parse_shares("facts=1,copy=0.5"), {"facts": 1, "copy": 0.5})
        with self.assertRaisesRegex(ValueError, "needles"):
            recall_tasks.parse_shares("needles=1")

    def test_prompt_has_the_fact_at_its_depth(self):
        for depth in (0, 50, 100):
            text, answer, distance = recall_eval.prompt(self.filler, self.bpe, 3000, depth,
                                                        random.Random(7))
            place = text.index(" is " + answer)
            self.assertAlmostEqual(place / len(text), depth / 100, delta=0.15)
            self.assertTrue(text.endswith(" is"))
            self.assertAlmostEqual(distance, 3000 * (1 - depth / 100), delta=400)
            self.assertLessEqual(self.bpe.count(text), 3000)

    def test_found_means_the_whole_value(self):
        self.assertTrue(recall_eval.is_found(" 123. And", "123."))
        self.assertFalse(recall_eval.is_found(" 1234.", "123."))

    def test_table_and_plot(self):
        cells = [{"length": n, "depth": d, "found": 1, "trials": 2, "distance": n * (100 - d) / 100}
                 for n in (512, 1024) for d in (0, 50)]
        result = {"name": "a<b", "cells": cells}
        self.assertIn("| 1,024 | 1/2 | 1/2 | 50 % |", recall_eval.markdown(result))
        self.assertEqual(recall_eval.by_distance(result), [(256, 0.5), (512, 0.5), (1024, 0.5)])
        picture = recall_eval.svg([result, result])
        self.assertEqual(picture.count("<polyline"), 2)
        self.assertIn("a&lt;b", picture)


class HeldoutTest(ScratchTest):
    def test_windows_score_every_token_but_the_first_once(self):
        for count in (1, 2, 7, 64, 65, 1000):
            scored = [t for read, first, end in heldout.windows(count, 64, 16)
                      for t in range(first, end)]
            self.assertEqual(scored, list(range(1, count)))
        for read, first, end in heldout.windows(1000, 64, 16):
            self.assertTrue(read == 0 or first - read == 16)

    def test_bits_of_a_uniform_model(self):
        engine = types.SimpleNamespace(logprobs=lambda ids: [-heldout.math.log(256)] * (len(ids) - 1))
        self.assertAlmostEqual(heldout.document_bits(engine, [0] * 500, 256, 64, 16), 8 * 500)

    def test_xz(self):
        self.assertLess(heldout.xz_bits_per_byte(["abc" * 10000]), 0.2)


if __name__ == "__main__":
    unittest.main()
