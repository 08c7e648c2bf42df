"""The page by keyboard alone, on a phone, in the dark, and for screen readers. Part of page_test.py."""

import threading

from browser import Keys, PageCase
from mock_server import ending, progress, text, thought

WIDE = r"""A `very_long_identifier_that_does_not_break_anywhere_because_it_has_no_spaces_in_it_at_all` and
a word: Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaftsvorstand.

```cpp
std::unordered_map<std::string, std::vector<std::pair<int, double>>> lookup_table_of_values = {}; // long
```

| one | two | three | four | five | six | seven |
|---|---|---|---|---|---|---|
| aaaaaaaaaa | bbbbbbbbbb | cccccccccc | dddddddddd | eeeeeeeeee | ffffffffff | gggggggggg |

$$\int_0^\infty \frac{x^3}{e^x - 1} \, dx = \frac{\pi^4}{15} = \sum_{n=1}^{\infty} \frac{6}{n^4} = 6 \zeta(4) = 6.4939$$
"""

# Texts whose contrast with what lies behind them is below the 4.5 of WCAG AA.
FAINT = r"""
const rgb = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const color = rgb(getComputedStyle(e).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const faint = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility({opacityProperty: true})) continue;
  if (element.closest('noscript, .hidden-text, :disabled, .status, .katex')) continue;
  const [a, b] = [luminance(rgb(getComputedStyle(element).color)), luminance(behind(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) faint.push(`${node.data.trim().slice(0, 30)} ${contrast.toFixed(2)}`);
}
return faint;
"""


def example(body):
    from page_test import ANSWER
    return [thought("The user wants an example. *Show everything.*"), 0.3, text(ANSWER),
            *ending(prompt=3100, completion=412, cached=2900)]


class Keyboard(PageCase):
    def test_a_conversation_without_a_pointer(self):
        self.mock.script = lambda body: [text(f"Answer {len(self.mock.bodies)}"), *ending()]
        self.open()
        self.keys("first", Keys.ENTER)
        self.wait_text(".assistant", "Answer 1")
        self.wait_idle()
        self.keys(Keys.ARROW_UP)  # the field is empty: edit
        self.assertEqual(self.focus().get_attribute("aria-label"), "Edit the message")
        self.keys(" changed", Keys.ENTER)
        self.wait_text(".assistant", "Answer 2")
        self.wait_idle()
        self.assertEqual(self.mock.bodies[1]["messages"][0]["content"], "first changed")
        self.chord(Keys.ALT, Keys.ARROW_UP)
        self.assertEqual(self.focus().get_attribute("aria-label"), "Answer")
        self.keys("r")
        self.wait_text(".assistant", "Answer 3")
        self.wait_idle()
        self.chord(Keys.ALT, Keys.ARROW_UP)
        self.chord(Keys.ALT, Keys.ARROW_UP)
        self.assertEqual(self.focus().get_attribute("aria-label"), "You")
        self.keys(Keys.ARROW_LEFT)
        self.wait_text(".assistant", "Answer 1")
        self.assertEqual(self.focus().get_attribute("aria-label"), "You")
        self.keys("/")
        self.assertEqual(self.focus().get_attribute("id"), "prompt")

    def test_stop_by_escape(self):
        never = threading.Event()
        self.mock.script = lambda body: [text("On and on"), never]
        self.open()
        self.keys("go", Keys.ENTER)
        self.wait_text(".assistant", "On and on")
        self.keys(Keys.ESCAPE)
        self.wait_text(".assistant .figures", "stopped")
        self.assertEqual(self.focus().get_attribute("id"), "prompt")

    def test_list_and_dialogs(self):
        self.open()
        for title in ("alpha", "beta"):
            self.keys(title, Keys.ENTER)
            self.wait_text(".assistant", "Hello.")
            self.wait_idle()
            self.chord(Keys.ALT, Keys.SHIFT, "n")
        self.wait(lambda: len(self.all("#conversations .open")) == 2, "the list")
        self.chord(Keys.ALT, Keys.SHIFT, "f")
        self.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
        self.assertEqual(self.focus().text, "alpha")
        self.keys(Keys.F2)
        self.keys("gamma", Keys.ENTER)
        self.wait(lambda: self.focus().text == "gamma", "the focus on the new title")
        self.keys(Keys.DELETE)
        self.wait(lambda: self.focus().text == "beta", "the focus on the next one")
        self.keys(Keys.ENTER)
        self.wait_text(".user", "beta")
        self.chord(Keys.ALT, Keys.SHIFT, "s")
        self.assertTrue(self.one("#settings").is_displayed())
        self.keys(Keys.ESCAPE)
        self.assertFalse(self.one("#settings").is_displayed())
        self.js("document.activeElement.blur()")
        self.keys("?")
        self.wait_text("#shortcut-list", "New conversation")
        self.shot("shortcuts")

    def test_everything_has_a_name(self):
        self.mock.script = example
        self.open()
        self.drop("notes.txt", "some words")
        self.ask("hello")
        self.ask("again")
        for element in self.all("button, input, textarea, select, summary, article, [role=meter], a"):
            if element.is_displayed():
                self.assertTrue(element.accessible_name, element.get_attribute("outerHTML")[:200])


