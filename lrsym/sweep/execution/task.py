"""One pack on one worker: what the engines share."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lrsym.results.store.store import Store
from lrsym.sweep.execution.checkpoint import Keeper
from lrsym.sweep.planning.plan import Pack, pack_id

if TYPE_CHECKING:
    from lrsym.testbed.training.training import Snapshot

_MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""Keeps freed blocks in the worker, because handing them back to the system each step costs page faults, and asks for
huge pages (docs/decisions/engines.md)."""

WORKER_RETRIES = 2
"""How often a pack is tried again after its worker was killed."""


@dataclass(frozen=True)
class Job:
    """How the packs of a run are executed; the same for each of them.

    `timeout` is in seconds for a pack; with `save_weights` the final parameters of done trials are kept.
    """

    root: Path
    run_id: str
    device: str
    threads: int
    timeout: float | None = None
    save_weights: bool = False


@dataclass(frozen=True)
class Progress:
    """News of one pack: the fraction of its training done, and how its trials ended once it is over.

    `error` says why rows could not be written; it ends the run.
    """

    pack: str
    fraction: float
    statuses: Counter[str] | None = None
    error: str | None = None


def execute(pack: Pack, job: Job, *, report: Callable[[float], None]) -> Counter[str]:
    """Train `pack` and write its rows; returns how many trials ended in which status.

    A pack that is finished in the store already (engines may deliver one twice) is left alone. Whatever goes
    wrong in training becomes rows with a status, in a part of their own that never replaces a result. The death of
    the worker and an OSError of the store are left to the engine; a pack that was killed goes on from its checkpoint.
    Weights are written before the rows: of a trial that counts as finished they are there.
    """
    import torch

    from lrsym.sweep.execution.train_pack import PackTimeoutError, run_pack

    store, part = Store(job.root), pack_id(pack)
    last: list[Snapshot] = []
    if finished := store.part_statuses(part):
        return finished
    torch.set_num_threads(job.threads)
    keeper = Keeper(job.root, pack)
    try:
        device = torch.device(job.device)
        tables = run_pack(
            pack, run_id=job.run_id, device=device, timeout=job.timeout, report=report, keep=last.append, keeper=keeper
        )
    except Exception as error:
        timeout, memory = isinstance(error, PackTimeoutError), _is_out_of_memory(error)
        status = "timeout" if timeout else "out_of_memory" if memory else "crashed"
        if not timeout:
            keeper.remove()  # it may be the cause, and a smaller pack may be the remedy
        return _record_failure(pack, job, status=status, message=_one_line(error))
    if job.save_weights:
        from lrsym.sweep.execution.weights import save_pack

        save_pack(job.root, last[0])
    store.write(part, tables)
    keeper.remove()
    return Counter(tables["trials"]["status"].to_pylist())


def record_dead_worker(pack: Pack, job: Job, *, reason: str) -> Counter[str]:
    """Write the rows of a pack whose worker died each time it was tried."""
    if finished := Store(job.root).part_statuses(pack_id(pack)):
        return finished
    Keeper(job.root, pack).remove()
    hint = "; the system may have run out of memory: try a smaller --pack" if "SIGKILL" in reason else ""
    return _record_failure(pack, job, status="crashed", message=f"{reason}, {WORKER_RETRIES + 1} times{hint}")


def _record_failure(pack: Pack, job: Job, *, status: str, message: str) -> Counter[str]:
    from lrsym.sweep.execution.train_pack import failed_rows

    rows = failed_rows(pack, status=status, message=message, run_id=job.run_id)
    Store(job.root).write(f"{pack_id(pack)}-failed", rows)
    return Counter({status: len(pack)})


def _is_out_of_memory(error: Exception) -> bool:
    words = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
    told = f"{error} {error.__context__}"  # the end of a recording on a GPU hides what went wrong in it
    return isinstance(error, MemoryError) or any(word in told for word in words)


def worker_environment(threads: int) -> dict[str, str]:
    """Variables that the C library and torch read once, at the start of a worker."""
    return {**_MALLOC, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
