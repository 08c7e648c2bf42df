"""Chromium without a screen, and what the tests do with the page in it."""

import json
import pathlib
import tempfile
import unittest

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from mock_server import Mock

SECONDS = 30  # far more than anything takes, for machines that are busy


def start_browser(downloads):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--force-device-scale-factor=1", "--lang=en-US", "--window-size=1200,800",
                     "--disable-background-networking", "--disable-component-update",
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class PageCase(unittest.TestCase):
    """Every test has its own server, hence its own origin and empty storage. Afterwards nothing may
    have left the origin, and the console must be empty but for `expected_log`."""

    folder = policy = shots = browser = None

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.downloads = pathlib.Path(cls.scratch.name)
        cls.browser = start_browser(cls.downloads)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        cls.scratch.cleanup()

    def setUp(self):
        self.mock = Mock(self.folder, self.policy)
        self.expected_log = []
        self.browser.get_log("browser")
        self.browser.get_log("performance")

    def tearDown(self):
        try:
            self.check_requests()
            self.check_log()
        finally:
            self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
            self.browser.get("about:blank")
            self.mock.close()

    def check_requests(self):
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                self.assertTrue(url.startswith((self.mock.origin + "/", "blob:" + self.mock.origin,
                                                "about:")), f"a request to {url}")

    def check_log(self):
        for entry in self.browser.get_log("browser"):
            self.assertTrue(any(known in entry["message"] for known in self.expected_log),
                            f"in the console: {entry['message']}")

    # Finding and waiting.

    def open(self):
        self.browser.get(self.mock.origin + "/")
        self.wait(lambda: self.js("return document.activeElement.id") == "prompt" or
                  self.js("return document.querySelector('dialog[open]') !== null"), "the page")
        if self.mock.key is None:
            self.wait(lambda: self.text("#model") == "mock-7b", "the model's name")

    def js(self, code, *arguments):
        return self.browser.execute_script(code, *arguments)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def wait(self, condition, what):
        WebDriverWait(self.browser, SECONDS, 0.03,
                      ignored_exceptions=[StaleElementReferenceException]).until(
                          lambda _: condition(), f"waited for {what}")

    def wait_text(self, selector, wanted):
        self.wait(lambda: wanted in self.text(selector), f"{wanted!r} in {selector}")

    def wait_idle(self):
        self.wait(lambda: self.one("#send").is_displayed(), "the end of the answer")

    def focus(self):
        return self.browser.switch_to.active_element

    # Acting.

    def keys(self, *sequence):
        ActionChains(self.browser).send_keys(*sequence).perform()

    def chord(self, *keys):
        chain = ActionChains(self.browser)
        for key in keys[:-1]:
            chain.key_down(key)
        chain.send_keys(keys[-1])
        for key in reversed(keys[:-1]):
            chain.key_up(key)
        chain.perform()

    def send(self, message):
        self.one("#prompt").send_keys(message, Keys.ENTER)

    def ask(self, message):
        self.send(message)
        self.wait_idle()

    def hover_click(self, selector):
        """Clicks a button that shows itself when its message or line is pointed at."""
        element = self.one(selector)
        ActionChains(self.browser).move_to_element(
            element.find_element(By.XPATH, "ancestor::*[self::article or self::li][1]")).perform()
        element.click()

    def resize(self, width, height, scale=1):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": False})

    def prefer(self, scheme):
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def drop(self, name, content):
        self.js("""
            const data = new DataTransfer();
            data.items.add(new File([arguments[1]], arguments[0]));
            for (const type of ['dragover', 'drop']) {
              document.querySelector('main').dispatchEvent(new DragEvent(
                  type, {dataTransfer: data, bubbles: true, cancelable: true}));
            }""", name, content)

    def shot(self, name):
        if self.shots is not None:
            self.shots.mkdir(parents=True, exist_ok=True)
            self.browser.save_screenshot(str(self.shots / f"{name}.png"))
