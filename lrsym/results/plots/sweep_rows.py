"""The rows that a picture shows: what the store has of a sweep, read once however many pictures are drawn of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import lost_all
from lrsym.results.analysis.varied_axes import SWEEP
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.live import LiveRows, read_live
from lrsym.results.store.place import name_place
from lrsym.results.store.query import filter_trials, none_meets
from lrsym.results.store.schema import ALONG_TRAINING, axis_columns
from lrsym.results.store.store import load, read_again
from lrsym.vocabulary import TRAINING


class Sweep(Protocol):
    """What a picture needs to know of a sweep."""

    @property
    def name(self) -> str:
        """Its name, for messages."""
        ...

    @property
    def varied(self) -> Sequence[str]:
        """The keys of the axes that it varies, in its order, such as `scenes.n_pair_labels`."""
        ...

    def trial_ids(self) -> list[str]:
        """Return the identities of its trials."""
        ...

    def command(self, verb: str, results: str) -> str:
        """Return what to type for `verb`."""
        ...


class NothingToDrawError(UsageError):
    """The store has no rows for a picture; the message says why and what to do."""


@dataclass(frozen=True)
class SweepRows:
    """Rows of the trials of `sweep` in the store at `root` that meet the SQL condition `where`.

    With `is_live` trials in training are among them, as they were last evaluated. Each table is read when it is first
    asked for, and then kept.
    """

    sweep: Sweep
    root: str
    where: str | None = None
    is_live: bool = False

    @property
    def prefer(self) -> list[str]:
        """The columns of the axes that the sweep varies, in its order."""
        return [key.rpartition(".")[2] for key in self.sweep.varied]

    @cached_property
    def trial_ids(self) -> list[str]:
        """The identities of all trials of the sweep."""
        return self.sweep.trial_ids()

    @cached_property
    def live(self) -> LiveRows | None:
        """What is known of trials in training, None where it is not asked for."""
        return read_live(open_filesystem(self.root), self.trial_ids) if self.is_live else None

    @cached_property
    def stored(self) -> pl.DataFrame:
        """The rows that the table trials has of the sweep, whatever the condition."""
        return read_again(lambda: load(self.root, "trials", trial_ids=self.trial_ids).collect())

    @cached_property
    def trials(self) -> pl.DataFrame:
        """The rows of trials; those in training stand in, as if they were done, for what is stored of them."""
        rows = self.stored
        if self.live is not None:
            here = self.live.trials.with_columns(pl.col("status").replace(TRAINING, "done"))
            rows = pl.concat([rows.join(here, on="trial_id", how="anti"), here], how="diagonal")
        return rows if self.where is None else filter_trials(rows, self.where)

    def table(self, name: str) -> pl.DataFrame:
        """Return the rows of the table `name` with the axes of their trials; UsageError as `filter_trials`."""
        return self.trials if name == "trials" else read_again(lambda: self._joined(name))

    def _joined(self, name: str) -> pl.DataFrame:
        axes = self.trials.select("trial_id", *axis_columns())
        rows = load(self.root, name, trial_ids=axes["trial_id"])
        if self.live is not None and name == "curves":
            here = self.live.curves.lazy().join(axes.lazy(), on="trial_id", how="semi")
            rows = pl.concat([rows.join(self.live.trials.lazy(), on="trial_id", how="anti"), here])
        return rows.join(axes.lazy(), on="trial_id").collect()

    def require(self, table: str = "trials") -> pl.DataFrame:
        """Return the rows of `table`. Raise NothingToDrawError where there are none."""
        rows = self.table(table)
        if rows.is_empty():
            raise NothingToDrawError(f"nothing to draw: {self.why_nothing(table)}")
        return rows

    def why_nothing(self, table: str) -> str:
        """Return why there are no rows of `table`, with the remedy."""
        sweep, root, where = self.sweep, self.root, self.where
        if self.stored.is_empty():
            return f"no trial of {sweep.name} in {name_place(root)}; train first: {sweep.command('sweep', root)}"
        chosen = self.stored if where is None else filter_trials(self.stored, where)
        if chosen.is_empty():
            return f"no trial of {sweep.name} in {root} {none_meets(self.stored, where or '')}"
        lacking = f"there are no {table} of the {counted(chosen.height, 'trial')} of {sweep.name}"
        if lost := lost_all(chosen):
            return f"{lacking}: {lost}; see why: {sweep.command('status', root)}"
        if table in ALONG_TRAINING.values():
            return (
                f"{lacking}: the mechanism along training is told of trials with eval.mechanism = "
                '"points"; ask for it in the sweep file, as sweeps/onset.toml does'
            )
        if table in ("ablations", "terms"):
            return (
                f"{lacking}: there are terms where the first block reads token + position embeddings itself, with "
                "model.layer_norm none or post; rows of older versions lack them"
            )
        return f"no {table} of {sweep.name} in {root}; see how the trials ended: {sweep.command('status', root)}"

    def notes(self) -> list[str]:
        """Return which trials are shown, and how many of the sweep are missing, as sentences."""
        return [*self.condition(), *self.missing("The sweep")]

    def condition(self) -> list[str]:
        """Return which trials are shown, as a sentence; none where all are."""
        return [] if self.where is None else [f"Only trials with {self.where}."]

    def missing(self, name: str) -> list[str]:
        """Return how many trials of the sweep, called `name`, have a row; none where all have: cells without do not
        show."""
        return missing_in_words(name, len(self.trial_ids), self.stored.height)

    def in_training(self, shown: pl.Series) -> list[str]:
        """Return how many of the trials `shown` are not at their end, as a sentence; none where all are."""
        if self.live is None:
            return []
        steps = self.live.training.filter(pl.col("trial_id").is_in(shown.unique().implode()))["trained_steps"]
        if steps.is_empty():
            return []
        fewest, most = steps.min(), steps.max()
        at = f"step {fewest}" if fewest == most else f"steps {fewest} to {most}"
        trials = counted(len(steps), "trial", "are")
        return [f"{trials} not at the end of training, drawn as last evaluated, at {at}."]


def missing_in_words(name: str, planned: int, trained: int) -> list[str]:
    """Return how many trials of a sweep called `name` have a row, as a sentence; none where all have."""
    there = f"{trained:,} {'is' if trained == 1 else 'are'} there"
    return [] if planned == trained else [f"{name} has {counted(planned, 'trial')}, {there}."]


def rows_of(sweeps: Sequence[Sweep], root: str, where: str | None = None) -> list[SweepRows]:
    """Return the rows of each sweep. Raises UsageError where two have the same name."""
    names = [sweep.name for sweep in sweeps]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"sweeps side by side must differ in their names, got {twice} twice; leave one out")
    return [SweepRows(sweep, root, where) for sweep in sweeps]


def join(several: Sequence[SweepRows]) -> pl.DataFrame:
    """Return the rows of the trials of several sweeps, told apart by the column `sweep`; raises as `require`."""
    return pl.concat(rows.require().with_columns(pl.lit(rows.sweep.name).alias(SWEEP)) for rows in several)


def read_trials(sweeps: Sequence[Sweep], root: str, *, where: str | None = None) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows of the trials of sweeps that meet the SQL condition `where`, and the axes to show first.

    Of several sweeps they have a column `sweep`. Raises UsageError where one has none.
    """
    several = rows_of(sweeps, root, where)
    for rows in several:
        if rows.trials.is_empty():
            raise UsageError(rows.why_nothing("trials"))
    return several[0].trials if len(several) == 1 else join(several), several[0].prefer
