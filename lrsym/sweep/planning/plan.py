"""What a sweep still has to do: its trials against the store, gathered into packs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import PackList, default_pack_size, group_by_shape, makespan
from lrsym.sweep.planning.stop_rule import StopRule
from lrsym.sweep.planning.workload import rough_seconds
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.vocabulary import FAILED_STATUSES, FINAL_STATUSES


@dataclass(frozen=True)
class Plan:
    """Trials of the sweep of that name by what the store says of them, the packs of what is left, and the workers.

    `stopped` were ended early by a rule that this sweep does not ask for; `seeds` are those of each cell. `workers` is
    how many packs train at a time. Packs that go on from a checkpoint come first.
    """

    sweep: str
    trials: int
    new: int
    done: int
    failed: int
    stopped: int
    diverged: int
    seeds: range
    packs: PackList
    workers: int

    @property
    def pending(self) -> int:
        """Trials to train: the new ones, the failed ones once more, the stopped ones in full."""
        return self.new + self.failed + self.stopped

    @property
    def largest_pack(self) -> int:
        """Trials of the largest pack; 0 where there is nothing to train."""
        return max((n for _, n, _ in self.packs.sizes()), default=0)

    def sample(self, n: int) -> "Plan":
        """Return the plan of `n` of the pending trials, spread over the sweep, and of all that have a checkpoint."""
        packs = self.packs.sample(n)
        return replace(self, new=sum(length for _, length, _ in packs.sizes()), failed=0, packs=packs)

    def rough_seconds(self) -> float:
        """Return when the sweep ends, roughly (`workload.rough_seconds`)."""
        seconds = (rough_seconds(trial, n) * remaining for trial, n, remaining in self.packs.sizes())
        return makespan(seconds, workers=self.workers)

    def repacked(self, *, size: int, workers: int) -> "Plan":
        """Return the same trials in packs of at most `size`, but for the packs that have a checkpoint."""
        return replace(self, packs=self.packs.resized(size), workers=workers)


def make_plan(
    sweep: Sweep,
    statuses: Mapping[str, str],
    *,
    workers: int,
    device: str,
    pack_size: int | None = None,
    checkpoints: Iterable[tuple[Sequence[str], float]] = (),
    stop: StopRule | None = None,
    chosen: Iterable[int] | None = None,
    limit: int | None = None,
) -> Plan:
    """Return the plan for `sweep` given the store's `statuses` by trial_id; `pack_size` None is the default size.

    `checkpoints` are trial ids of packs and the fraction done. A pack goes on from its own, as it is, when all of its
    trials are pending and no checkpoint before it has one of them. Every pack gets `stop`.

    Of the sweep it plans the trials at the places `chosen`, by default all, and of those that are pending the first
    `limit`: what is not planned does not count.
    """
    ids = sweep.trial_ids()
    places = range(len(ids)) if chosen is None else chosen
    pending, known = dict[str, int](), list[str | None]()
    for place in places:
        if (status := statuses.get(ids[place])) not in FINAL_STATUSES:
            if limit is not None and len(pending) >= limit:
                continue
            pending[ids[place]] = place
        known.append(status)
    started: list[Pack] = []
    for of_pack, completed in checkpoints:
        if pending.keys() >= {*of_pack}:
            trials = tuple(sweep.trials[pending.pop(trial_id)] for trial_id in of_pack)
            started.append(Pack(trials, completed, stop))
    groups = group_by_shape(sweep.trials, sweep.shape_numbers(), pending.values())
    busy = [rough_seconds(pack.trials[0], len(pack)) * pack.remaining for pack in started]
    size = pack_size or default_pack_size(groups, workers=workers, device=device, busy=busy)
    return Plan(
        sweep=sweep.name,
        trials=len(known),
        new=known.count(None),
        done=sum(status in FINAL_STATUSES for status in known),
        failed=sum(status in FAILED_STATUSES for status in known),
        stopped=known.count("stopped"),
        diverged=known.count("diverged"),
        seeds=sweep.seeds,
        packs=PackList(sweep.trials, groups, size=size, started=started, stop=stop),
        workers=workers,
    )
