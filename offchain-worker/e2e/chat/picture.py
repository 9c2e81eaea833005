"""A picture of the live page by a headless Chromium. PYTHONPATH must lead to the gateway's `browser.py`."""

import argparse
import base64
import time

import browser

STATE = "document.getElementById('state')?.textContent"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--png", required=True)
    parser.add_argument("--width", type=int, default=1240)
    parser.add_argument("--wait", default="true", help="a piece of JavaScript that must be true before")
    options = parser.parse_args()
    if not browser.installed():
        raise SystemExit("picture: no Chromium: apt-get install chromium")
    page = browser.Browser(options.url)
    try:
        page.call("Emulation.setDeviceMetricsOverride", width=options.width, height=900, deviceScaleFactor=1, mobile=False)
        page.wait(STATE, "live")
        page.wait(f"Boolean({options.wait})", True)
        # Its chart is of whole seconds.
        time.sleep(1.5)
        height = page.value("document.documentElement.scrollHeight")
        page.call("Emulation.setDeviceMetricsOverride", width=options.width, height=height, deviceScaleFactor=1, mobile=False)
        time.sleep(0.5)
        shot = page.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)
        if page.failures:
            raise SystemExit(f"picture: a script of the page failed: {page.failures}")
        with open(options.png, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
    finally:
        page.close()


if __name__ == "__main__":
    main()