class Looks(PageCase):
    def test_light_and_dark(self):
        self.mock.script = example
        self.prefer("light")
        self.open()
        self.ask("Show me what you can render, please: mathematics, code and a table.")
        self.js("document.activeElement.blur()")
        self.assertEqual(self.js(FAINT), [])
        self.resize(1200, 1250)
        self.shot("light")
        light = self.js("return getComputedStyle(document.body).backgroundColor")
        self.prefer("dark")
        dark = self.js("return getComputedStyle(document.body).backgroundColor")
        self.assertNotEqual(light, dark)
        self.assertEqual(self.js(FAINT), [])
        self.shot("dark")
        self.one("#theme").click()
        self.assertEqual(self.js("return getComputedStyle(document.body).backgroundColor"), light)
        self.browser.refresh()  # what was chosen wins over the system, and stays
        self.assertEqual(self.js("return getComputedStyle(document.body).backgroundColor"), light)

    def test_phone(self):
        go = threading.Event()
        self.resize(360, 640, 2)
        self.mock.script = lambda body: [progress(900, 2000, 100), go, text(WIDE), *ending()]
        self.open()
        self.assert_no_sideways_scroll()
        self.assertFalse(self.one("#sidebar").is_displayed())
        self.shot("phone-welcome")
        self.drop("a document with quite a long name that goes on.txt", "word " * 2000)
        self.wait_text("#attachments", "2k tokens")
        self.send("A question of some length, so that it takes two lines at least on a phone")
        self.wait_text(".status", "Reading")
        self.shot("phone-reading")
        go.set()
        self.wait_idle()
        self.assert_no_sideways_scroll()
        self.shot("phone")
        self.one("#toggle-sidebar").click()
        self.assertTrue(self.one("#sidebar").is_displayed())
        self.assert_no_sideways_scroll()
        self.shot("phone-list")
        self.keys(Keys.ESCAPE)
        self.assertFalse(self.one("#sidebar").is_displayed())
        self.assertEqual(self.focus().get_attribute("id"), "toggle-sidebar")
        self.chord(Keys.ALT, Keys.SHIFT, "s")
        self.assert_no_sideways_scroll()
        self.shot("phone-settings")

    def assert_no_sideways_scroll(self):
        for selector in ("html", "main", "#scroll", "#messages"):
            wide, seen = self.js("const e = document.querySelector(arguments[0]);"
                                 "return [e.scrollWidth, e.clientWidth]", selector)
            self.assertLessEqual(wide, seen, selector)

    def test_settings_and_welcome(self):
        self.open()
        self.shot("welcome")
        self.one("#open-settings").click()
        self.shot("settings")

    def test_stays_where_the_reader_is(self):
        go = threading.Event()
        self.mock.script = lambda body: [text("line\n\n" * 80), go, text("end\n\n" * 20), *ending()]
        self.open()
        self.send("go")
        self.wait_text(".assistant", "line")
        at_end = "const s = document.getElementById('scroll');" \
                 "return s.scrollHeight - s.scrollTop - s.clientHeight < 5"
        self.wait(lambda: self.js(at_end), "the end")
        self.js("document.getElementById('scroll').scrollTop = 100")
        self.wait(lambda: self.one("#to-end").is_displayed(), "the button")
        go.set()
        self.wait_idle()
        self.assertEqual(self.js("return document.getElementById('scroll').scrollTop"), 100)
        self.one("#to-end").click()
        self.wait(lambda: self.js(at_end), "the end")
