"""The local engine: spawned processes on this machine, no server and no daemon.

Each worker holds one pack at a time and writes its rows itself; the driver only hands out packs. A worker that is
killed costs its pack one try, and one that gives no sign of life is killed. A driver that is killed leaves workers
that finish their pack, write it, and go.
"""

from multiprocessing.connection import Connection

from lrsym.sweep.engines.patience import give_up, overdue
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.queue import PackQueue
from lrsym.sweep.execution.task import Task, run_task
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.workers.news import News, Sign
from lrsym.sweep.workers.pool import Worker, WorkerDeath, WorkerPool
from lrsym.sweep.workers.processes import LEFT_AFTER_ERROR, exit_now

TICK_SECONDS = 1.0
"""How often the queue is asked for packs where nothing happens: what others have in training may become free."""

LEAVING = "leaving"
"""What a worker is at that gets no other pack: it frees its GPU before another is started in its place."""


def run_local(queue: PackQueue, task: Task, *, workers: int) -> None:
    """Run `task` on the packs of `queue`, on `workers` processes; return when all have ended.

    Raises what the queue raises; that and KeyboardInterrupt end the workers.
    """
    trained = set[str]()
    name, threads = "lrsym-worker", task.threads
    with WorkerPool(work, task, size=workers, name=name, threads=threads, say=queue.say) as pool:
        while not queue.finished:
            queue.require_running()
            while pool.has_room and (pack := queue.next()) is not None:
                trained.discard(pack.id)
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
                elif message.completed >= 1:
                    trained.add(message.pack)
                queue.on_event(message)
            for worker in [worker for worker in pool.workers if worker.work is not None]:
                is_trained = isinstance(worker.work, Pack) and worker.work.id in trained
                _end_overdue(worker, pool, queue, timeout=None if is_trained else task.timeout)


def _end_overdue(worker: Worker, pool: WorkerPool, queue: PackQueue, *, timeout: float | None) -> None:
    """Kill `worker` if its pack has had its time, or if it gives no sign of life."""
    has_pack = isinstance(worker.work, Pack)
    failure = overdue(busy=worker.busy, silent=worker.silent, timeout=timeout if has_pack else None)
    if failure is None:
        return
    pool.kill(worker)
    if isinstance(worker.work, Pack):
        give_up(queue, worker.work.id, failure)


def work(connection: Connection, task: Task, number: int) -> None:
    """Be a worker: run the task on pack after pack until the driver closes the connection or is gone."""
    news = News(connection)
    task = task.for_worker(number)
    while True:
        try:
            pack: Pack = connection.recv()
        except (EOFError, OSError):  # the driver has no more, or is gone
            exit_now()
        news.send(Sign.TAKEN)
        event = run_task(task, pack, lambda completed, pack=pack: news.send(PackEvent(pack.id, completed)))
        news.send(event)
        if event.ends_worker:
            exit_now(LEFT_AFTER_ERROR)
