"""What a worker sends to its driver: its reports, and between them signs that its process is alive."""

import contextlib
import enum
import select
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

SIGN_SECONDS = 5.0
"""How often a worker says that it is alive, whatever it is at. Its process says so, not its training: a step, a
compilation and an evaluation may each take minutes."""


class Sign(enum.Enum):
    """A message without content."""

    ALIVE = enum.auto()
    TAKEN = enum.auto()  # what the driver has handed out is begun


class News:
    """The worker's end of a connection, for all its threads. What nobody reads any more is dropped.

    From its making on it sends Sign.ALIVE every `seconds`, as long as the driver reads.
    """

    def __init__(self, connection: Connection, *, seconds: float = SIGN_SECONDS) -> None:
        self._connection, self._lock = connection, threading.Lock()
        threading.Thread(target=self._beat, args=(seconds,), daemon=True).start()

    def send(self, message: Any) -> None:
        """Send `message`."""
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(message)

    def _beat(self, seconds: float) -> None:
        with contextlib.suppress(OSError, ValueError):  # the connection is closed
            writable = select.poll()
            writable.register(self._connection, select.POLLOUT)
            while True:
                time.sleep(seconds)
                if writable.poll(0):  # a driver that stands still must not stop us
                    self.send(Sign.ALIVE)
