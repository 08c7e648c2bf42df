#!/usr/bin/env python3
"""The chat page in a real browser, against a mock of the server's API.

    tests/page/page_test.py FILES [SHOTS]      (exit status 77 when Chromium is absent)

FILES is the folder that the build has assembled, with policy.txt beside it. SHOTS: where to leave
pictures of the page to look at.
"""

import pathlib
import shutil
import sys
import threading
import unittest

MISSING = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
try:
    from browser import Keys, PageCase
    from mock_server import ending, progress, text, thought
    import hostile
except ModuleNotFoundError as error:
    MISSING.append(str(error.name))
    PageCase = unittest.TestCase

ANSWER = r"""## Rings

The *mean* of $x_1, \dots, x_n$ is \(\bar x\), and **money** like $5 or $10 is not mathematics:

$$\sum_{i=1}^n i = \frac{n(n+1)}{2}$$

\[ e^{i\pi} + 1 = 0 \]

```python
def mean(values: list[float]) -> float:
    # An empty list has none.
    return sum(values) / len(values)
```

| kind | tokens/s | context |
|:-----|---------:|--------:|
| short | 31.5 | 4 096 |
| long | 12.25 | 262 144 |

- [x] a list with `code`
- and a [link](https://example.org/a?b=1&c=2)

> A quotation.
"""


