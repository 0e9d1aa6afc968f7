"""The textbook loop on one card: in several processes at once, recorded by hand, and compiled by torch.

Several processes on the card, with nothing around their steps, are what plain Ray Tune with a part of a GPU for each
trial can reach at most.
"""

import itertools
import multiprocessing as mp
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import BrokenBarrierError
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.clock import milliseconds, synchronize
from benchmarks.gpu.setting import BATCH_SIZES, Setting
from benchmarks.textbook import Clip, losses
from benchmarks.textbook_trial import model_of
from lrsym.config.trial import Trial
from lrsym.sweep.workers.processes import worker_environment
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.contrastive import MAX_LOG_SCALE

PROCESSES, QUICK_PROCESSES = (1, 4, 8, 16), (1, 2)
SECONDS = 3.0
"""For which a number of processes train together."""

STEPS_BETWEEN_LOOKS = 20
"""Steps between two looks at the clock, which wait for the device."""

START_SECONDS = 60.0
"""In which every process must be ready."""

COMPILE_SECONDS = 75.0
"""After which a compilation is given up."""


def textbook(setting: Setting) -> None:
    """Tell steps a second of the plain loop by the number of processes that share the card."""
    numbers, seconds = (QUICK_PROCESSES, 0.2) if setting.quick else (PROCESSES, SECONDS)
    rounds, at_most = [(batch, n) for n in numbers for batch in BATCH_SIZES], max(numbers)
    context = mp.get_context("spawn")
    barrier, found = context.Barrier(at_most), context.Queue()
    os.environ.update(worker_environment(1))
    arguments = (str(setting.device), rounds, seconds, barrier, found)
    processes = [context.Process(target=_loops, args=(number, *arguments), daemon=True) for number in range(at_most)]
    for process in processes:
        process.start()
    try:
        for batch, n in rounds:
            rates = [found.get(timeout=START_SECONDS + seconds) for _ in range(n)]
            setting.tell("textbook", variant="plain", batch=batch, processes=n, steps_a_second=sum(rates))
    except queue.Empty:
        setting.tell("textbook", variant="plain", error="a process did not answer")
    finally:
        for process in processes:
            process.join(5)
            process.kill()


def _loops(number: int, device: str, rounds: list[tuple[int, int]], seconds: float, barrier: Any, found: Any) -> None:
    """Be one of the processes: train in every round that has so many, and tell the steps a second."""
    torch.set_num_threads(1)
    prepared = {batch: _plain(number, batch, torch.device(device)) for batch, _ in rounds}
    for steps in prepared.values():
        next(itertools.islice(steps, STEPS_BETWEEN_LOOKS - 1, None)).item()
    try:
        for batch, n in rounds:
            barrier.wait(START_SECONDS)
            if number < n:
                found.put(_steps_a_second(prepared[batch], seconds))
    except BrokenBarrierError:
        pass


def _steps_a_second(steps: Iterator[Tensor], seconds: float) -> float:
    started, taken = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds:
        next(itertools.islice(steps, STEPS_BETWEEN_LOOKS - 1, None)).item()
        taken += STEPS_BETWEEN_LOOKS
    return taken / spent


def _plain(seed: int, batch: int, device: torch.device) -> Iterator[Tensor]:
    """Yield the losses of the textbook loop."""
    loop = Loop.of(seed, batch, device)
    return losses(loop.model, loop.trial.optim, loop.data, loop.batches)


@dataclass
class Loop:
    """What the textbook loop works on."""

    trial: Trial
    data: PackData
    model: Clip
    batches: Iterator[Tensor]

    @classmethod
    def of(cls, seed: int, batch: int, device: torch.device) -> "Loop":
        """Return those of the recipe's trial with that seed and batch size."""
        trial = Trial.from_axes({"optim.batch_size": batch, "seed": seed})
        data = PackData.of([trial], device=device)
        drawn = (row[0] for row in batches([trial], data.training_sets, device=device))
        return cls(trial, data, model_of(trial, readout_only=False).to(device), drawn)


