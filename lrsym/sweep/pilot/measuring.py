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
"""A pilot whose start, or measuring, is not over by then is given up."""


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
        self.size, self._device, self._patience = size, device, patience
        self._created, self._starting = time.monotonic(), 0.0
        self._folder = tempfile.TemporaryDirectory(prefix="lrsym-pilot-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self._pool = WorkerPool(target, self.folder, device, threads, size=size, name="lrsym-pilot", threads=threads)
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        self.startup = self._starting

    @property
    def seconds(self) -> float:
        """How long this pilot has lasted."""
        return time.monotonic() - self._created

    @property
    def measuring_seconds(self) -> float:
        """The same without what its processes took to start: on a GPU that is seconds, and leaves it its time."""
        return self.seconds - self._starting

    def measure(self, request: MeasureRequest, *, at_once: int) -> Measurement:
        """Return what `at_once` processes measure, all at the same time.

        Raises PilotError where one of them fails, or dies or is late; after that the next to be asked are fresh ones,
        on a CPU unless it failed only.
        """
        if not self._pool.workers:
            self._start()
        for worker in self._pool.workers[:at_once]:
            self._pool.send(worker, request)
        answers = self._answers(at_once)
        timings = [answer for answer in answers if isinstance(answer, Timing)]
        if failures := [answer for answer in answers if not isinstance(answer, Timing)]:
            if self._device != "cpu":  # an error of CUDA may outlive what met it
                self._terminate()
            raise PilotError(str(failures[0]))
        return Measurement.of(timings, size=len(request.pack))

    def _start(self) -> None:
        begun = time.monotonic()
        self._pool.start()
        self._answers(self.size)
        self._starting += time.monotonic() - begun

    def _answers(self, at_once: int) -> list[Any]:
        """Return one message of each of the first `at_once` processes."""
        waiting = self._pool.workers[:at_once]
        answers: list[Any] = []
        while waiting:
            late = True
            for worker, message in self._pool.receive(
                waiting, timeout=max(0.0, self._patience - self.measuring_seconds)
            ):
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
