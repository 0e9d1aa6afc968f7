"""The processes of a pilot, seen from the driver: started like workers, asked all at once, given up when late."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from lrsym.sweep.engines.local import spawn
from lrsym.sweep.execution.task import Job, worker_environment
from lrsym.sweep.pilot.measurement import Ask, Look, Timing
from lrsym.sweep.pilot.worker import serve

PATIENCE_SECONDS = 30.0
"""A pilot that is not over by then is given up."""


class PilotError(Exception):
    """The pilot could not measure something; the message says why, for a reader."""


class Crew:
    """`size` processes that measure; `startup` is how many seconds it took until all were ready.

    Raises PilotError where one does not start.
    """

    def __init__(
        self,
        size: int,
        *,
        device: str,
        threads: int,
        target: Callable[[Connection, Job, int], None] = serve,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.size, self._target, self._patience = size, target, patience
        self._started = time.monotonic()
        os.environ.update(worker_environment(threads))
        self._folder = tempfile.TemporaryDirectory(prefix="lrsym-pilot-", ignore_cleanup_errors=True)
        self._job = Job(self._folder.name, "pilot", device, threads)
        self._members: list[tuple[BaseProcess, Connection]] = []
        try:
            self._start()
        except BaseException:
            self.dismiss()
            raise
        self.startup = self.seconds

    def _start(self) -> None:
        for number in range(self.size):
            self._members.append(spawn(self._target, self._job, number, name=f"lrsym-pilot-{number}"))
        self._hear(self.size)

    @property
    def seconds(self) -> float:
        """How long this pilot has lasted."""
        return time.monotonic() - self._started

    def ask(self, ask: Ask, *, at_once: int) -> Look:
        """What `at_once` processes measured, all at the same time.

        Raises PilotError where one of them fails, or dies or is late; after that the next to be asked are fresh ones.
        """
        if not self._members:
            self._start()
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
        waiting = {connection: process for process, connection in self._members[:at_once]}
        answers: list[object] = []
        while waiting:
            ready = wait(list(waiting), timeout=max(0.0, self._patience - self.seconds))
            if not ready:
                self._end()
                raise PilotError(f"not over after {self._patience:.0f} s")
            for connection in ready:
                assert isinstance(connection, Connection)
                process = waiting.pop(connection)
                try:
                    answers.append(connection.recv())
                except (EOFError, OSError):
                    process.join(1)
                    self._end()
                    raise PilotError(f"its process died with code {process.exitcode}") from None
        return answers

    def _end(self) -> None:
        for process, connection in self._members:
            connection.close()
            process.terminate()
        for process, _ in self._members:
            process.join()
        self._members = []

    def dismiss(self) -> None:
        """End the processes and remove what they wrote."""
        self._end()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dismiss()
