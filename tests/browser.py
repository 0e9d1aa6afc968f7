"""Headless Chromium for tests of pages, driven by its own protocol through two pipes: no library, no port."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

BINARY = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip

SECONDS = 30
"""A page that takes longer hangs."""

KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "ArrowUp": 38, "ArrowDown": 40, "Tab": 9, "Enter": 13}


class Browser:
    """A browser with one page; `problems` are what its console and its log complain of, `requests` what it fetched."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._number, self._buffer = 0, b""
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (*os.pipe(), *os.pipe())]
        theirs_in, self._write, self._read, theirs_out = ends

        def connect() -> None:
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        assert BINARY
        words = [BINARY, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        self._process = subprocess.Popen(
            words, preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the answer to a command of the protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + SECONDS
        while (answer := self._receive(end)).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, path: Path, *, width: int = 1200, height: int = 900) -> None:
        """Load the page at `path` and wait until its script is through."""
        self.resize(width, height)
        self.send("Page.navigate", url=path.as_uri())
        assert self.wait("document.body && document.body.dataset.ready") == "yes", self.problems

    def resize(self, width: int, height: int = 900) -> None:
        """Show the page on a screen of so many pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript; a promise is waited for."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> Any:
        """Return what an expression gives as soon as that is true."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if found := self.evaluate(condition):
                return found
            time.sleep(0.05)
        raise AssertionError(f"waited in vain for {condition}; {self.problems}")

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of the first element that `selector` names."""
        x, y = self._middle(f"document.querySelector({json.dumps(selector)})")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, element: str) -> dict[str, str]:
        """Move the mouse to the middle of an element, an expression of JavaScript; return the tooltip, by its rows."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
        x, y = self._middle(element)
        for step in (3, 0):
            self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x - step, y=y - step)
        shown = "document.querySelector('#vg-tooltip-element.visible')"
        self.wait(f"!!{shown}")
        rows = f"[...{shown}.querySelectorAll('tr')].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        return {name.rstrip(":"): value for name, value in self.evaluate(rows)}

    def _middle(self, element: str) -> tuple[float, float]:
        """Return where the middle of an element stands, once it is in sight."""
        self.evaluate(f"({element}).scrollIntoView({{block: 'center', inline: 'center'}})")
        return self.evaluate(f"(r => [r.x + r.width / 2, r.y + r.height / 2])(({element}).getBoundingClientRect())")

    def press(self, key: str) -> None:
        """Press a key, as by a keyboard."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write what the page looks like."""
        image = self.send("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(image))

    def _receive(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            piece = os.read(self._read, 1 << 20) if ready else b""
            assert piece, "the browser does not answer"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.problems.append(json.dumps(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.problems.append(json.dumps(params["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
