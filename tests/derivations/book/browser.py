"""A headless Chromium, driven through a pipe by its own protocol."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
LISTEN = 'addEventListener("error", (e) => (window.faults ??= []).push(e.message || e.type), true);'


class Browser:
    """One page at a time."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        there, self.to = os.pipe()
        self.back, here = os.pipe()
        options = (
            "--headless --no-sandbox --disable-gpu --remote-debugging-pipe --hide-scrollbars"
            f" --user-data-dir={self.folder.name} 3<&{there} 4>&{here}"
        )
        self.process = subprocess.Popen(
            ["bash", "-c", f"exec {CHROMIUM} {options}"], pass_fds=(there, here),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(there)
        os.close(here)
        self.numbers, self.unread, self.session, self.requests = itertools.count(1), b"", None, []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network"):
            self.send(f"{domain}.enable")
        self.send("Performance.enable", timeDomain="threadTicks")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)

    def message(self):
        while b"\0" not in self.unread:
            self.unread += os.read(self.back, 1 << 20) or b'{"id": 0}\0'
        one, self.unread = self.unread.split(b"\0", 1)
        found = json.loads(one)
        if found.get("id") == 0:
            raise RuntimeError("the browser has ended")
        if found.get("method") == "Network.requestWillBeSent":
            self.requests.append(found["params"]["request"]["url"])
        return found

    def send(self, method, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (found := self.message()).get("id") != number:
            pass
        if "error" in found:
            raise RuntimeError(found["error"])
        return found["result"]

    def open(self, path, width=1280, scripts=True):
        """Load a file, without network."""
        self.requests.clear()
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.send("Network.emulateNetworkConditions", **offline)
        self.send("Page.navigate", url=f"file://{path}")
        until = time.monotonic() + 120
        while self.run("return [location.protocol, document.readyState]") != ["file:", "complete"]:
            assert time.monotonic() < until, "the page does not load"
            time.sleep(0.05)

    def run(self, code):
        """What the body of an asynchronous function returns (JSON)."""
        found = self.send("Runtime.evaluate", expression=f"(async () => {{{code}}})()",
                          awaitPromise=True, returnByValue=True)  # fmt: skip
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def faults(self):
        """Errors of scripts so far."""
        return self.run("return window.faults ?? []")

    def processor_time(self):
        """Of the thread that draws, in seconds."""
        found = self.send("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in found if one["name"] == "ThreadTime")

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)
        self.folder.cleanup()
