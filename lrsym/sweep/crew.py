"""The processes of a pilot, seen from the driver: started like workers, asked all at once, given up when late."""

import contextlib
import os
import tempfile
import time
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from lrsym.sweep.job import Job, worker_environment
from lrsym.sweep.local import spawn
from lrsym.sweep.look import Ask, Look, Timing
from lrsym.sweep.probe import serve

PATIENCE_SECONDS = 60.0
"""A pilot that is not over by then is given up."""


class PilotError(Exception):
    """The pilot could not measure something; the message says why, for a reader."""


class Crew:
    """`size` processes that measure; `startup` is how many seconds it took until all were ready.

    Raises PilotError where one does not start.
    """

    def __init__(self, size: int, *, device: str, threads: int) -> None:
        self._started = time.monotonic()
        self._members: list[tuple[BaseProcess, Connection]] = []
        self.broken = False
        os.environ.update(worker_environment(threads))
        self._folder = tempfile.TemporaryDirectory(prefix="lrsym-pilot-", ignore_cleanup_errors=True)
        job = Job(Path(self._folder.name), "pilot", device, threads)
        try:
            for number in range(size):
                self._members.append(spawn(serve, job, number, name=f"lrsym-pilot-{number}"))
            self._hear(size)
        except BaseException:
            self._dismiss()
            raise
        self.startup = self.seconds

    @property
    def seconds(self) -> float:
        """How long this pilot has lasted."""
        return time.monotonic() - self._started

    @property
    def size(self) -> int:
        """How many processes there are."""
        return len(self._members)

    def ask(self, ask: Ask, *, at_once: int) -> Look:
        """What `at_once` processes measured, all at the same time.

        Raises PilotError where one of them fails; where one dies, nothing can be asked afterwards.
        """
        for _, connection in self._members[:at_once]:
            with contextlib.suppress(OSError):  # it died just now: listening tells
                connection.send(ask)
        answers = self._hear(at_once)
        timings = [answer for answer in answers if isinstance(answer, Timing)]
        if failures := [answer for answer in answers if not isinstance(answer, Timing)]:
            raise PilotError(str(failures[0]))
        return Look.of(timings, size=len(ask.pack))

    def _hear(self, at_once: int) -> list[object]:
        """One message of each of the first `at_once` processes."""
        asked, answers = self._members[:at_once], []
        waiting = {connection: process for process, connection in asked}
        while waiting:
            left = PATIENCE_SECONDS - self.seconds
            ready = wait(list(waiting), timeout=max(0.0, left))
            if not ready:
                self.broken = True
                raise PilotError(f"not over after {PATIENCE_SECONDS:.0f} s")
            for connection in ready:
                assert isinstance(connection, Connection)
                process = waiting.pop(connection)
                try:
                    answers.append(connection.recv())
                except (EOFError, OSError):
                    self.broken = True
                    process.join(1)
                    raise PilotError(f"its process died with code {process.exitcode}") from None
        return answers

    def _dismiss(self) -> None:
        for process, connection in self._members:
            connection.close()
            process.terminate()
        for process, _ in self._members:
            process.join()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dismiss()
