"""The local engine: spawned processes on this machine, no server and no daemon.

Each worker holds one pack at a time and writes its rows itself; the driver only hands out packs. A worker that is
killed costs its pack one try; a driver that is killed leaves workers that finish their pack, write it, and go.
"""

import contextlib
import multiprocessing as mp
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NoReturn

from lrsym.errors import UsageError
from lrsym.sweep.execution.task import WORKER_RETRIES, Job, Progress, execute, record_dead_worker, worker_environment
from lrsym.sweep.planning.plan import Pack, pack_id


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    pack: Pack | None = None


def run_local(packs: Sequence[Pack], job: Job, *, workers: int, listen: Callable[[Progress], None]) -> None:
    """Train `packs` on `workers` processes; returns when each has its rows.

    `listen` hears of progress in the calling process. KeyboardInterrupt stops the workers and passes on.
    """
    os.environ.update(worker_environment(job.threads))
    todo: deque[Pack] = deque(packs)
    tries: dict[str, int] = {}
    crew: list[_Worker] = []
    try:
        crew += [_start(job, number) for number in range(min(workers, len(packs)))]
        while todo or any(w.pack for w in crew):
            for worker in crew:
                if worker.pack is None and todo:
                    worker.pack = todo.popleft()
                    with contextlib.suppress(BrokenPipeError):  # it died just now: its sentinel tells
                        worker.connection.send(worker.pack)
            ready = wait([w.connection for w in crew] + [w.process.sentinel for w in crew])
            for number, worker in enumerate(crew):
                if worker.connection in ready and _hear(worker, listen):
                    continue
                if worker.process.sentinel in ready:
                    _bury(worker, todo, tries, job, listen)
                    crew[number] = _start(job, number)
    finally:
        _dismiss(crew)


def _hear(worker: _Worker, listen: Callable[[Progress], None]) -> bool:
    """Pass on one message; False when the connection is at its end."""
    try:
        news: Progress = worker.connection.recv()
    except (EOFError, ConnectionResetError):
        return False
    if news.error is not None:
        raise UsageError(f"rows cannot be written: {news.error}; mend that and run the same command again")
    if news.statuses is not None:
        worker.pack = None
    listen(news)
    return True


def _bury(
    worker: _Worker, todo: deque[Pack], tries: dict[str, int], job: Job, listen: Callable[[Progress], None]
) -> None:
    """After a worker's death: its pack goes back to the queue, or into the store as crashed."""
    worker.process.join()
    worker.connection.close()
    if worker.pack is None:
        return
    name = pack_id(worker.pack)
    tries[name] = tries.get(name, 0) + 1
    if tries[name] <= WORKER_RETRIES:
        todo.append(worker.pack)
        listen(Progress(name, 0.0))
        return
    code = worker.process.exitcode or 0
    reason = f"worker killed by {signal.Signals(-code).name}" if code < 0 else f"worker left with code {code}"
    listen(Progress(name, 1.0, record_dead_worker(worker.pack, job, reason=reason)))


def _start(job: Job, number: int) -> _Worker:
    return _Worker(*spawn(_work, job, number, name=f"lrsym-worker-{number}"))


def spawn(
    target: Callable[[Connection, Job, int], None], job: Job, number: int, *, name: str
) -> tuple[BaseProcess, Connection]:
    """A fresh process that runs `target`, and the end of its connection that is ours."""
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(there, job, number), name=name, daemon=True)
    # The child ignores Ctrl-C from its first moment: it inherits what holds here while it starts.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    there.close()
    return process, here


def _dismiss(crew: Sequence[_Worker]) -> None:
    for worker in crew:
        worker.connection.close()
        if worker.pack is not None:
            worker.process.terminate()
    for worker in crew:
        worker.process.join()


def _work(connection: Connection, job: Job, number: int) -> None:
    """A worker: pack after pack until the driver closes the connection or is gone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwind, so that no half-written file is left
    job = own_device(job, number)
    while True:
        try:
            pack: Pack = connection.recv()
        except (EOFError, OSError):  # the driver has no more, or is gone
            _leave()

        def tell(news: Progress) -> None:
            with contextlib.suppress(OSError):  # the driver is gone: finish the pack all the same
                connection.send(news)

        name = pack_id(pack)
        try:
            statuses = execute(pack, job, report=lambda fraction, name=name: tell(Progress(name, fraction)))
        except OSError as error:
            tell(Progress(name, 1.0, error=str(error)))
        else:
            tell(Progress(name, 1.0, statuses))


def _leave() -> NoReturn:
    """End this process at once: all is written, and to take the interpreter down with torch takes half a second."""
    with contextlib.suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def own_device(job: Job, number: int) -> Job:
    """Workers take the GPUs of the machine in turn."""
    if job.device != "cuda":
        return job
    import dataclasses

    import torch

    own = number % torch.cuda.device_count()
    torch.cuda.set_device(own)
    return dataclasses.replace(job, device=f"cuda:{own}")