class RecordableStep:
    """The textbook step with nothing in it that changes from step to step but tensors.

    Rate and number of the step lie on the device; `forward` stands in for the model, such as its compiled form.
    """

    def __init__(self, loop: Loop, forward: Callable[..., Tensor] | None = None) -> None:
        self._loop, self._forward = loop, loop.model if forward is None else forward
        device, optim = loop.model.log_scale.device, loop.trial.optim
        self._images, self._captions = loop.data.scenes, loop.data.captions[loop.data.captions_of[:, 0]]
        self.batch = torch.zeros(optim.batch_size, dtype=torch.int64, device=device)
        self.loss = torch.zeros((), device=device)
        self._number, self._rate = torch.zeros((), device=device), torch.zeros((), device=device)
        parameters = dict(loop.model.named_parameters())
        spared = [parameters.pop("log_scale")]
        self._adamw = torch.optim.AdamW(
            [
                {"params": [*parameters.values()], "weight_decay": optim.weight_decay},
                {"params": spared, "weight_decay": 0.0},
            ],
            lr=self._rate, betas=(optim.beta1, optim.beta2), eps=optim.epsilon, fused=True,
            capturable=device.type == "cuda",
        )  # fmt: skip

    def take_batch(self) -> None:
        """Lay the next batch ready."""
        self.batch.copy_(next(self._loop.batches), non_blocking=True)

    def __call__(self) -> None:
        """Take a step on the batch that lies ready."""
        optim = self._loop.trial.optim
        self._number += 1
        self._rate.copy_(optim.learning_rate * (self._number / max(1, optim.warmup_steps)).clamp(max=1))
        self._adamw.zero_grad()  # first: gradients of a compiled step lie where the next one will write
        loss = self._forward(self._images[self.batch], self._captions[self.batch])
        loss.backward()
        self._adamw.step()
        with torch.no_grad():
            self._loop.model.log_scale.clamp_(max=MAX_LOG_SCALE)
        self.loss.copy_(loss.detach())


def recorded(step: RecordableStep, device: torch.device) -> Callable[[], None]:
    """Return what plays `step` from a CUDA graph; on a core the step itself."""
    if device.type != "cuda":
        return step
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step.take_batch()
            step()
    torch.cuda.current_stream().wait_stream(aside)
    step._adamw.zero_grad()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def textbook_recorded(setting: Setting) -> None:
    """Tell milliseconds of the textbook step, called and recorded, and how far its losses are from the plain one's."""
    for batch in BATCH_SIZES:
        for variant in ("called", "recorded"):
            step = RecordableStep(Loop.of(0, batch, setting.device))
            if variant == "called":
                difference = _apart(step, batch, setting.device, steps=3 if setting.quick else 20)
                setting.tell("textbook loss", batch=batch, largest_difference=difference)
            play = recorded(step, setting.device) if variant == "recorded" else step
            _tell_step(setting, step, play, variant=variant, batch=batch)


def _apart(step: RecordableStep, batch: int, device: torch.device, *, steps: int) -> float:
    """Return the largest difference of losses to the plain loop's over the first steps."""
    largest = 0.0
    for loss in itertools.islice(_plain(0, batch, device), steps):
        step.take_batch()
        step()
        largest = max(largest, abs(loss.item() - step.loss.item()))
    return largest


def _tell_step(setting: Setting, step: RecordableStep, play: Callable[[], None], **named: object) -> None:
    def whole() -> None:
        step.take_batch()
        play()

    for _ in range(5):
        whole()
    synchronize(setting.device)
    calls = 3 if setting.quick else 100
    timed = milliseconds(whole, calls=calls, device=setting.device, repeats=3)
    setting.tell("textbook step", **named, step=timed, steps_a_second=1e3 / timed["ms"])


def textbook_compiled(setting: Setting) -> None:
    """Tell the same of torch.compile(mode="reduce-overhead"), with the seconds of compiling, within a limit."""
    words = [sys.executable, "-m", "benchmarks.gpu", "compile_alone", "--device", str(setting.device)]
    words += ["--out", os.path.dirname(setting.file.name), *(["--quick"] if setting.quick else [])]
    try:
        subprocess.run(words, timeout=COMPILE_SECONDS, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        setting.tell("textbook step", variant="compiled", error=f"{type(error).__name__}: {error}"[:300])


def compile_alone(setting: Setting) -> None:
    """Compile and time in this process; batch sizes in turn, so that a limit leaves the first."""
    how: dict[str, Any] = {"mode": "reduce-overhead"} if setting.on_gpu else {"backend": "aot_eager"}
    for batch in BATCH_SIZES:
        torch._dynamo.reset()
        loop = Loop.of(0, batch, setting.device)
        step = RecordableStep(loop, torch.compile(loop.model, **how))
        started = time.perf_counter()
        for _ in range(4):
            step.take_batch()
            step()
        synchronize(setting.device)
        setting.tell("compile", batch=batch, seconds=time.perf_counter() - started, how=str(how))
        _tell_step(setting, step, step, variant="compiled", batch=batch)
