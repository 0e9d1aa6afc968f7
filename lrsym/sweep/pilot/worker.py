"""The process of a pilot that measures: real trials, shortened, through the functions that train a sweep."""

import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from lrsym.config.trial import Trial
from lrsym.sweep.execution.events import Failure, describe
from lrsym.sweep.execution.task import TrainTask
from lrsym.sweep.pilot.measurement import DiskUsage, MeasureRequest, Timing
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.workers.processes import select_device

if TYPE_CHECKING:
    from lrsym.testbed.training.training import Training

CHUNK_SECONDS = 0.08
"""About how long the steps run that are timed together: long enough for the clock, short enough to have several."""

CHUNKS, SINGLE_STEPS = 6, 2
"""How many chunks of steps, the first to warm up, and before them single steps, after some that warm up."""

MIN_CHUNK_STEPS, MAX_CHUNK_STEPS = 3, 64
"""Length of a chunk."""

MAX_DRAWN_TRIALS = 32
"""Of a larger pack so many trials are drawn and repeated: what is timed are steps, and a draw takes milliseconds."""

CONTEXT_BYTES = 600_000_000
"""What a process takes of a GPU besides torch's memory: its context and kernels. Assumed, not measured yet."""


def serve(connection: Connection, folder: Path, device: str, threads: int, number: int) -> None:
    """Answer requests until the driver closes the connection: each with a Timing, or with words that say what failed.

    Rows that are measured are written below `folder`.
    """
    import torch

    import lrsym.sweep.execution.train_pack  # noqa: F401  a worker has it loaded before its first pack

    device = select_device(device, number)
    torch.set_num_threads(threads)
    if device != "cpu":  # the libraries start before the clock does
        some = torch.ones(2, 8, 8, device=device)
        torch.bmm(some, some).softmax(2).sum().item()
    connection.send(None)
    while True:
        try:
            request: MeasureRequest = connection.recv()
        except (EOFError, OSError):  # the driver has heard enough, or is gone
            return
        try:
            answer: Timing | str = measure(request, folder, device=device, threads=threads)
        except Exception as error:
            answer = describe(error)[:200]
        with contextlib.suppress(OSError):  # the driver is gone: the next request says so
            connection.send(answer)


def measure(request: MeasureRequest, folder: Path, *, device: str, threads: int) -> Timing:
    """Return the Timing of `request`; raises what training raises."""
    if device != "cpu":
        _forget_peak(device)
    steps, busy = _step_seconds(request.pack, device)
    evaluations, overhead, disk = (), None, None
    with tempfile.TemporaryDirectory(dir=folder) as root:
        task = TrainTask(root, "pilot", device, threads)
        if request.evaluations:
            evaluations, overhead = _outside_steps(request, task, step=median(steps))
        memory, capacity = _memory(device)
        if request.evaluations:  # last: of a pack of one it trains two
            disk = _disk_usage(request, task)
    fixed = 0 if device == "cpu" else CONTEXT_BYTES
    return Timing(steps, busy, evaluations, overhead, disk, memory, capacity, fixed)


def shortened(trial: Trial, *, steps: int, points: int) -> Trial:
    """Return `trial` with `steps` steps and `points` evaluations, evenly spaced."""
    short = {"optim.steps": steps, "optim.epochs": None, "eval.schedule": "linear", "eval.points": points}
    return Trial.from_axes({**trial.values(), **short})


def _step_seconds(pack: Pack, device: str) -> tuple[tuple[float, ...], float]:
    """Return the seconds of a step, chunk by chunk, and the time in a step that this process was at work."""
    from lrsym.testbed.training.cuda_graph import WARM_UP

    # On a GPU the first steps warm up and the next one records.
    warm = 2 if device == "cpu" else WARM_UP + 1
    training = training_of(pack, device)
    single = median(busy for _, busy in _chunks(training, device, steps=1, chunks=warm + SINGLE_STEPS)[warm:])
    steps = min(MAX_CHUNK_STEPS, max(MIN_CHUNK_STEPS, round(CHUNK_SECONDS / single)))
    chunks = _chunks(training, device, steps=steps, chunks=CHUNKS)[1:]
    return tuple(wall / steps for wall, _ in chunks), median(busy for _, busy in chunks) / steps


