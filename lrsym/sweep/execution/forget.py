"""Forgetting trials: what a results folder holds of them, and removing it while nobody trains them."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import FileSystem
from lrsym.results.store.forget import count_rows, remove_rows, require_removable
from lrsym.results.store.query import filter_trials
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials, read_again
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution.checkpoint import checkpointed_trials
from lrsym.sweep.execution.lease import Claim, Lease, live_claims
from lrsym.sweep.execution.tensor_file import weights_of
from lrsym.sweep.spec.sweep import Sweep


@dataclass(frozen=True)
class Traces:
    """What a results folder holds of trials: files by name, and the number of `rows` by table.

    `statuses` counts the trials that have a row; `trials` are all that have anything. `others` are trials beside them
    in the checkpoints, which start afresh.
    """

    trial_ids: frozenset[str]
    trials: int
    statuses: Mapping[str, int]
    rows: Mapping[str, int]
    weights: tuple[str, ...]
    checkpoints: tuple[str, ...]
    others: int

    @property
    def any(self) -> bool:
        """Whether there is anything to remove."""
        return bool(self.rows or self.weights or self.checkpoints)


def find_traces(sweep: Sweep, store: Store, *, where: str | None = None) -> Traces:
    """Return what `store` holds of the trials of `sweep`, of those that meet the SQL condition `where`.

    Trials without a row are judged by their axes. Raises UsageError where a part is damaged, for what is no condition,
    and where another process has any of them in training.
    """
    store.require_no_damage()
    places = {trial_id: place for place, trial_id in enumerate(sweep.trial_ids())}
    checkpoints = {name: ids for name, ids in checkpointed_trials(store.files) if not places.keys().isdisjoint(ids)}
    weights = {i: name for i, name in weights_of(store.files).items() if i in places}
    rows = read_again(lambda: load_trials(store.root, trial_ids=places).collect())
    without = ({i for ids in checkpoints.values() for i in ids} & places.keys() | weights.keys()) - {*rows["trial_id"]}
    if where is not None:
        axes = TABLES["trials"].build(axis_values(sweep.trials[places[i]]) for i in sorted(without))
        chosen = filter_trials(pl.concat([rows, _frame(axes)], how="diagonal"), where)
        rows, without = chosen.drop_nulls("status"), {*chosen.filter(pl.col("status").is_null())["trial_id"]}
    wanted = frozenset(places if where is None else {*rows["trial_id"], *without})
    refuse_held(store.files, wanted, "forgotten")
    concerned = {name: ids for name, ids in checkpoints.items() if not wanted.isdisjoint(ids)}
    return Traces(
        trial_ids=wanted,
        trials=rows.height + len(without),
        statuses=Counter(rows["status"].drop_nulls()),
        rows=count_rows(store, wanted),
        weights=tuple(name for trial_id, name in weights.items() if trial_id in wanted),
        checkpoints=tuple(concerned),
        others=len({i for ids in concerned.values() for i in ids} - wanted),
    )


def forget(traces: Traces, store: Store, *, search: str | None = None, alone: str | None = None) -> None:
    """Remove what `traces` names, and what the search of that key has asked for; nobody else does `alone` meanwhile.

    Nobody trains the trials meanwhile: a sweep that wants to waits. Raises UsageError where one has them by now, or
    writes beside it. Killed on the way, the same call goes on.
    """
    require_removable(store, traces.trial_ids)  # while nothing is written, not even a lease
    with Lease(store.files, f"forget-{uuid.uuid4().hex[:16]}", alone=alone) as lease:
        if lease.claim(traces.trial_ids) != traces.trial_ids:
            refuse_held(store.files, traces.trial_ids, "forgotten", claims=lease.others())
            raise UsageError("another sweep wanted the same trials at the same moment; run the same command again")
        remove_rows(store, traces.trial_ids, search=search)
        for name in (*traces.checkpoints, *traces.weights):
            store.files.delete(name)


def refuse_held(files: FileSystem, wanted: frozenset[str], what: str, *, claims: Iterable[Claim] | None = None) -> None:
    """Raise UsageError where another process has any of the `wanted` trials, to be `what`, in training."""
    for claim in live_claims(files).values() if claims is None else claims:
        if n := len(wanted & claim.trial_ids):
            raise UsageError(
                f"trials can be {what} while nobody trains them, {n} of these are in training in {files.root} by "
                f"{claim.holder}; wait for it or stop it"
            )


def _frame(table: object) -> pl.DataFrame:
    frame = pl.from_arrow(table)  # pyright: ignore[reportArgumentType]
    assert isinstance(frame, pl.DataFrame)
    return frame
