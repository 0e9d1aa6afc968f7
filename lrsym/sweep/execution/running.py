"""Who trains a sweep now, since when, how far they are and when they will be through."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from lrsym.results.store.live import read_live
from lrsym.results.store.store import Store
from lrsym.sweep.execution.lease import live_claims
from lrsym.vocabulary import PHASE_METRIC

MIN_PACKS = 2
"""Packs that must have ended before their rate means anything."""

_Z = 1.96


@dataclass(frozen=True)
class TimeLeft:
    """Seconds until a sweep is through: the estimate, and what 95 % of such estimates would lie between."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Running:
    """Who trains: `trials` of a sweep are in the hands of `trainers`, whose oldest run began at `since`.

    `evaluated` of them show how far they are: `completed`, 0..1, of their steps and `order`, the mean of unseen_order,
    None where it is not defined. `rate` is in trials a minute; it and `left` are None before they mean something.
    """

    trials: int = 0
    trainers: tuple[str, ...] = ()
    since: datetime | None = None
    evaluated: int = 0
    completed: float = 0.0
    order: float | None = None
    rate: float | None = None
    left: TimeLeft | None = None


def running(
    finished: pl.DataFrame,
    unfinished: Collection[str],
    store: Store,
    *,
    n_steps: Callable[[str], int],
    n_given_up: int = 0,
    n_to_come: int = 0,
) -> Running:
    """Return who trains `unfinished` trials, `n_given_up` of which wait for nobody, of a sweep with `finished` others.

    To these the time left adds `n_to_come`, which are not chosen yet. Of the finished ones the columns run_id and
    finished_at count; `n_steps` gives what a trial is trained for.
    """
    open_ = frozenset(unfinished)
    held = {claim: claim.trial_ids & open_ for claim in live_claims(store.files).values()}
    held = {claim: ids for claim, ids in held.items() if ids}
    if not held:
        return Running()
    ids = {i for own in held.values() for i in own}
    runs = store.scan("runs").filter(pl.col("run_id").is_in([claim.run_id for claim in held])).collect()
    since = runs["started_at"].min()
    assert since is None or isinstance(since, datetime)
    live = read_live(store.files, ids).training
    reached = [step / n_steps(i) for i, step in live.select("trial_id", "trained_steps").iter_rows()]
    order = live[PHASE_METRIC].mean()
    ended = finished.filter(pl.col("run_id").is_in(runs["run_id"].implode()))
    rate, left = _rate(
        ended, since, n_left=len(open_) - n_given_up + n_to_come - sum(reached), in_training=sum(reached)
    )
    return Running(
        trials=len(ids),
        trainers=tuple(sorted({str(claim.holder) for claim in held})),
        since=since,
        evaluated=live.height,
        completed=sum(reached) / max(1, len(reached)),
        order=order if isinstance(order, float) else None,
        rate=rate,
        left=left,
    )


def _rate(
    ended: pl.DataFrame, since: datetime | None, *, n_left: float, in_training: float
) -> tuple[float | None, TimeLeft | None]:
    """Return trials a minute and the time left, from those that have `ended` and the parts of those in training."""
    packs = ended["finished_at"].n_unique()
    if since is None or packs < MIN_PACKS:
        return None, None
    seconds = max((datetime.now(UTC) - since).total_seconds(), 1e-9)
    rate = (ended.height + in_training) / seconds
    # Packs end as by chance, at worst: the interval of a Poisson rate, by the cubes of Wilson and Hilferty (1931).
    low, high = (k * (1 - 1 / (9 * k) + z / (3 * math.sqrt(k))) ** 3 for k, z in ((packs, -_Z), (packs + 1, _Z)))
    estimate = n_left / rate
    return rate * 60, TimeLeft(estimate, estimate * packs / high, estimate * packs / low)