class Conversation(PageCase):
    def test_streams_markdown_code_mathematics_and_thoughts(self):
        more, rest = threading.Event(), threading.Event()
        self.mock.script = lambda body: [
            thought("Let me think about *rings*."), more, text("First **words**.\n\n"), rest,
            *[text(ANSWER[i:i + 7]) for i in range(0, len(ANSWER), 7)], *ending()]
        self.open()
        self.send("What is a ring?")
        self.wait(lambda: "Thinking\u2026" in self.text(".thoughts summary"), "the thinking")
        self.wait_text(".thoughts summary", "1 s")
        self.assertFalse(self.one(".thoughts .text").is_displayed())
        more.set()
        self.wait_text(".answer strong", "words")  # while the rest is not there yet
        self.assertTrue(self.one("#stop").is_displayed())
        self.assertRegex(self.text(".thoughts summary"), "Thought for")
        rest.set()
        self.wait_idle()
        answer = ".answer "
        self.assertEqual(self.text(answer + "h2"), "Rings")
        self.assertEqual(len(self.all(answer + ".math-inline .katex")), 2)
        self.assertEqual(len(self.all(answer + ".math-display .katex-display")), 2)
        self.assertIn("$5 or $10", self.text(answer))
        self.assertEqual(self.text(answer + ".hljs-keyword"), "def")
        self.assertEqual([self.one(answer + f"td:nth-child({n})").value_of_css_property("text-align")
                          for n in (1, 2)], ["left", "right"])
        link = self.one(answer + "a")
        self.assertEqual(link.get_attribute("href"), "https://example.org/a?b=1&c=2")
        self.assertEqual(link.get_attribute("target"), "_blank")
        figures = self.text(".assistant footer .figures")
        for part in ("40 tokens", "20.0 tokens/s", "100 cached"):
            self.assertIn(part, figures)
        self.assertEqual(self.text("#gauge .figures"), "160 / 4.1k")
        self.assertIn("Answer complete", self.text("#live"))
        self.one(".thoughts summary").click()
        self.wait_text(".thoughts em", "rings")
        body = self.mock.bodies[0]
        self.assertEqual(body["messages"], [{"role": "user", "content": "What is a ring?"}])
        self.assertTrue(body["stream"] and body["stream_options"]["include_usage"])

    def test_code_is_copied(self):
        self.mock.script = lambda body: [text("```sh\necho 'a' && b\n```\n"), *ending()]
        self.open()
        self.ask("code")
        self.browser.set_permissions("clipboard-read", "granted")
        self.one(".code-head button").click()
        self.wait_text("#live", "Copied")
        self.assertEqual(self.js("return navigator.clipboard.readText()"), "echo 'a' && b")

    def test_edit_branch_and_regenerate(self):
        self.mock.script = lambda body: [
            text(f"Answer {len(self.mock.bodies)} to {body['messages'][-1]['content']}"), *ending()]
        self.open()
        self.ask("one")
        self.ask("two")
        self.hover_click(".message:nth-child(1) [aria-label=Edit]")
        self.focus().send_keys(Keys.CONTROL, "a")
        self.focus().send_keys("uno", Keys.ENTER)
        self.wait_text(".answer", "Answer 3 to uno")
        self.wait_idle()
        self.assertEqual(len(self.all(".message")), 2)
        self.assertIn("2/2", self.text(".user .turner"))
        self.hover_click(".user [aria-label='Previous version']")
        self.wait(lambda: len(self.all(".message")) == 4, "the first branch")
        self.assertIn("1/2", self.text(".user .turner"))
        self.hover_click(".message:nth-child(4) [aria-label='Another answer']")
        self.wait_text(".message:nth-child(4)", "Answer 4 to two")
        self.wait_idle()
        self.assertIn("2/2", self.text(".message:nth-child(4) .turner"))
        # The whole branch is sent, and nothing of the others.
        self.assertEqual([m["content"] for m in self.mock.bodies[3]["messages"]],
                         ["one", "Answer 1 to one", "two"])
        self.hover_click(".message:nth-child(4) [aria-label='Previous version']")
        self.wait_text(".message:nth-child(4)", "Answer 2 to two")

    def test_stop_and_continue(self):
        never = threading.Event()
        self.mock.script = lambda body: [text("Half a sen"), never]
        self.open()
        self.send("go")
        self.wait_text(".answer", "Half a sen")
        self.one("#stop").click()
        self.wait_idle()
        self.assertTrue(self.mock.disconnected.wait(10))
        self.assertIn("stopped", self.text(".assistant .figures"))
        self.assertEqual(self.focus().get_attribute("id"), "prompt")
        self.mock.script = lambda body: [text("tence."), *ending()]
        self.hover_click(".assistant [aria-label=Continue]")
        self.wait_text(".answer", "Half a sentence.")
        self.wait_idle()
        body = self.mock.bodies[1]
        self.assertEqual(body["messages"][-1], {"role": "assistant", "content": "Half a sen"})
        self.assertIs(body["continue_final_message"], True)
        self.assertFalse(self.one(".assistant [aria-label=Continue]").is_displayed())

    def test_two_conversations_at_once(self):
        go = threading.Event()
        self.mock.script = lambda body: [text("Slow "), go, text("answer"), *ending()]
        self.open()
        self.send("first")
        self.wait_text(".answer", "Slow")
        self.one("#new").click()
        self.mock.script = lambda body: [text("Fast answer"), *ending()]
        self.ask("second")
        self.wait_text(".answer", "Fast answer")
        go.set()
        self.wait(lambda: not self.all("#conversations .busy"), "both answers")
        self.wait_text("#conversations li:nth-child(2)", "first")
        self.one("#conversations li:nth-child(2) .open").click()
        self.wait_text(".answer", "Slow answer")

    def test_documents(self):
        reading, answer = threading.Event(), threading.Event()
        self.mock.script = lambda body: [progress(1500, 3000, 500), reading,
                                         progress(3000, 3000, 500), answer, text("Read."),
                                         *ending(prompt=3000, cached=500)]
        self.open()
        self.drop("report.txt", "word " * 3000)
        self.wait_text("#attachments", "3k tokens")
        self.one("#files").send_keys(str(pathlib.Path(__file__).resolve()))
        self.wait_text("#attachments li:nth-child(2)", "page_test.py")
        self.drop("large.txt", "word " * 2000)
        self.wait_text("#attachments li:nth-child(3)", "does not fit")
        self.one("#attachments li:nth-child(3) button").click()
        self.one("#attachments li:nth-child(2) button").click()
        self.send("Summarize it")
        self.wait_text(".status", "Reading 1\u202f500 of 3\u202f000 tokens")
        self.assertIn("500 known already", self.text(".status"))
        self.assertAlmostEqual(self.one("progress").get_property("value"), 0.5)
        reading.set()
        self.wait_text(".status", "3\u202f000 of 3\u202f000")
        answer.set()
        self.wait_idle()
        self.assertIn("report.txt", self.text(".user .documents"))
        content = self.mock.bodies[0]["messages"][0]["content"]
        self.assertTrue(content.startswith('<document name="report.txt">\nword word'))
        self.assertTrue(content.endswith("</document>\n\nSummarize it"))
        self.drop("picture.png", "\0\1\2")
        self.wait_text("#toast", "not a text document")

    def test_long_paste_becomes_a_document(self):
        self.open()
        self.js("""
            const data = new DataTransfer();
            data.setData('text/plain', 'word '.repeat(2500));
            document.getElementById('prompt').dispatchEvent(new ClipboardEvent(
                'paste', {clipboardData: data, bubbles: true, cancelable: true}));""")
        self.wait_text("#attachments", "2.5k tokens")


