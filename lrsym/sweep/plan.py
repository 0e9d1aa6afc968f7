"""What a sweep still has to do: its trials against the store, gathered into packs."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from lrsym.trial import Trial
from lrsym.vocabulary import RESULTS

MAX_PACK = {"cpu": 8, "cuda": 256}
"""Largest pack that `auto` makes: 8 is measured to pay on a core (docs/benchmarks.md), 256 on a GPU is assumed."""

PACKS_PER_WORKER = 4
"""Fewer packs leave workers idle at the end; see docs/decisions/packs.md."""

Pack = tuple[Trial, ...]


@dataclass(frozen=True)
class Plan:
    """Trials of a sweep by what the store says of them, and the packs of what is left to train."""

    trials: int
    new: int
    done: int
    failed: int
    diverged: int
    packs: tuple[Pack, ...]

    @property
    def pending(self) -> int:
        """Trials to train: the new ones, and the failed ones once more."""
        return self.new + self.failed


def make_plan(
    trials: Sequence[Trial], statuses: Mapping[str, str], *, workers: int, device: str, pack_size: int | None = None
) -> Plan:
    """The plan for `trials` given the store's `statuses`; `pack_size` None chooses a size from what is pending."""
    known = [statuses.get(t.trial_id) for t in trials]
    pending = [t for t, status in zip(trials, known, strict=True) if status not in RESULTS]
    size = pack_size or auto_pack_size(len(pending), workers=workers, device=device)
    return Plan(
        trials=len(trials),
        new=known.count(None),
        done=sum(status in RESULTS for status in known),
        failed=sum(status is not None and status not in RESULTS for status in known),
        diverged=known.count("diverged"),
        packs=make_packs(pending, size=size),
    )


def auto_pack_size(pending: int, *, workers: int, device: str) -> int:
    """The largest useful pack that still leaves every worker several packs."""
    return max(1, min(MAX_PACK[device], ceil(pending / (workers * PACKS_PER_WORKER))))


def make_packs(trials: Iterable[Trial], *, size: int) -> tuple[Pack, ...]:
    """Packs of at most `size` trials of one static shape, in the order given, longest training first.

    A shape's trials are spread evenly over its packs, so that no pack is left with a remnant.
    """
    by_shape: dict[object, list[Trial]] = {}
    for trial in trials:
        by_shape.setdefault(trial.static_shape, []).append(trial)
    packs = []
    for members in by_shape.values():
        n = ceil(len(members) / size)
        cuts = [round(i * len(members) / n) for i in range(n + 1)]
        packs += [tuple(members[a:b]) for a, b in pairwise(cuts)]
    return tuple(sorted(packs, key=work, reverse=True))


def work(pack: Pack) -> int:
    """What training `pack` costs, up to a factor: steps times members times scenes times width."""
    return pack[0].n_steps * len(pack) * pack[0].optim.batch_size * pack[0].model.d_model


def pack_id(pack: Pack) -> str:
    """Identity of a pack: what it contains, in whatever order."""
    return hashlib.sha256("".join(sorted(t.trial_id for t in pack)).encode()).hexdigest()[:32]
