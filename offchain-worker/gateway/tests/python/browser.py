"""A headless Chromium, spoken to over its debugging pipe: what the live page shows, and whether a script failed."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)
SECONDS = 60


def installed():
    return next((path for path in map(shutil.which, NAMES) if path), None)


def high(descriptor):
    """The same pipe's end out of the way of 3 and 4, where Chromium looks for them."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 20)
    os.close(descriptor)
    return moved


class Browser:
    """One page."""

    def __init__(self, url):
        self.profile = tempfile.mkdtemp()
        reads, self.writing = map(high, os.pipe())
        self.reading, writes = map(high, os.pipe())

        def place():
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        command = [installed(), *OPTIONS, f"--user-data-dir={self.profile}"]
        self.process = subprocess.Popen(
            command, pass_fds=(3, 4), preexec_fn=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(reads)
        os.close(writes)
        self.rest, self.count, self.session, self.failures = b"", 0, None, []
        target = self.call("Target.createTarget", url=url)["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Runtime.enable")
        self.call("Log.enable")

    def call(self, method, **parameters):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("method") == "Runtime.exceptionThrown":
                self.failures.append(answer["params"]["exceptionDetails"])
            if answer.get("method") == "Log.entryAdded" and answer["params"]["entry"]["level"] == "error":
                self.failures.append(answer["params"]["entry"])
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def receive(self):
        until = time.monotonic() + SECONDS
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.reading], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise TimeoutError("Chromium does not answer")
            data = os.read(self.reading, 1 << 16)
            if not data:
                raise EOFError("Chromium ended")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def value(self, script):
        """What a piece of JavaScript gives."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self, name):
        """What stands in the element of that id."""
        return self.value(f"document.getElementById({json.dumps(name)})?.textContent")

    def wait(self, script, wanted):
        """Waits until a piece of JavaScript gives a value."""
        until = time.monotonic() + SECONDS
        found = None
        while time.monotonic() < until:
            found = self.value(script)
            if found == wanted:
                return
            time.sleep(0.1)
        raise AssertionError(f"{script} is {found!r}, not {wanted!r}")

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        os.close(self.reading)
        os.close(self.writing)
        # Chromium's last helpers may still be writing there.
        shutil.rmtree(self.profile, ignore_errors=True)
