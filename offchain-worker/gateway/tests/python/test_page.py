"""The live page in a real browser, without a network."""

import json
import unittest
import urllib.request

import browser
from served import Gateway

STATE = "document.getElementById('state')?.textContent"


@unittest.skipUnless(browser.installed(), "no Chromium: apt-get install chromium")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway("--open")
        cls.page = browser.Browser(cls.gateway.root + "/")
        cls.page.wait(STATE, "live")

    @classmethod
    def tearDownClass(cls):
        cls.page.close()
        assert cls.gateway.stop() == 0

    def test_the_numbers_follow_a_request(self):
        # GIVEN the page in a browser
        # WHEN a request is answered
        # THEN the page shows it by itself: request, model and tokens; and no script failed
        self.assertEqual(self.page.text("requests"), "0")
        body = json.dumps(
            {"model": "tales/plain", "prompt": "Once", "max_tokens": 12, "ignore_eos": True}
        ).encode()
        with urllib.request.urlopen(self.gateway.base_url + "/completions", data=body) as answer:
            self.assertEqual(answer.status, 200)
        self.page.wait("document.getElementById('requests').textContent", "1")
        rows = self.page.value(
            "[...document.querySelectorAll('#models tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"
        )
        self.assertEqual([row[0] for row in rows], ["tales", "tales/plain"])
        self.assertEqual([rows[1][1], rows[1][3]], ["1", "12"])
        self.assertEqual(self.page.text("spend"), "0 DOT")
        self.assertFalse(self.page.value("[...document.querySelectorAll('.chain')].some(part => !part.hidden)"))
        self.assertEqual(self.page.failures, [])

    def test_it_fits_a_phone_and_the_dark(self):
        # GIVEN the page
        # WHEN the screen is a phone's, and when the reader prefers the dark
        # THEN nothing sticks out, and the ground is dark
        size = dict(width=360, height=740, deviceScaleFactor=2, mobile=True)
        self.page.call("Emulation.setDeviceMetricsOverride", **size)
        self.assertLessEqual(self.page.value("document.documentElement.scrollWidth"), 360)
        ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
        for scheme, dark in (("light", False), ("dark", True)):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            self.page.call("Emulation.setEmulatedMedia", features=[feature])
            self.assertEqual(self.page.value(ground) < 128, dark)
        self.page.call("Emulation.clearDeviceMetricsOverride")


class Restart(unittest.TestCase):
    @unittest.skipUnless(browser.installed(), "no Chromium: apt-get install chromium")
    def test_the_page_says_when_the_gateway_is_gone(self):
        # GIVEN the page in a browser
        # WHEN the gateway stops
        # THEN the page says so
        gateway = Gateway("--open")
        page = browser.Browser(gateway.root + "/")
        try:
            page.wait(STATE, "live")
            self.assertEqual(gateway.stop(), 0)
            page.wait(f"{STATE}?.startsWith('not connected')", True)
        finally:
            page.close()


if __name__ == "__main__":
    unittest.main()