class Trouble(PageCase):
    def test_hostile_answers_do_nothing(self):
        answers = iter(hostile.CORPUS)
        self.mock.script = lambda body: [text(next(answers)), *ending()]
        self.open()
        self.js("window.pwned = () => { document.title = 'PWNED'; window.hit = true; }")
        for start in range(0, len(hostile.CORPUS), 8):  # several conversations, so that each is short
            self.one("#new").click()
            for item in hostile.CORPUS[start:start + 8]:
                self.ask("next")
                self.assertEqual(self.js(hostile.INSPECT), [], item[:200])
                self.assertIsNone(self.js("return window.hit ?? null"), item[:200])
            self.assertEqual(len(self.browser.window_handles), 1)
            self.assertEqual(self.browser.current_url, self.mock.origin + "/")
        self.assertEqual(len(self.mock.bodies), len(hostile.CORPUS))

    def test_hostile_text_is_shown(self):
        self.mock.script = lambda body: [text("a <script>x</script> ![p](https://e.test/p.png) H<sub>2</sub>O"),
                                         *ending()]
        self.open()
        self.ask("<b>bold?</b>")
        self.assertIn("<script>x</script>", self.text(".answer"))
        self.assertEqual(self.text(".answer a"), "Image: p")
        self.assertEqual(self.text(".answer sub"), "2")
        self.assertEqual(self.text(".user .plain-text"), "<b>bold?</b>")
        self.assertEqual(self.text("#title"), "<b>bold?</b>")

    def test_api_key(self):
        self.expected_log = ["401 (Unauthorized)"]
        self.mock.key = "secret"
        self.open()
        self.wait_text("#key-text", "wants an API key")
        self.focus().send_keys("wrong", Keys.ENTER)
        self.wait_text("#key-text", "did not accept")
        self.focus().send_keys("secret", Keys.ENTER)
        self.wait_text("#model", "mock-7b")
        self.ask("hello")
        self.wait_text(".answer", "Hello.")
        self.assertNotIn("secret", self.js("return JSON.stringify({...localStorage})"))
        self.browser.refresh()
        self.wait_text("#model", "mock-7b")  # the tab still has it

    def test_errors_say_what_to_do(self):
        self.expected_log = ["400 (Bad Request)", "503 (Service Unavailable)"]
        refusals = [(400, {"error": {"message": "the prompt exceeds the context of 4096 tokens"}}),
                    (503, {"error": {"message": "loading"}}),
                    [text("Half"), {"error": {"message": "out of pages", "code": 500}}],
                    [text(" and"), None]]
        expected = ["Start a new conversation", "in a moment", "out of pages", "Continue takes it up"]
        self.mock.script = lambda body: refusals[len(self.mock.bodies) - 1]
        self.open()
        self.send("hello")
        for sentence in expected:
            self.wait_text(".problem", sentence)
            self.wait_idle()
            self.assertEqual(len(self.all(".message")), 2)
            if sentence == expected[-1]:
                self.mock.script = lambda body: [text(" more"), *ending()]
            self.one(".problem button").click()
        self.wait_text(".answer", "Half and more")
        self.assertFalse(self.one(".problem").is_displayed())

    def test_a_server_that_is_gone(self):
        self.expected_log = ["ERR_CONNECTION_REFUSED"]
        self.open()
        self.mock.close()
        self.send("anyone?")
        self.wait_text(".problem", 'Check that "ringlet serve" is still running')

    def test_a_base_model_is_pointed_out(self):
        self.mock.props = {"thinking": False, "chat_template": False}
        self.open()
        self.wait_text("#notice", "no chat template")
        self.one("#open-settings").click()
        self.assertFalse(self.one("#thinking-field").is_displayed())


