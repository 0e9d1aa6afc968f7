"""What a sweep still has to do: its trials against the store, gathered into packs."""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, islice, pairwise
from math import ceil

from lrsym.config.model import ModelConfig
from lrsym.config.section import Value
from lrsym.config.trial import Trial
from lrsym.vocabulary import FINAL_STATUSES

MAX_PACK = {"cpu": 8, "cuda": 256}
"""Largest pack that `auto` makes: 8 is measured to pay on a core (docs/benchmarks.md), 256 on a GPU is assumed."""

SECONDS_OF_WORK, SECONDS_OF_STEP, SECONDS_OF_PACK_STEP, SECONDS_OF_TRIAL = 6e-8, 5e-4, 1.2e-3, 0.3
"""A guess without measuring, on one core (docs/benchmarks.md): for a unit of `work`; for a step besides, of a trial and
of its pack; for the evaluations and rows of a trial."""

LATER = 0.02
"""With larger packs a sweep may end later by this share."""

DENSE, CAPTION_WORDS = 0.6, 4
"""Cost of a token in a block without tables, against an encoder that has them; words of a caption."""

Pack = tuple[Trial, ...]

Program = tuple[Value, ...]
"""What decides the cost of a step (`Trial.program`): trials of one program differ in steps and evaluations at most."""


@dataclass(frozen=True)
class Plan:
    """Trials of a sweep by what the store says of them, the packs of what is left, and how many train at a time.

    The first packs go on from checkpoints; `started` says what fraction of each is done.
    """

    trials: int
    new: int
    done: int
    failed: int
    diverged: int
    packs: tuple[Pack, ...]
    workers: int
    started: tuple[float, ...] = ()

    @property
    def pending(self) -> int:
        """Trials to train: the new ones, and the failed ones once more."""
        return self.new + self.failed

    @property
    def largest_pack(self) -> int:
        """Trials of the largest pack; 0 where there is nothing to train."""
        return max(map(len, self.packs), default=0)

    @property
    def left(self) -> list[float]:
        """What fraction of each pack is left to train."""
        return [1 - fraction for fraction in self.started] + [1.0] * (len(self.packs) - len(self.started))

    def guessed_seconds(self) -> float:
        """When the sweep ends, by `guess`."""
        seconds = (guess(pack) * share for pack, share in zip(self.packs, self.left, strict=True))
        return makespan(seconds, workers=self.workers)

    def repacked(self, *, size: int, workers: int) -> "Plan":
        """The same trials in packs of at most `size`, but for the packs that are started."""
        before, fresh = self.packs[: len(self.started)], self.packs[len(self.started) :]
        return replace(self, packs=before + make_packs(chain.from_iterable(fresh), size=size), workers=workers)


def make_plan(
    trials: Sequence[Trial],
    statuses: Mapping[str, str],
    *,
    workers: int,
    device: str,
    pack_size: int | None = None,
    checkpoints: Iterable[tuple[Sequence[str], float]] = (),
) -> Plan:
    """The plan for `trials` given the store's `statuses`; `pack_size` None chooses a size for what is left.

    `checkpoints` are trial ids of packs and how far they are. A pack goes on from its own, as it is, when all of its
    trials are pending and no checkpoint before it has one of them.
    """
    known = [statuses.get(t.trial_id) for t in trials]
    pending = {t.trial_id: t for t, status in zip(trials, known, strict=True) if status not in FINAL_STATUSES}
    started: list[Pack] = []
    fractions: list[float] = []
    for ids, fraction in checkpoints:
        if pending.keys() >= {*ids}:
            started.append(tuple(pending.pop(trial_id) for trial_id in ids))
            fractions.append(fraction)
    left = tuple(pending.values())
    busy = [guess(pack) * (1 - fraction) for pack, fraction in zip(started, fractions, strict=True)]
    size = pack_size or auto_pack_size(left, workers=workers, device=device, busy=busy)
    return Plan(
        trials=len(trials),
        new=known.count(None),
        done=sum(status in FINAL_STATUSES for status in known),
        failed=sum(status is not None and status not in FINAL_STATUSES for status in known),
        diverged=known.count("diverged"),
        packs=(*started, *make_packs(left, size=size)),
        workers=workers,
        started=tuple(fractions),
    )


def auto_pack_size(trials: Sequence[Trial], *, workers: int, device: str, busy: Sequence[float] = ()) -> int:
    """The size of packs by rule: on cores the one that by a guess ends first, on GPUs the largest that has a use.

    `busy` are the seconds that packs take which come first.
    """
    if device == "cuda":
        return min(MAX_PACK[device], largest_pack(len(trials), workers=workers))
    return fastest_size(trials, MAX_PACK[device], workers=workers, seconds=guess, busy=busy)


def largest_pack(trials: int, *, workers: int) -> int:
    """The largest pack that leaves no worker without one."""
    return max(1, ceil(trials / workers))


