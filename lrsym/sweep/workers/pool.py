"""Worker processes of one driver: started, given work, listened to, replaced when they die, ended together."""

import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

from lrsym.sweep.workers.news import Sign
from lrsym.sweep.workers.processes import count_memory_kills, spawn, stop_signals_blocked, worker_environment

GRACE_SECONDS = 5.0
"""A worker that is told to end and has not by then is killed."""

KILLED_SECONDS = 10.0
"""A process that has not ended so long after it was killed waits in the system, for a disk or a device: nobody can end
it, and it does nothing any more."""

MAX_WAKE_SECONDS = 5.0
"""A driver that comes back later than that stood still itself, and with it perhaps its workers (Ctrl-Z, a suspended
machine): what is beyond is not held against them."""


@dataclass(eq=False)
class Worker:
    """A process, the driver's connection to it, and what it is at work on (None: nothing).

    `silent` are the seconds since it was heard of last, `busy` those since it has said that it took up its work; both
    count while the driver waits for it to do something.
    """

    number: int
    process: BaseProcess
    connection: Connection
    work: Any = None
    silent: float = 0.0
    busy: float = 0.0
    taken: bool = False
    sending: threading.Thread | None = None

    def pass_time(self, seconds: float) -> None:
        """Count the seconds."""
        self.silent += seconds
        self.busy += seconds if self.taken else 0.0


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

    Leaving the context ends them: those at work at once, the others when they find their connection closed. `say` is
    told of one that cannot be ended, and is left as it is.
    """

    def __init__(
        self,
        target: Callable[..., None],
        *arguments: Any,
        size: int,
        name: str,
        threads: int,
        grace: float = GRACE_SECONDS,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.size, self.workers, self._grace, self._say = size, list[Worker](), grace, say
        self._memory_kills, self._received = 0, time.monotonic()
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
        worker.work, worker.silent, worker.busy, worker.taken = work, 0.0, 0.0, False
        # A pack may be larger than what a connection holds, and a worker that stands still reads nothing.
        worker.sending = threading.Thread(target=_send, args=(worker.connection, work), daemon=True)
        worker.sending.start()

    def receive(
        self, workers: Iterable[Worker] | None = None, *, timeout: float | None = None
    ) -> Iterator[tuple[Worker, Any]]:
        """Wait for messages of `workers`, by default of all, and yield one of each that has any; nothing at `timeout`.

        Signs of life are not yielded. The last message of a worker that has died is a WorkerDeath; it is no member of
        the pool any more.
        """
        waiting = self.workers if workers is None else workers
        handles: dict[Any, Worker] = {h: w for w in waiting for h in (w.connection, w.process.sentinel)}
        ready = wait(list(handles), timeout)
        self._pass_time()
        for worker in dict.fromkeys(handles[handle] for handle in ready):
            worker.silent = 0.0
            try:
                message = worker.connection.recv()  # what it has sent before it died comes first
            except (EOFError, OSError):
                worker.process.join(self._grace)
                self.kill(worker)  # in vain if it has ended, as it has but for what holds it in the system
                code = -signal.SIGKILL if worker.process.exitcode is None else worker.process.exitcode
                killed = code == -signal.SIGKILL and count_memory_kills() > self._memory_kills
                message = WorkerDeath(code, out_of_memory=killed)
            if isinstance(message, Sign):
                worker.taken |= message is Sign.TAKEN
                continue
            yield worker, message

    def kill(self, worker: Worker) -> None:
        """End a process that is not asked any more; it is no member of the pool then, also if it cannot be ended."""
        worker.process.kill()
        self._remove(worker, time.monotonic() + KILLED_SECONDS)

    def end(self) -> None:
        """End every process."""
        for worker in self.workers:
            if worker.work is None:
                worker.connection.close()
            else:
                worker.process.terminate()
        deadline = time.monotonic() + self._grace
        for worker in self.workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.process.kill()
        deadline = time.monotonic() + KILLED_SECONDS
        for worker in [*self.workers]:
            self._remove(worker, deadline)

    def _pass_time(self) -> None:
        now = time.monotonic()
        for worker in self.workers:
            worker.pass_time(min(now - self._received, MAX_WAKE_SECONDS))
        self._received = now

    def _remove(self, worker: Worker, deadline: float) -> None:
        """Let go of a process that was killed once it has ended, or at `deadline`."""
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.exitcode is None:
            self.workers.remove(worker)
            # Python would wait for it at its own end.
            process._children.discard(worker.process)  # pyright: ignore[reportAttributeAccessIssue]
            self._say(
                f"process {worker.process.pid} was killed and does not end, as it waits for a disk or a device; it is "
                "left as it is, and does nothing any more"
            )
            return
        if worker.sending:
            worker.sending.join()  # its process has ended, so nothing holds it
        worker.connection.close()
        self.workers.remove(worker)

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


def _send(connection: Connection, work: Any) -> None:
    with contextlib.suppress(OSError):
        connection.send(work)