def training_of(pack: Pack, device: str) -> "Training":
    """Return a training of as many trials as `pack` has, at most MAX_DRAWN_TRIALS of them different ones."""
    import torch

    from lrsym.testbed.data.pack_data import PackData
    from lrsym.testbed.training.training import Training

    chosen = torch.device(device)
    steps = (1 + CHUNKS) * MAX_CHUNK_STEPS  # more than are taken
    short = [shortened(trial, steps=steps, points=1) for trial in pack.trials[:MAX_DRAWN_TRIALS]]
    data = PackData.of(short, device=chosen).select([member % len(short) for member in range(len(pack))])
    return Training(data.trials, data, device=chosen)


def _chunks(training: "Training", device: str, *, steps: int, chunks: int) -> list[tuple[float, float]]:
    """Return the seconds of each of `chunks` times `steps` steps, by the clock and at work (on a GPU the same)."""
    import torch

    busy = time.process_time if device == "cpu" else time.perf_counter
    times = [(time.perf_counter(), busy())]
    for _ in range(chunks):
        for _ in range(steps):
            training.advance()
        if device != "cpu":
            torch.cuda.synchronize(device)
        times.append((time.perf_counter(), busy()))
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(times)]


def _outside_steps(request: MeasureRequest, task: TrainTask, *, step: float) -> tuple[tuple[float, ...], float]:
    """Return seconds of each evaluation, and seconds of a pack besides steps and evaluations."""
    n = request.evaluations
    times = [time.perf_counter()]
    _train(task, _short_pack(request), lambda completed: times.append(time.perf_counter()))
    whole = time.perf_counter() - times[0]
    evaluations = tuple(max(0.0, after - before - step) for before, after in pairwise(times[1:]))
    spent = n * (step + sum(evaluations) / len(evaluations))
    return evaluations, max(0.0, whole - spent)


def _disk_usage(request: MeasureRequest, task: TrainTask) -> DiskUsage:
    """Return the bytes of the rows of a pack, by what they belong to; of a single trial beside one of another seed.

    Of one file nothing tells what belongs to the pack: names of columns are most of it.
    """
    from lrsym.sweep.pilot.disk_usage import disk_usage

    pack, (first, *others) = _short_pack(request), request.pack.trials
    if not others:
        another = Trial.from_axes({**first.values(), "seed": first.seed ^ 1})
        pack = Pack(tuple(shortened(trial, steps=1, points=1) for trial in (first, another)))
        _train(task, pack)
    return disk_usage(Path(task.root), pack.id, points=len(first.evaluation_steps))


def _short_pack(request: MeasureRequest) -> Pack:
    n = request.evaluations
    return Pack(tuple(shortened(trial, steps=n, points=n) for trial in request.pack.trials))


def _train(task: TrainTask, pack: Pack, on_progress: Callable[[float], None] = lambda completed: None) -> None:
    outcome = task(pack, on_progress)
    if isinstance(outcome, Failure):
        raise RuntimeError(outcome.message)


def _memory(device: str) -> tuple[int, int]:
    """Return the peak of this process and what it may take, in bytes; of its GPU where it has one."""
    if device != "cpu":
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        peak = CONTEXT_BYTES + torch.cuda.max_memory_reserved(device)
        return peak, CONTEXT_BYTES + torch.cuda.memory_reserved(device) + free
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    return peak, peak + _free_memory()


def _forget_peak(device: str) -> None:
    """Give back what earlier measurements hold of the GPU, so that the peak of the next one is its own."""
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)


def _free_memory() -> int:
    """Return the bytes that programs could still take; where the system does not tell, a number beyond any use."""
    listed = Path("/proc/meminfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    available = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return available[0] if available else 1 << 60
