#!/usr/bin/env python3
"""Each checking tool must fail on what it is there to find."""

import contextlib
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_docs  # noqa: E402
import check_layers  # noqa: E402
import check_objects  # noqa: E402
import summarize_tests  # noqa: E402


class ScratchTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class LayersTest(ScratchTest):
    def problems(self, name, include):
        self.write("src/base/status.h", "")
        self.write("src/tensor/dtype.h", "")
        self.write("src/engine/engine.h", "")
        self.write("src/train/loss.h", "")
        self.write(name, f"#pragma once\n  #  include {include}  // why\n")
        return check_layers.check_tree(self.root)

    def test_downward_include_is_allowed(self):
        self.assertEqual(self.problems("src/ops/add.h", '"tensor/dtype.h"'), [])

    def test_upward_include(self):
        found = self.problems("src/base/file.h", '"tensor/dtype.h"')
        self.assertEqual(len(found), 1)
        self.assertTrue(found[0].startswith("src/base/file.h:2: base includes"), found[0])

    def test_siblings_do_not_include_each_other(self):
        self.assertEqual(len(self.problems("src/engine/e.cc", '"train/loss.h"')), 1)
        self.assertEqual(len(self.problems("src/train/t.cc", '"engine/engine.h"')), 2)

    def test_io_knows_only_tensors(self):
        self.write("src/ops/add.h", "")
        self.assertEqual(len(self.problems("src/io/gguf.cc", '"ops/add.h"')), 1)

    def test_path_must_start_at_src(self):
        self.assertEqual(len(self.problems("src/tensor/shape.h", '"dtype.h"')), 1)

    def test_unknown_layer(self):
        self.assertEqual(len(self.problems("src/utils/u.h", '"base/status.h"')), 1)

    def test_intrinsics_only_in_ops(self):
        self.assertEqual(self.problems("src/ops/simd/x.h", "<immintrin.h>"), [])
        self.assertEqual(len(self.problems("src/nn/mlp.cc", "<immintrin.h>")), 1)

    def test_types_have_names_of_their_own(self):
        self.write("src/engine/sampler.h", "class Sampler {\n  struct Draw {\n};\n")
        self.write("src/train/batch.h", "struct Batch {\n  struct Draw {\nclass Sampler;\n")
        self.assertEqual(check_layers.check_names(self.root), [])
        self.write("src/train/sampler.h", "class Sampler final : public Source {\n};\n")
        self.assertEqual(check_layers.check_names(self.root), [
            "src/train/sampler.h: Sampler is the name of a type in src/engine/sampler.h"])

    def test_third_party_headers_are_confined(self):
        for header in ("<nlohmann/json.hpp>", "<CLI/CLI.hpp>", "<pcre2.h>", "<utf8proc.h>"):
            with self.subTest(header):
                self.assertEqual(len(self.problems("src/model/config.cc", header)), 1)


@unittest.skipUnless(shutil.which("g++"), "needs g++")
class ObjectsTest(ScratchTest):
    def compile(self, name, text):
        source = self.write("source.cc", text)
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["g++", "-O2", "-std=c++20", "-c", source, "-o", target], check=True)
        return target

    def setUp(self):
        super().setUp()
        self.table = "static int f(int x) { return x; }\nextern int (*const kTable)(int) = f;\n"
        self.plain = self.compile("lib/plain.o", "int g() { return 1; }\n")

    def problems(self, *kernels):
        return check_objects.check_build(list(kernels), self.root / "lib")[0]

    def test_one_table_is_right(self):
        self.assertEqual(self.problems(self.compile("k_avx2.dir/k.o", self.table)), [])

    def test_weak_symbol(self):
        text = self.table + "inline int w(int x) { return x + 1; }\nstatic auto p = w; auto q() { return p; }\n"
        self.assertIn("weak symbol", "".join(self.problems(self.compile("k_avx2.dir/k.o", text))))

    def test_second_export(self):
        text = self.table + "int extra() { return 2; }\n"
        self.assertIn("exports 2", "".join(self.problems(self.compile("k_avx2.dir/k.o", text))))

    @unittest.skipUnless(sys.platform == "linux" and "x86_64" in subprocess.getoutput("uname -m"),
                         "x86-64 only")
    def test_wide_instructions_outside_kernels(self):
        wide = ("typedef float V __attribute__((vector_size(32)));\n"
                "__attribute__((target(\"avx\"))) void h(V* v) { *v = *v + *v; }\n")
        self.compile("lib/wide.o", wide)
        kernel = self.compile("k_avx2.dir/k.o", self.table)
        self.assertIn("wide instruction", "".join(self.problems(kernel)))

    def test_empty_build_is_not_a_pass(self):
        self.assertTrue(self.problems())


