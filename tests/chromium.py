"""A headless Chromium, driven through its DevTools pipe: no driver, no package, no port."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import time

PROGRAM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--hide-scrollbars"),
    # WebGL on the processor, as machines without a graphics card need it.
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-extensions", "--disable-dev-shm-usage"),
)

# The browser reads from descriptor 3 and writes to 4. (A function for Popen's preexec_fn would do
# as well, but not safely in a process with threads such as TensorFlow's.)
_LAUNCH = """
import fcntl, os, sys
reading, writing = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(reading, 3)
os.dup2(writing, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Chromium:
    """One page of a browser.

    Attributes:
      problems: texts of console errors and uncaught exceptions.
      requests: addresses that the page asked for.
    """

    def __init__(self, profile):
        """Starts the browser with an empty profile in a folder."""
        to_browser, commands = os.pipe()
        answers, from_browser = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(to_browser), str(from_browser)]
            + [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._commands, self._answers = os.fdopen(commands, "wb"), os.fdopen(answers, "rb")
        self._numbers, self._rest, self._session = itertools.count(1), b"", None
        self.problems, self.requests = [], []
        page = next(
            target
            for target in self.call("Target.getTargets")["targetInfos"]
            if target["type"] == "page"
        )
        self._session = self.call(
            "Target.attachToTarget", targetId=page["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def call(self, method, **parameters):
        """Sends a command and returns its result; what happens meanwhile is noted."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _read(self):
        while b"\0" not in self._rest:
            piece = os.read(self._answers.fileno(), 1 << 16)
            assert piece, "Chromium has gone."
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        method, values = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning"):
            self.problems.append(str([a.get("value") for a in values["args"]]))
        elif method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.problems.append(values["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])

    def open(self, path, width=1280, height=900, dark=False, phone=False):
        """Opens a file and waits until its scripts have run."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def run(self, script):
        """Evaluates an expression in the page and returns its value."""
        result = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, f"{script}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def wait(self, condition, seconds=180):
        """Waits until an expression is true in the page."""
        deadline = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < deadline, f"{condition} did not come true; {self.problems}"
            time.sleep(0.05)

    def screenshot(self, whole_page=False):
        """The page as it is seen, PNG bytes."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        options = {"captureBeyondViewport": whole_page}
        if whole_page:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {**size, "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", **options)["data"])

    def drag(self, start, end, steps=4):
        """Drags the mouse, pixels of the window."""
        self._mouse("mousePressed", start)
        for step in range(1, steps + 1):
            share = step / steps
            place = [a + (b - a) * share for a, b in zip(start, end, strict=True)]
            self._mouse("mouseMoved", place)
        self._mouse("mouseReleased", end)

    def _mouse(self, kind, place):
        self.call(
            "Input.dispatchMouseEvent",
            **{"type": kind, "x": place[0], "y": place[1], "button": "left"},
            **{"buttons": 0 if kind == "mouseReleased" else 1, "clickCount": 1},
        )

    def pinch(self, middle, before, after):
        """Spreads two fingers, pixels of the window."""
        for kind, wide in (("touchStart", before), ("touchMove", after), ("touchEnd", None)):
            ends = [] if wide is None else (-wide / 2, wide / 2)
            points = [
                {"x": middle[0] + end, "y": middle[1], "id": number}
                for number, end in enumerate(ends)
            ]
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def press(self, key, code, text=""):
        """Presses and releases a key."""
        names = {"key": key, "code": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **names)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=code)

    def close(self):
        """Ends the browser."""
        self._commands.close()  # it leaves when its pipe ends
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
