"""What a sweep still has to do: its trials against the store, gathered into packs."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import PackList, default_pack_size, group_by_shape, makespan
from lrsym.sweep.planning.stop_rule import StopRule
from lrsym.sweep.planning.workload import rough_seconds
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.vocabulary import FAILED_STATUSES, FINAL_STATUSES

MAX_FAILED_RUNS = 5
"""A trial that so many runs have tried in vain is given up until it is asked for: a command that is submitted again and
again with nobody looking comes to an end."""

NO_FAILURES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Plan:
    """Trials of the sweep of that name by what the store says of them, the packs of what is left, and the workers.

    `stopped` were ended early by a rule that this sweep does not ask for; `failed` ones are tried again, those
    `given_up`, counted by status, are not. `failures` tells how many runs have tried a failed trial, by trial_id.
    `seeds` are those of each cell. `workers` is how many packs train at a time. Packs that go on from a checkpoint come
    first.
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
    given_up: Counter[str]
    failures: Mapping[str, int]

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
        return replace(self, new=sum(length for _, length, _ in packs.sizes()), failed=0, stopped=0, packs=packs)

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
    retry: Collection[str] = (),
    failures: Mapping[str, int] = NO_FAILURES,
) -> Plan:
    """Return the plan for `sweep` given the store's `statuses` by trial_id; `pack_size` None is the default size.

    `checkpoints` are trial ids of packs and the fraction done. A pack goes on from its own, as it is, when all of its
    trials are pending and no checkpoint before it has one of them. Every pack gets `stop`.

    Of the sweep it plans the trials at the places `chosen`, by default all, where `retry` names statuses only those
    that have one of them, and of those that are pending the first `limit`: what is not planned does not count. Trials
    that MAX_FAILED_RUNS runs have tried in vain, as `failures` tells by trial_id, are given up, but for a `retry`.
    """
    ids, failed = sweep.trial_ids(), {i: n for i, n in failures.items() if statuses.get(i) in FAILED_STATUSES}
    places: Iterable[int] = range(len(ids)) if chosen is None else chosen
    if retry:
        places = [place for place in places if statuses.get(ids[place]) in retry]
    no_more = set[str]() if retry else {*hopeless(statuses, failed)}
    pending, known, given_up = _choose(ids, places, statuses, no_more, limit=limit)
    started = _take_started(sweep, pending, checkpoints, stop)
    groups = group_by_shape(sweep.trials, sweep.shape_numbers(), pending.values())
    busy = [rough_seconds(pack.trials[0], len(pack)) * pack.remaining for pack in started]
    size = pack_size or default_pack_size(groups, workers=workers, device=device, busy=busy)
    return Plan(
        sweep=sweep.name,
        trials=sum(known.values()),
        new=known[None],
        done=sum(known[status] for status in FINAL_STATUSES),
        failed=sum(known[status] for status in FAILED_STATUSES) - given_up.total(),
        stopped=known["stopped"],
        diverged=known["diverged"],
        seeds=sweep.seeds,
        packs=PackList(sweep.trials, groups, size=size, started=started, stop=stop),
        workers=workers,
        given_up=given_up,
        failures=failed,
    )


def hopeless(statuses: Mapping[str, str], failures: Mapping[str, int]) -> Iterable[str]:
    """Yield the trial ids that failed in MAX_FAILED_RUNS runs, by `failures`, and have not ended otherwise since."""
    return (
        trial_id for trial_id, n in failures.items()
        if n >= MAX_FAILED_RUNS and statuses.get(trial_id) in FAILED_STATUSES
    )  # fmt: skip


def _choose(
    ids: Sequence[str],
    places: Iterable[int],
    statuses: Mapping[str, str],
    no_more: Collection[str],
    *,
    limit: int | None,
) -> tuple[dict[str, int], Counter[str | None], Counter[str]]:
    """Return the places of the trials to train by trial_id, and of all that count, and of those to try `no_more`
    among them, how many have which status."""
    pending, known, given_up = dict[str, int](), Counter[str | None](), Counter[str]()
    for place in places:
        status = statuses.get(ids[place])
        if status is not None and ids[place] in no_more:
            given_up[status] += 1
        elif status not in FINAL_STATUSES:
            if limit is not None and len(pending) >= limit:
                continue
            pending[ids[place]] = place
        known[status] += 1
    return pending, known, given_up


def _take_started(
    sweep: Sweep, pending: dict[str, int], checkpoints: Iterable[tuple[Sequence[str], float]], stop: StopRule | None
) -> list[Pack]:
    """Return the packs that go on from their checkpoint; their trials leave `pending`."""
    started: list[Pack] = []
    for of_pack, completed in checkpoints:
        if pending.keys() >= {*of_pack}:
            trials = tuple(sweep.trials[pending.pop(trial_id)] for trial_id in of_pack)
            started.append(Pack(trials, completed, stop))
    return started