class DocsTest(ScratchTest):
    def test_broken_link(self):
        page = self.write("README.md", "[a](docs/a.md) [b](docs/b.md#x) [w](https://example.org)\n")
        self.write("docs/a.md", "")
        found = check_docs.check_links(self.root, page)
        self.assertEqual(found, ["README.md:1: link to docs/b.md: no such file"])

    def test_map_names_existing_paths(self):
        page = self.write("README.md", "## Map\n\n| `src/base/` | x |\n| `src/gone/` | y |\n")
        self.write("src/base/status.h", "")
        found = check_docs.check_paths(self.root, page)
        self.assertEqual(found, ["README.md:4: `src/gone/`: no such path"])

    def test_marked_commands_run_and_can_fail(self):
        page = self.write("a.md", "```sh test\necho one\nfalse\n```\n\n```sh\nexit 9\n```\n"
                                  "```sh test=model\nexit 7\n```\n")
        blocks = list(check_docs.blocks(page))
        self.assertEqual([(b.line, b.mark) for b in blocks], [(1, "test"), (9, "test=model")])
        failure = check_docs.run_block(blocks[0], self.root)
        self.assertIn("a.md:1: exit status 1", failure)

    def test_unknown_subcommand(self):
        page = self.write("cli.md", "## ringlet run MODEL\n\n## ringlet walk MODEL\n")
        found = check_docs.check_commands(page, "Subcommands:\n  run  text\n  chat  text\n")
        self.assertEqual(found, ["cli.md: `ringlet walk` is not in --help",
                                 "cli.md: `ringlet chat` is in --help but has no section"])
        page = self.write("cli.md", "## ringlet run MODEL\n")
        self.assertEqual(check_docs.check_commands(page, "Subcommands:\n  run  x\n  run-far  x\n"),
                         ["cli.md: `ringlet run-far` is in --help but has no section"])


class SummaryTest(ScratchTest):
    def xml(self, body):
        return self.write("r/a.xml", f'<testsuites><testsuite name="S">{body}</testsuite></testsuites>')

    def test_counts(self):
        self.xml('<testcase name="a" status="run" result="completed" classname="S"/>'
                 '<testcase name="b" classname="S" result="completed"><failure message="m"/></testcase>'
                 '<testcase name="c" classname="S" result="skipped"><skipped message="why"/></testcase>')
        results = summarize_tests.read_gtest(self.root / "r")
        self.assertEqual([(r.name, r.outcome) for r in results],
                         [("S.a", "passed"), ("S.b", "failed"), ("S.c", "skipped")])
        self.assertEqual(results[2].why, "why")

    def test_unexpected_skip(self):
        rules = summarize_tests.read_rules(self.write("e.txt", "# c\ncpu:avx512_bf16 S.*Bf16\n"))
        skip = summarize_tests.Result("S.FooBf16", "skipped", "no instruction")
        other = summarize_tests.Result("S.Other", "skipped", "")
        lacking = summarize_tests.unexpected([skip, other], rules, lambda condition: False)
        self.assertEqual([r.name for r in lacking], ["S.Other"])
        having = summarize_tests.unexpected([skip], rules, lambda condition: True)
        self.assertEqual([r.name for r in having], ["S.FooBf16"])

    def test_a_rule_must_be_well_formed(self):
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            summarize_tests.read_rules(self.write("e.txt", "S.Foo\n"))


if __name__ == "__main__":
    unittest.main()
