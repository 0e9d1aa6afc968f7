"""The local engine: spawned processes on this machine, no server and no daemon.

Each worker holds one pack at a time and writes its rows itself; the driver only hands out packs. A worker that is
killed costs its pack one try; a driver that is killed leaves workers that finish their pack, write it, and go.
"""

import contextlib
from multiprocessing.connection import Connection

from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.queue import PackQueue
from lrsym.sweep.execution.task import Task, run_task
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.workers.pool import WorkerDeath, WorkerPool
from lrsym.sweep.workers.processes import LEFT_AFTER_ERROR, exit_now

TICK_SECONDS = 1.0
"""How often the queue is asked for packs where nothing happens: what others have in training may become free."""

LEAVING = "leaving"
"""What a worker is at that gets no other pack: it frees its GPU before another is started in its place."""


def run_local(queue: PackQueue, task: Task, *, workers: int) -> None:
    """Run `task` on the packs of `queue`, on `workers` processes; return when all have ended.

    Raises what the queue raises; that and KeyboardInterrupt end the workers.
    """
    with WorkerPool(work, task, size=workers, name="lrsym-worker", threads=task.threads) as pool:
        while not queue.finished:
            while pool.has_room and (pack := queue.next()) is not None:
                pool.assign(pack)
            if queue.finished:  # a source may find out when it is asked that it has no more
                break
            for worker, message in pool.receive(timeout=TICK_SECONDS):
                if isinstance(message, WorkerDeath):
                    if isinstance(worker.work, Pack):
                        queue.on_death(worker.work.id, str(message), out_of_memory=message.out_of_memory)
                    continue
                if message.ends_pack:
                    worker.work = LEAVING if message.ends_worker else None
                queue.on_event(message)


def work(connection: Connection, task: Task, number: int) -> None:
    """Be a worker: run the task on pack after pack until the driver closes the connection or is gone."""
    task = task.for_worker(number)
    while True:
        try:
            pack: Pack = connection.recv()
        except (EOFError, OSError):  # the driver has no more, or is gone
            exit_now()

        def send(event: PackEvent) -> None:
            with contextlib.suppress(OSError):  # the driver is gone: finish the pack all the same
                connection.send(event)

        event = run_task(task, pack, lambda completed, pack=pack: send(PackEvent(pack.id, completed)))
        send(event)
        if event.ends_worker:
            exit_now(LEFT_AFTER_ERROR)
