"""One pack on one worker: what the engines share."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lrsym.results.store import Store
from lrsym.sweep.plan import Pack, pack_id

_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
"""Keeps freed blocks in the worker: handing them back to the system each step costs page faults (docs/decisions)."""

WORKER_RETRIES = 2
"""How often a pack is tried again after its worker was killed."""


@dataclass(frozen=True)
class Job:
    """How the packs of a run are executed; the same for each of them. `timeout` is in seconds for a pack."""

    root: Path
    run_id: str
    device: str
    threads: int
    timeout: float | None = None


@dataclass(frozen=True)
class Progress:
    """News of one pack: the fraction of its training done, and how its trials ended once it is over."""

    pack: str
    fraction: float
    statuses: Counter[str] | None = None


def execute(pack: Pack, job: Job, *, report: Callable[[float], None]) -> Counter[str]:
    """Train `pack` and write its rows; returns how many trials ended in which status.

    A pack that is finished in the store already (engines may deliver one twice) is left alone. Whatever goes
    wrong inside becomes rows with a status; only the death of the worker is left to the engine.
    """
    import torch

    from lrsym.sweep.run import PackTimeoutError, failed_rows, run_pack

    store, part = Store(job.root), pack_id(pack)
    if store.part_is_finished(part):
        return Counter({"done": len(pack)})
    torch.set_num_threads(job.threads)
    try:
        device = torch.device(job.device)
        tables = run_pack(pack, run_id=job.run_id, device=device, timeout=job.timeout, report=report)
    except PackTimeoutError as error:
        tables = failed_rows(pack, status="timeout", message=str(error), run_id=job.run_id)
    except (torch.OutOfMemoryError, MemoryError) as error:
        tables = failed_rows(pack, status="out_of_memory", message=_one_line(error), run_id=job.run_id)
    except Exception as error:
        status = "out_of_memory" if "can't allocate memory" in str(error) else "crashed"
        tables = failed_rows(pack, status=status, message=_one_line(error), run_id=job.run_id)
    store.write(part, tables)
    return Counter(tables["trials"]["status"].to_pylist())


def record_dead_worker(pack: Pack, job: Job, *, reason: str) -> Counter[str]:
    """Write the rows of a pack whose worker died each time it was tried."""
    from lrsym.sweep.run import failed_rows

    store, part = Store(job.root), pack_id(pack)
    if store.part_is_finished(part):
        return Counter({"done": len(pack)})
    message = f"{reason}, {WORKER_RETRIES + 1} times; the system may have run out of memory: try a smaller --pack"
    store.write(part, failed_rows(pack, status="crashed", message=message, run_id=job.run_id))
    return Counter({"crashed": len(pack)})


def worker_environment(threads: int) -> dict[str, str]:
    """Variables that the C library and torch read once, at the start of a worker."""
    return {**_MALLOC, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
