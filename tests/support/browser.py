"""Headless Chromium, spoken to by its DevTools protocol: what a page logs, asks for and shows."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

SECONDS = 60.0


def chromium() -> str | None:
    """Path of a Chromium, or None."""
    return (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )


class Browser:
    """One tab; `errors` and `requests` are those of the page opened last."""

    def __init__(self, folder: Path) -> None:
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--no-first-run",
            "--window-size=1200,1000",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            [str(chromium()), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._ids = itertools.count(1)
        self._open = contextlib.ExitStack()
        self._events: list[dict[str, Any]] = []
        self._socket = self._connect(folder / "DevToolsActivePort")
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def _connect(self, announced: Path) -> Any:
        from websockets.sync.client import connect

        deadline = time.monotonic() + SECONDS
        while not announced.is_file() or not announced.read_text().strip():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TimeoutError("Chromium did not start")
            time.sleep(0.05)
        port = announced.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=SECONDS) as answer:
            tab = next(target for target in json.load(answer) if target["type"] == "page")
        return self._open.enter_context(connect(tab["webSocketDebuggerUrl"], max_size=None))

    def close(self) -> None:
        """End the browser."""
        self._open.close()
        self._process.terminate()
        self._process.wait(SECONDS)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its answer; events that come meanwhile are kept."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=SECONDS))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._events.append(message)

    def open(self, url: str) -> None:
        """Load a page and wait until it is quiet."""
        self._events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression on the page."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression holds."""
        deadline = time.monotonic() + SECONDS
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{expression} did not become true")
            time.sleep(0.05)

    def texts(self, selector: str) -> list[str]:
        """Texts of all elements that a selector finds."""
        return self.evaluate(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)"
        )

    def go(self, script: str) -> None:
        """Run a script that leads to another page, and wait for that."""
        self.evaluate("window.here = true")
        self.evaluate(script)
        self.wait_for("window.here === undefined && document.readyState === 'complete'")

    def errors(self) -> list[str]:
        """What the console complained about, and scripts that failed."""
        self.evaluate("0")  # events that are on their way
        found = []
        for event in self._events:
            parameters = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in (
                "error",
                "warning",
            ):
                found.append(str(parameters["args"]))
            elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in (
                "error",
                "warning",
            ):
                found.append(str(parameters["entry"]))
        return found

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        self.evaluate("0")
        return [
            e["params"]["request"]["url"]
            for e in self._events
            if e.get("method") == "Network.requestWillBeSent"
        ]

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """The page as PNG; what is in view, or all of it."""
        path.write_bytes(
            base64.b64decode(
                self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
            )
        )
