"""Plot data of one cell at a time: learning curves, ablations and profiles, as much as a page has room for.

Every seed has its own series up to MAX_SEEDED trials; above there is what the seeds of a cell say together. What would
still be too much is thinned, or left out, and the page says so.
"""

from dataclasses import dataclass

import polars as pl

from lrsym.reports.planned import CELL
from lrsym.results.analysis.frames import ablations, curves, profiles
from lrsym.results.plots.ablations import SHOWN_METRICS
from lrsym.results.plots.profiles import MAX_SEEDS
from lrsym.results.store.store import load
from lrsym.vocabulary import METRICS

MAX_SEEDED = 2_000
"""Trials of which a page shows every seed."""

MAX_CURVES, MAX_ABLATIONS, MAX_PROFILES = 2_500_000, 1_200_000, 600_000
"""Numbers of each kind that a page holds, at two to three bytes each."""

FEW_STEPS = 8
"""Evaluations of a curve that is thinned."""

ABLATION_SPLITS, NESTED = ("unseen", "seen"), ("train", "seen", "unseen")


@dataclass(frozen=True)
class Details:
    """Frames of every cell, each sorted by cell, and `left_out`, sentences that say what is not in them.

    `curves`: cell, metric, split, step, mean, lowest, highest, n; `seed_curves`: cell, seed, metric, split, step,
    value. `ablations`: cell, split, term, metric, mean, lowest, highest, n; `seed_ablations`: cell, seed, split, term,
    metric, value. `profiles`: cell, seed, term, head, pixel, value [logit]. None where they are left out.
    """

    curves: pl.DataFrame | None = None
    seed_curves: pl.DataFrame | None = None
    ablations: pl.DataFrame | None = None
    seed_ablations: pl.DataFrame | None = None
    profiles: pl.DataFrame | None = None
    left_out: tuple[str, ...] = ()


def read_details(root: str, trials: pl.DataFrame, *, accuracy: str, max_seeded: int = MAX_SEEDED) -> Details:
    """Return the details of `trials`, rows of the table of that name with the column cell, in the store at `root`.

    Where there is too much, what is about `accuracy`, such as order, is kept.
    """
    reader = _Reader(root, trials, accuracy, seeded=trials.height <= max_seeded)
    frames = {**reader.curves(), **reader.ablations(), **reader.profiles()}
    if not reader.seeded:
        reader.left_out.insert(
            0,
            f"Of {trials.height:,} trials, curves and ablations are those of cells (mean, lowest to highest seed), and "
            f"profiles are left out: every seed is shown of up to {max_seeded:,} trials.",
        )
    return Details(**frames, left_out=tuple(reader.left_out))


