"""Worker processes of one driver: started, given work, listened to, replaced when they die, ended together."""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

from lrsym.sweep.workers.processes import count_memory_kills, spawn, stop_signals_blocked, worker_environment

GRACE_SECONDS = 10.0
"""A worker that is told to end and has not by then is killed."""


@dataclass(eq=False)
class Worker:
    """A process, the driver's connection to it, and what it is at work on (None: nothing)."""

    number: int
    process: BaseProcess
    connection: Connection
    work: Any = None


@dataclass(frozen=True)
class WorkerDeath:
    """The end of a worker that was not asked to end.

    With `out_of_memory` the system has killed it, or another program at about the same time, for want of memory.
    """

    exit_code: int
    out_of_memory: bool = False

    def __str__(self) -> str:
        if self.out_of_memory:
            return "worker killed by the system, which had no memory left"
        if -self.exit_code in {*signal.Signals}:
            return f"worker killed by {signal.Signals(-self.exit_code).name}"
        if self.exit_code < 0:
            return f"worker killed by signal {-self.exit_code}"
        return f"worker left with code {self.exit_code}"


class WorkerPool:
    """At most `size` processes that run `target(connection, *arguments, number)`, direct children of the driver.

    Leaving the context ends them: those at work at once, the others when they find their connection closed.
    """

    def __init__(
        self,
        target: Callable[..., None],
        *arguments: Any,
        size: int,
        name: str,
        threads: int,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.size, self.workers, self._grace = size, list[Worker](), grace
        self._memory_kills = 0
        self._target, self._arguments, self._name = target, arguments, name
        os.environ.update(worker_environment(threads))  # inherited by what is spawned

    @property
    def has_room(self) -> bool:
        """Whether a worker is idle or could be started."""
        return len(self.workers) < self.size or any(worker.work is None for worker in self.workers)

    def start(self) -> None:
        """Start all the processes that are not there."""
        while len(self.workers) < self.size:
            self._start()

    def assign(self, work: Any) -> None:
        """Give `work` to an idle worker, or to one that is started for it."""
        worker = next((w for w in self.workers if w.work is None), None)
        self.send(worker or self._start(), work)

    def send(self, worker: Worker, work: Any) -> None:
        """Give `worker` something to do. If it has died just now, `receive` tells."""
        worker.work = work
        with contextlib.suppress(OSError):
            worker.connection.send(work)

    def receive(
        self, workers: Iterable[Worker] | None = None, *, timeout: float | None = None
    ) -> Iterator[tuple[Worker, Any]]:
        """Wait for messages of `workers`, by default of all, and yield one of each that has any; nothing at `timeout`.

        The last message of a worker that has died is a WorkerDeath; it is no member of the pool any more.
        """
        waiting = self.workers if workers is None else workers
        handles: dict[Any, Worker] = {h: w for w in waiting for h in (w.connection, w.process.sentinel)}
        for worker in dict.fromkeys(handles[handle] for handle in wait(list(handles), timeout)):
            try:
                message = worker.connection.recv()  # what it has sent before it died comes first
            except (EOFError, OSError):
                worker.process.join()
                worker.connection.close()
                self.workers.remove(worker)
                code = worker.process.exitcode or 0
                killed = code == -signal.SIGKILL and count_memory_kills() > self._memory_kills
                message = WorkerDeath(code, out_of_memory=killed)
            yield worker, message

    def end(self) -> None:
        """End every process."""
        for worker in self.workers:
            worker.connection.close()
            if worker.work is not None:
                worker.process.terminate()
        deadline = time.monotonic() + self._grace
        for worker in self.workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self.workers = []

    def _start(self) -> Worker:
        taken = {worker.number for worker in self.workers}
        number = next(number for number in itertools.count() if number not in taken)
        self._memory_kills = count_memory_kills()
        with stop_signals_blocked():  # else a process could start that nobody ends
            process, connection = spawn(self._target, *self._arguments, number, name=f"{self._name}-{number}")
            self.workers.append(Worker(number, process, connection))
        return self.workers[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