class Keeping(PageCase):
    def titles(self):
        return [item.text for item in self.all("#conversations .open")]

    def test_reload_search_rename_delete(self):
        self.open()
        for title in ("apples", "pears"):
            self.one("#new").click()
            self.ask(title)
        self.wait(lambda: self.titles() == ["pears", "apples"], "the list")
        self.browser.refresh()
        self.wait_text(".user", "pears")
        self.wait(lambda: self.titles() == ["pears", "apples"], "the list")
        self.one("#search").send_keys("APPL")
        self.wait(lambda: self.titles() == ["apples"], "what was found")
        self.hover_click("#conversations li[data-id] [aria-label^=Rename]")
        self.focus().send_keys("fruit", Keys.ENTER)
        self.wait(lambda: self.titles() == ["fruit"], "the new title")
        self.one("#search").send_keys(Keys.BACKSPACE * 4)
        self.wait(lambda: len(self.titles()) == 2, "the list")
        self.hover_click("#conversations li.current [aria-label^=Delete]")
        self.wait(lambda: self.titles() == ["fruit"], "one less")
        self.assertEqual(self.all(".message"), [])
        self.one("#toast-action").click()
        self.wait(lambda: len(self.titles()) == 2, "the list")

    def test_reload_amid_an_answer_keeps_it(self):
        never = threading.Event()
        self.mock.script = lambda body: [text("Kept "), 2.1, text("half"), never]
        self.open()
        self.send("go")
        self.wait_text(".answer", "Kept half")
        self.browser.refresh()
        self.wait_text(".answer", "Kept half")
        self.hover_click(".assistant [aria-label=Continue]")

    def test_export_and_import(self):
        self.mock.script = lambda body: [thought("hm"), text("An answer"), *ending()]
        self.open()
        self.drop("a.txt", "some words")
        self.wait_text("#attachments", "2 tokens")
        self.ask("keep this")
        self.one("#export").click()
        self.wait(lambda: list(self.downloads.glob("ringlet-*.json")), "the file")
        file = next(self.downloads.glob("ringlet-*.json"))
        self.hover_click("#conversations [aria-label^=Delete]")
        self.wait(lambda: not self.titles(), "an empty list")
        self.one("#import-file").send_keys(str(file))
        self.wait(lambda: self.titles() == ["keep this"], "the imported conversation")
        self.one("#conversations .open").click()
        self.wait_text(".answer", "An answer")
        self.assertIn("a.txt", self.text(".documents"))
        bad = self.downloads / "bad.json"
        for content, why in (("[]", "not exported by this page"), ("{", "JSON"),
                             ('{"format":"ringlet-conversations","conversations":[{"messages":'
                              '[{"role":"user","parent":"x"}]}]}', "without parent")):
            bad.write_text(content)
            self.one("#import-file").send_keys(str(bad))
            self.wait_text("#toast", why)
        self.assertEqual(self.titles(), ["keep this"])

    def test_settings(self):
        self.open()
        self.one("#open-settings").click()
        self.one("#set-system").send_keys("Be brief.")
        for name, value in (("temperature", "0.5"), ("top_k", "40"), ("min_p", "7"), ("seed", "3")):
            self.one(f"#set-{name}").send_keys(value)
            if name == "min_p":
                self.wait_text("#settings-error", "Min p: a number from 0 to 1")
        self.one("#set-thinking option[value=off]").click()
        self.keys(Keys.ESCAPE)
        self.browser.refresh()
        self.wait_text("#model", "mock-7b")
        self.ask("hello")
        body = self.mock.bodies[0]
        self.assertEqual(body["messages"][0], {"role": "system", "content": "Be brief."})
        self.assertEqual((body["temperature"], body["top_k"], body["seed"]), (0.5, 40, 3))
        self.assertNotIn("min_p", body)
        self.assertNotIn("top_p", body)
        self.assertEqual(body["chat_template_kwargs"], {"enable_thinking": False})


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    if MISSING:
        print(f"skipped: {', '.join(MISSING)} not found (tools/install_deps.sh page installs them)")
        sys.exit(77)
    from looks_test import Keyboard, Looks  # noqa: F401  (unittest finds them here)
    PageCase.folder = pathlib.Path(sys.argv[1])
    PageCase.policy = (PageCase.folder.parent / "policy.txt").read_text().strip()
    PageCase.shots = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else None
    unittest.main(argv=sys.argv[:1], verbosity=2)
