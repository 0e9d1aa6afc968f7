"""The process of a pilot that measures: real trials, shortened, through the functions that train a sweep."""

import resource
import sys
import tempfile
import time
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from lrsym.config.trial import Trial
from lrsym.sweep.engines.local import own_device
from lrsym.sweep.execution.task import Job, execute
from lrsym.sweep.pilot.measurement import Ask, Disk, Timing
from lrsym.sweep.planning.plan import Pack, pack_id

CHUNK_SECONDS = 0.08
"""About how long the steps run that are timed together: long enough for the clock, short enough to have several."""

CHUNKS, SINGLE_STEPS = 6, 2
"""How many chunks of steps, the first to warm up, and before them single steps, after some that warm up."""

FEWEST_STEPS, MOST_STEPS = 3, 64
"""Length of a chunk."""

LOOK = 0.3
"""What `fit` does at an evaluation step besides, in steps: it looks at the loss once more, without a gradient."""


def serve(connection: Connection, job: Job, number: int) -> None:
    """Answer asks until the driver closes the connection; each with a Timing, or with words that say what failed."""
    job = own_device(job, number)
    import torch

    import lrsym.sweep.execution.train_pack  # noqa: F401  a worker has it loaded before its first pack

    torch.set_num_threads(job.threads)
    if job.device != "cpu":
        torch.zeros(1, device=job.device)
    connection.send(None)
    while True:
        try:
            ask: Ask = connection.recv()
        except (EOFError, OSError):  # the driver has heard enough, or is gone
            return
        try:
            answer: Timing | str = measure(ask, job)
        except Exception as error:
            answer = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        connection.send(answer)


def measure(ask: Ask, job: Job) -> Timing:
    """The Timing of `ask`; raises what training raises."""
    steps, busy = _step_seconds(ask.pack, job.device)
    evaluations, rest, disk = (), None, None
    if ask.evaluations:
        with tempfile.TemporaryDirectory(dir=job.root) as folder:
            evaluations, rest, disk = _rest(ask, Path(folder), job, step=median(steps))
    memory, capacity = _memory(job.device)
    return Timing(steps, busy, evaluations, rest, disk, memory, capacity)


def shortened(trial: Trial, *, steps: int, points: int) -> Trial:
    """`trial` with `steps` steps and `points` evaluations, evenly spaced."""
    short = {"optim.steps": steps, "optim.epochs": None, "eval.schedule": "linear", "eval.points": points}
    return Trial.from_axes({**trial.values(), **short})


def _step_seconds(pack: Pack, device: str) -> tuple[tuple[float, ...], float]:
    """Seconds of a step, chunk by chunk, and the time in a step that this process was at work."""
    from lrsym.testbed.training.cuda_graph import WARM_UP

    # On a GPU the first steps warm up and the next one records.
    warm = 2 if device == "cpu" else WARM_UP + 1
    single = median(busy for _, busy in _chunks(pack, device, steps=1, chunks=warm + SINGLE_STEPS)[warm:])
    steps = min(MOST_STEPS, max(FEWEST_STEPS if device == "cpu" else warm, round(CHUNK_SECONDS / single)))
    chunks = _chunks(pack, device, steps=steps, chunks=CHUNKS)[1:]
    return tuple(wall / (steps + LOOK) for wall, _ in chunks), median(busy for _, busy in chunks) / (steps + LOOK)


def _chunks(pack: Pack, device: str, *, steps: int, chunks: int) -> list[tuple[float, float]]:
    """Of each of `chunks` times `steps` steps the seconds by the clock, and those at work (on a GPU the same)."""
    import torch

    from lrsym.testbed.data.pack_data import PackData
    from lrsym.testbed.training.training import fit

    chosen = torch.device(device)
    short = [shortened(trial, steps=steps * chunks, points=chunks) for trial in pack]
    snapshots = fit(short, PackData.of(short, device=chosen), device=chosen)
    busy = time.process_time if chosen.type == "cpu" else time.perf_counter
    times = [(time.perf_counter(), busy())]
    for _ in snapshots:
        if chosen.type == "cuda":
            torch.cuda.synchronize(chosen)
        times.append((time.perf_counter(), busy()))
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(times)]


def _rest(ask: Ask, folder: Path, job: Job, *, step: float) -> tuple[tuple[float, ...], float, Disk]:
    """Seconds of each evaluation, seconds of a pack besides steps and evaluations, and bytes of its rows."""
    from lrsym.sweep.workers.disk_usage import disk_of

    n = ask.evaluations
    pack = tuple(shortened(trial, steps=n, points=n) for trial in ask.pack)
    times = [time.perf_counter()]
    inside = Job(str(folder), "pilot", job.device, job.threads)
    statuses = execute(pack, inside, report=lambda fraction: times.append(time.perf_counter()))
    whole = time.perf_counter() - times[0]
    if failed := {"crashed", "out_of_memory"} & {*statuses}:
        raise RuntimeError(" and ".join(failed))
    evaluations = tuple(max(0.0, after - before - step) for before, after in pairwise(times[1:]))
    spent = n * (step + sum(evaluations) / len(evaluations))
    points = len(ask.pack[0].evaluation_steps)
    return evaluations, max(0.0, whole - spent), disk_of(folder, pack_id(pack), points=points)


def _memory(device: str) -> tuple[int, int]:
    """Peak of this process and what it may take, in bytes; of its GPU where it has one."""
    if device != "cpu":
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return torch.cuda.max_memory_allocated(device), free + torch.cuda.memory_reserved(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    return peak, peak + _free_memory()


def _free_memory() -> int:
    """Bytes that programs could still take; where the system does not tell, a number beyond any use."""
    listed = Path("/proc/meminfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else 1 << 60
