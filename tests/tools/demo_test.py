#!/usr/bin/env python3
"""`make demo`: the model in the repository goes on with a text and finds what stands in a long one.

    tests/tools/demo_test.py build/release/ringlet
"""

import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/ringlet-nano"
sys.path.insert(0, str(ROOT / "tools"))

import demo  # noqa: E402

BINARY = ""


class DemoTest(unittest.TestCase):
    def test_the_fact_stands_where_it_should(self):
        text = demo.with_fact("a\n\nb\n\nc\n\nd\n", "X", 50)
        self.assertEqual(text, "a\n\nb\n\nX\n\nc\n\nd")
        self.assertTrue(demo.with_fact("a\n\nb", "X", 0).startswith("X"))
        self.assertTrue(demo.with_fact("a\n\nb", "X", 100).endswith("X"))

    def test_the_model_is_small(self):
        self.assertLess(sum(path.stat().st_size for path in MODEL.iterdir()), 12 << 20)

    def test_it_finds_facts(self):
        result = subprocess.run([sys.executable, ROOT / "tools/demo.py", "--program", BINARY],
                                capture_output=True, text=True, timeout=600)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("The answer was found.", result.stdout)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    BINARY = sys.argv.pop()
    unittest.main()
