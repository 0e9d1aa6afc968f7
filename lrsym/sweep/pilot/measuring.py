"""The processes of a pilot, seen from the driver: started like workers, asked all at once, given up when late."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lrsym.sweep.pilot.measurement import Measurement, MeasureRequest, Timing
from lrsym.sweep.pilot.worker import serve
from lrsym.sweep.workers.pool import WorkerDeath, WorkerPool

PATIENCE_SECONDS = 30.0
"""A pilot that is not over by then is given up."""


class PilotError(Exception):
    """The pilot could not measure something; the message says why, for a reader."""


class MeasuringProcesses:
    """`size` processes that measure; `startup` is how many seconds it took until all were ready.

    Raises PilotError where one does not start.
    """

    def __init__(
        self,
        size: int,
        *,
        device: str,
        threads: int,
        target: Callable[..., None] = serve,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.size, self._patience, self._started = size, patience, time.monotonic()
        self._folder = tempfile.TemporaryDirectory(prefix="lrsym-pilot-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self._pool = WorkerPool(target, self.folder, device, threads, size=size, name="lrsym-pilot", threads=threads)
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        self.startup = self.seconds

    @property
    def seconds(self) -> float:
        """How long this pilot has lasted."""
        return time.monotonic() - self._started

    @property
    def measuring_seconds(self) -> float:
        """How long ago its processes were ready: their start, which takes seconds on a GPU, leaves it its time."""
        return self.seconds - self.startup

    def measure(self, request: MeasureRequest, *, at_once: int) -> Measurement:
        """Return what `at_once` processes measure, all at the same time.

        Raises PilotError where one of them fails, or dies or is late; after that the next to be asked are fresh ones.
        """
        if not self._pool.workers:
            self._start()
        for worker in self._pool.workers[:at_once]:
            self._pool.send(worker, request)
        answers = self._answers(at_once)
        timings = [answer for answer in answers if isinstance(answer, Timing)]
        if failures := [answer for answer in answers if not isinstance(answer, Timing)]:
            raise PilotError(str(failures[0]))
        return Measurement.of(timings, size=len(request.pack))

    def _start(self) -> None:
        self._pool.start()
        self._answers(self.size)

    def _answers(self, at_once: int) -> list[Any]:
        """Return one message of each of the first `at_once` processes."""
        waiting = self._pool.workers[:at_once]
        answers: list[Any] = []
        while waiting:
            late = True
            for worker, message in self._pool.receive(waiting, timeout=max(0.0, self._patience - self.seconds)):
                late = False
                if isinstance(message, WorkerDeath):
                    self._pool.end()
                    raise PilotError(f"its process died with code {message.exit_code}")
                waiting.remove(worker)
                worker.work = None
                answers.append(message)
            if late:
                self._terminate()
                raise PilotError(f"not over after {self._patience:.0f} s")
        return answers

    def _terminate(self) -> None:
        for worker in self._pool.workers:
            worker.process.terminate()
        self._pool.end()

    def end(self) -> None:
        """End the processes and remove what they wrote."""
        self._terminate()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
