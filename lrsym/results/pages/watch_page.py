"""A page on this machine that shows a sweep while it runs; nothing beyond loopback reaches it."""

import errno
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lrsym.errors import UsageError
from lrsym.results.pages.render import render
from lrsym.results.plots.embedding import drawing_scripts

HOST = "127.0.0.1"

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Vega makes functions of the expressions in a chart.
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; connect-src 'self'; "
    "style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'none'",
}


class WatchServer(ThreadingHTTPServer):
    """Serves the page at `address`, and what `state` returns to it, every `seconds`.

    `state` gives a dict with lines, pictures (by kind, each with its spec, or words why there is none), over and at.
    `pictures` are the headings by kind, `theme` is light or dark. `port` 0 is any that is free. Raises
    UsageError where the port cannot be had.
    """

    daemon_threads = True

    def __init__(
        self,
        state: Callable[[], Mapping[str, Any]],
        *,
        title: str,
        pictures: Mapping[str, str],
        seconds: float,
        port: int,
        theme: str = "light",
    ) -> None:
        self._state, self._title, self._pictures, self._seconds, self._theme = state, title, pictures, seconds, theme
        self._lock, self._looked, self._last = threading.Lock(), -math.inf, b""
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
            raise UsageError(f"--port must be one that is free, {port} {why}; leave it out for any") from error
        self.address = f"http://{HOST}:{self.server_port}/"

    @cached_property
    def page(self) -> bytes:
        """The page, which asks for the state by itself."""
        return render(
            "results/pages/watch.html",
            theme=self._theme,
            title=self._title,
            pictures=self._pictures,
            seconds=self._seconds,
            scripts=drawing_scripts(),
        ).encode()

    def state(self) -> bytes:
        """Return what the page shows now, as JSON: for every page that asks at about the same time the same look."""
        with self._lock:
            if time.monotonic() - self._looked > self._seconds / 2:
                self._last, self._looked = json.dumps(self._state(), default=str).encode(), time.monotonic()
            return self._last

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the browser has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: WatchServer  # pyright: ignore[reportIncompatibleVariableOverride]  it is always this one

    def do_GET(self) -> None:
        # Else a page of somewhere else, whose name leads here, could read the results.
        port = self.server.server_port
        ours = {f"{name}:{port}" for name in (HOST, "localhost")} | ({HOST, "localhost"} if port == 80 else set())
        if self.headers.get("Host") not in ours:
            self.send_error(403)
        elif self.path == "/":
            self._answer("text/html; charset=utf-8", self.server.page)
        elif self.path == "/state.json":
            try:
                state = self.server.state()
            except Exception as error:
                self.send_error(500, explain=type(error).__name__)
                return
            self._answer("application/json", state)
        else:
            self.send_error(404)

    def _answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
