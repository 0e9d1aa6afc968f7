"""Finished trials trained once more, in a folder that goes away again, and compared with their rows."""

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.drift import compare
from lrsym.results.store.attempts import stopped_by
from lrsym.results.store.place import require_results
from lrsym.results.store.query import filter_trials, none_meets
from lrsym.results.store.store import Store, load_trials, read_again
from lrsym.results.store.trial_row import trial_from_row
from lrsym.sweep.driver import Outcome, run
from lrsym.sweep.execution.grid_stop_rules import GRID_RULES
from lrsym.sweep.execution.progress import Display
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.packing import PackList, make_packs
from lrsym.sweep.planning.plan import NO_FAILURES, Plan
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep import Sweep
from lrsym.vocabulary import FINAL_STATUSES


@dataclass(frozen=True)
class Sample:
    """Trials to train again: `packs` of them, drawn from `finished` trials that the sweep of that name has."""

    sweep: str
    finished: int
    packs: PackList


@dataclass(frozen=True)
class Verification:
    """What training again gave: `compared`, a row for each trial as `results.analysis.drift.compare` has them."""

    compared: pl.DataFrame
    outcome: Outcome

    @property
    def counts(self) -> Counter[str]:
        """How many trials agree how, by the keys of AGREEMENTS."""
        return Counter(self.compared["agreement"])

    @property
    def reproduced(self) -> bool:
        """Whether no trial drifted or failed."""
        return not self.counts.keys() & {"drifted", "failed"}


def draw_sample(
    sweep: Sweep, store: Store, *, n: int, seed: int = 0, where: str | None = None, pack_size: int | None = None
) -> Sample:
    """Return about `n` finished trials of `sweep`, drawn with `seed` from those that meet the SQL condition `where`.

    They come in the packs that they were trained in, whole, so that rounding is the same where all else is; so there
    may be more of them. With a `pack_size` they are exactly `n`, or all, in packs of at most so many. Raises UsageError
    where there are none.
    """
    require_results(store.root)
    rows = read_again(lambda: load_trials(store.root, trial_ids=sweep.trial_ids()).collect())
    rows = rows.filter(pl.col("status").is_in(FINAL_STATUSES) | stopped_by(*GRID_RULES)).sort("trial_id")
    finished = rows if where is None else filter_trials(rows, where)
    if finished.is_empty():
        if where is not None and rows.height:
            raise UsageError(f"{sweep.name} has no finished trials in {store.root} {none_meets(rows, where)}")
        train = sweep.command("sweep", store.root)
        raise UsageError(f"{sweep.name} has no finished trials in {store.root}; train it first: {train}")
    order = random.Random(seed).sample(range(finished.height), min(n, finished.height))
    drawn = finished[order]
    packs = _cut(drawn, pack_size) if pack_size else _packs_of(store, drawn, n)
    return Sample(sweep.name, finished.height, PackList((), (), size=1, started=packs))


def verify(
    sample: Sample,
    store: Store,
    settings: Settings,
    *,
    tolerance: float,
    display: Callable[[PackList], Display] = Display,
) -> Verification:
    """Train `sample` again and compare it with its rows in `store`, which is only read.

    After a signal what was trained until then is compared, and the outcome says so.
    """
    with tempfile.TemporaryDirectory(prefix="lrsym-verify-") as folder:
        again = Store(folder)
        outcome = run(_plan(sample, settings), again, settings, display=display)
        return Verification(read_again(lambda: compare(store.root, again.root, tolerance=tolerance)), outcome)


def _plan(sample: Sample, settings: Settings) -> Plan:
    n = sample.packs.n_trials
    return Plan(
        sweep=sample.sweep, trials=n, new=n, done=0, failed=0, stopped=0, diverged=0, seeds=range(1),
        packs=sample.packs, workers=min(settings.max_workers, len(sample.packs)), given_up=Counter(),
        failures=NO_FAILURES,
    )  # fmt: skip


def _packs_of(store: Store, drawn: pl.DataFrame, n: int) -> list[Pack]:
    """Return the packs that the first of `drawn` were trained in, whole, until they hold `n` trials.

    What one pack wrote has one run and one time; members that were trained again since are not among them any more.
    """
    key = ["run_id", "finished_at"]
    keys = drawn.select(key).unique(maintain_order=True)
    mates = read_again(
        lambda: load_trials(store.root).join(keys.lazy(), on=key, how="semi", nulls_equal=True).collect()
    )
    packs, so_far = list[Pack](), 0
    for of_pack in keys.iter_slices(1):
        if so_far >= n:
            break
        members = mates.join(of_pack, on=key, how="semi", nulls_equal=True, maintain_order="left")
        packs += _together(members)
        so_far += members.height
    return packs


def _cut(drawn: pl.DataFrame, size: int) -> list[Pack]:
    packs = make_packs([trial_from_row(row) for row in drawn.iter_rows(named=True)], size=size)
    return [_as_trained(pack, drawn) for pack in packs]


def _together(members: pl.DataFrame) -> Iterable[Pack]:
    """Return the packs of trials that were written at one time: one, unless the time is not known."""
    trials, size = [*map(trial_from_row, members.iter_rows(named=True))], members["pack_size"].drop_nulls()
    return (_as_trained(pack, members) for pack in make_packs(trials, size=size[0] if len(size) else 1))


def _as_trained(pack: Pack, rows: pl.DataFrame) -> Pack:
    """Return `pack` with the stop rule that ended any of its trials."""
    rules = rows.filter(pl.col("trial_id").is_in(pack.trial_ids))["stop_rule"].drop_nulls()
    return Pack(pack.trials, stop=next((GRID_RULES[rule] for rule in rules if rule in GRID_RULES), None))