def fastest_size(
    trials: Iterable[Trial], largest: int, *, workers: int, seconds: Callable[[Pack], float], busy: Sequence[float] = ()
) -> int:
    """The largest size up to `largest` with which a sweep ends as early as with any other, within LATER.

    `seconds` is what a pack takes, `busy` what packs take that come first. Larger packs are cheaper; but one too many
    of them, and a worker trains it while the others wait. A smaller size than `largest` is the length of a pack.
    """
    by_shape = [*_by_shape(trials).values()]
    known: dict[tuple[int, int], float] = {}

    def duration(shape: int, length: int) -> float:
        if (shape, length) not in known:
            known[shape, length] = seconds(tuple(by_shape[shape][:length]))
        return known[shape, length]

    def end(size: int) -> tuple[float, float]:
        """When the sweep ends, and when it would at best if its packs could be cut anywhere."""
        cut = ((i, length) for i, members in enumerate(by_shape) for length in _lengths(len(members), size))
        durations = sorted((duration(*kind) for kind in cut), reverse=True)
        return makespan([*busy, *durations], workers=workers), (sum(busy) + sum(durations)) / workers

    last, best = end(largest)
    if last <= best * (1 + LATER):
        return largest
    ends = {size: end(size)[0] for size in range(1, largest + 1)}
    size = max(size for size, last in ends.items() if last <= min(ends.values()) * (1 + LATER))
    return size if size == largest else max(max(_lengths(len(members), size)) for members in by_shape)


def makespan(durations: Iterable[float], *, workers: int) -> float:
    """When the last of `durations` ends, if each in turn goes to the worker that is free first."""
    free = [0.0] * workers
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def guess(pack: Pack) -> float:
    """Seconds that `pack` may take, guessed without measuring, good to a factor of three."""
    steps = pack[0].n_steps
    each = SECONDS_OF_TRIAL + SECONDS_OF_STEP * steps
    return SECONDS_OF_WORK * work(pack) + SECONDS_OF_PACK_STEP * steps + each * len(pack)


def make_packs(trials: Iterable[Trial], *, size: int) -> tuple[Pack, ...]:
    """Packs of at most `size` trials of one static shape, in the order given, longest training first.

    A shape's trials are spread evenly over its packs, so that no pack is left with a remnant.
    """
    packs = []
    for members in _by_shape(trials).values():
        cuts = [0, *accumulate(_lengths(len(members), size))]
        packs += [tuple(members[a:b]) for a, b in pairwise(cuts)]
    return tuple(sorted(packs, key=work, reverse=True))


def _by_shape(trials: Iterable[Trial]) -> dict[object, list[Trial]]:
    found: dict[object, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.static_shape, []).append(trial)
    return found


def _lengths(trials: int, size: int) -> list[int]:
    """The lengths of packs of at most `size`, as even as can be."""
    n = ceil(trials / size)
    return [(trials + i) // n for i in range(n)]


def work(pack: Pack) -> float:
    """What training `pack` costs, up to a factor: steps times members times scenes times width times depth."""
    trial = pack[0]
    return trial.n_steps * len(pack) * trial.optim.batch_size * trial.model.d_model * _depth(trial)


def _depth(trial: Trial) -> float:
    """The cost of the encoders, in encoders of one block that reads its scores from tables.

    A rule of thumb, fitted to the shipped sweeps: any other block pays for every token it reads, and for its MLP.
    """
    model, n_keys = trial.model, trial.scenes.n_cells + 1
    if model.kind == "autoregressive":
        return DENSE * model.text_blocks * model.repeats * (n_keys + CAPTION_WORDS) * _mlp(model)
    cost = 0.0
    for blocks, tokens in ((model.vision_blocks, n_keys), (model.text_blocks, CAPTION_WORDS)):
        passes = blocks * model.repeats
        bare = model.layer_norm == "none" and not model.d_mlp and not model.dropout
        tables = passes == 1 and bare and model.positions == "learned"
        cost += 1 if tables else DENSE * passes * tokens
    return cost / 2 * _mlp(model)


def _mlp(model: ModelConfig) -> float:
    return 1 + model.d_mlp / (8 * model.d_model)


@dataclass(frozen=True)
class Group:
    """The trials of one program that have to be trained: their work, and as many as one pack may have at most."""

    work: float
    trials: Pack

    @property
    def work_of_step(self) -> float:
        """The work of a step of one trial."""
        return work(self.trials[:1]) / self.trials[0].n_steps


def groups(packs: Iterable[Pack], *, most: int) -> dict[Program, Group]:
    """The groups of `packs` by program, none with more than `most` trials; most work first, of equals most labels.

    Trials of a program differ in their data, and a grid begins with the smallest: those from the middle on come first.
    """
    shapes: dict[tuple[Value, ...], list[Pack]] = {}
    for pack in packs:
        shapes.setdefault(pack[0].static_shape, []).append(pack)
    found: dict[Program, Group] = {}
    for of_shape in shapes.values():
        middle = len(of_shape) // 2
        from_middle = chain.from_iterable(of_shape[middle:] + of_shape[:middle])
        program, trials = of_shape[0][0].program, tuple(islice(from_middle, most))
        before = found.get(program, Group(0, ()))
        found[program] = Group(before.work + sum(map(work, of_shape)), max(before.trials, trials, key=len))
    return dict(sorted(found.items(), key=lambda item: (item[1].work, item[1].trials[0].scenes.n_labels), reverse=True))


def pack_id(pack: Pack) -> str:
    """Identity of a pack: what it contains, in whatever order."""
    return hashlib.sha256("".join(sorted(t.trial_id for t in pack)).encode()).hexdigest()[:32]