class _Reader:
    """Reads each kind as far as there is room, and notes what is left out."""

    def __init__(self, root: str, trials: pl.DataFrame, accuracy: str, *, seeded: bool) -> None:
        self.left_out: list[str] = []
        self.seeded = seeded
        self._root, self._accuracy = root, accuracy
        self._trials = trials.select("trial_id", CELL, "seed", "status").sort(CELL, "seed")
        self._n_cells = trials[CELL].n_unique()
        done_first = self._trials.sort(CELL, pl.col("status") != "done", "seed")
        self._examples = done_first.group_by(CELL, maintain_order=True).head(1)
        """A trial of each cell, which shows what rows the others of it have: cells differ in their splits and steps."""
        self._per_cell = trials.height / max(1, self._n_cells) if seeded else 0.0
        """Seeds of a cell that have series of their own, in the mean."""

    def curves(self) -> dict[str, pl.DataFrame]:
        """Return curves and seed_curves."""
        wanted = (pl.col("metric").is_in([*METRICS]), pl.col("value").is_finite())
        examples = self._rows("curves", self._examples).filter(*wanted)
        every = examples.group_by(CELL, "metric", "split").agg(steps=pl.len().cast(pl.Int64)).collect()
        ours = every.filter(metric=self._accuracy)
        nested = ours.filter(pl.col("split").is_in(NESTED))
        three = f"{self._accuracy} on {', '.join(NESTED)}"
        width = 3 if self._trials.height > self._n_cells else 1  # of one seed lowest and highest say nothing more
        most = max(every["steps"], default=0)
        few = min(most, FEW_STEPS)
        choices = (
            (every, most, ""),
            (ours, most, f"Curves are those of {self._accuracy}"),
            (nested, most, f"Curves are those of {three}"),
            (nested, few, f"Curves are those of {three} at {few} steps"),
        )
        fitting = [
            choice
            for choice in choices
            if int(choice[0]["steps"].clip(upper_bound=choice[1]).sum()) * (width + self._per_cell) <= MAX_CURVES
        ]
        if not fitting:
            self._leave_out("curves", "curves")
            return {}
        series, at, what = fitting[0]
        self.left_out += [f"{what}: more do not fit on a page."] if what else []
        rows = self._rows("curves").filter(*wanted).join(series.lazy(), on=["metric", "split"], how="semi")
        rows = rows if at == most else rows.filter(_is_one_of(at, "step"))
        means = [
            curves(rows, metric=name, by=[CELL]).with_columns(metric=pl.lit(name))
            for name in METRICS
            if name in {*series["metric"]}
        ]
        columns = (CELL, "seed", "metric", "split", "step", "value")
        return {
            **({"curves": pl.concat(means).sort(CELL, maintain_order=True)} if means else {}),
            **({"seed_curves": rows.select(columns).sort(columns[:-1]).collect()} if self.seeded else {}),
        }

    def ablations(self) -> dict[str, pl.DataFrame]:
        """Return ablations and seed_ablations."""
        wanted = (pl.col("value").is_finite(),)
        examples = self._rows("ablations", self._examples).filter(*wanted)
        n_terms = examples.select(CELL, "term").unique().select(pl.len()).collect().item()  # of all cells together
        shown = [*dict.fromkeys([self._accuracy, *SHOWN_METRICS])]
        numbers = n_terms * (3 + self._per_cell)
        choices = [(ABLATION_SPLITS, shown), (ABLATION_SPLITS[:1], shown[:2]), (ABLATION_SPLITS[:1], shown[:1])]
        fitting = [choice for choice in choices if len(choice[0]) * len(choice[1]) * numbers <= MAX_ABLATIONS]
        if not fitting:
            self._leave_out("ablations", "ablation")
            return {}
        splits, metrics = fitting[0]
        if splits != ABLATION_SPLITS:
            kept = f"{' and '.join(metrics)} on {splits[0]}"
            self.left_out.append(f"Ablations are those of {kept}: more do not fit on a page.")
        rows = self._rows("ablations").filter(*wanted, pl.col("split").is_in(splits), pl.col("metric").is_in(metrics))
        means = [ablations(rows, split=split, by=[CELL]).with_columns(split=pl.lit(split)) for split in splits]
        columns = (CELL, "seed", "split", "term", "metric", "value")
        return {
            "ablations": pl.concat(means).sort(CELL, maintain_order=True),
            **({"seed_ablations": rows.select(columns).sort(columns[:-1]).collect()} if self.seeded else {}),
        }

    def profiles(self) -> dict[str, pl.DataFrame]:
        """Return the profiles of the first seeds of each cell that have some.

        Signs differ by head and seed, so they have no mean.
        """
        if not self.seeded:
            return {}
        there = self._rows("terms").select("trial_id").unique().collect()
        cells = (
            self._trials.join(there, on="trial_id", how="semi").sort(CELL, "seed").group_by(CELL, maintain_order=True)
        )
        numbers = profiles(self._rows("terms", cells.head(1)), by=[CELL]).height
        n_seeds = min(MAX_SEEDS, MAX_PROFILES // max(1, numbers))
        if not n_seeds:
            self._leave_out("profiles", "profile")
            return {}
        return {"profiles": profiles(self._rows("terms", cells.head(n_seeds)), by=[CELL])}

    def _rows(self, table: str, trials: pl.DataFrame | None = None) -> pl.LazyFrame:
        """Return the rows of `table` with the cell and the seed of their trial."""
        trials = self._trials if trials is None else trials
        rows = load(self._root, table, trial_ids=trials["trial_id"])
        return rows.join(trials.lazy().select("trial_id", CELL, "seed"), on="trial_id")

    def _leave_out(self, what: str, kind: str) -> None:
        self.left_out.append(
            f"The {what} of {self._n_cells:,} cells do not fit on a page: see some with lrsym plot {kind} --where."
        )


def _is_one_of(n: int, column: str) -> pl.Expr:
    """Return whether a row has one of `n` values of `column` that lie evenly by rank among those of its cell.

    The first and the last are among them.
    """
    rank = pl.col(column).rank("dense").over(CELL).cast(pl.Int64) - 1
    return rank * (n - 1) % rank.max().over(CELL).clip(1) < n - 1
