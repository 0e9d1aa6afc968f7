"""How many more seeds each cell takes until its mean is known well enough."""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from lrsym.errors import counted
from lrsym.results.analysis.aggregate import Frame, replicate_value, shares_value
from lrsym.results.analysis.intervals import estimate_mean, interval_of, resolution_of
from lrsym.results.analysis.sample_size import MAX_N, n_for_half_width
from lrsym.results.analysis.varied_axes import varied_axes


def seeds_until(trials: Frame, *, metric: str, half_width: float) -> pl.DataFrame:
    """Return one row for each cell of `trials`, ascending: its axes, n, mean, half_width, n_needed, n_more and seconds.

    half_width is that of the 95 % interval of the mean of `metric`, n_needed the number of seeds with today's mean and
    spread at which it is at most the one asked for, n_more how many of them are not there yet. Both are null where they
    are beyond MAX_N, and, as is half_width, where nothing is known of the spread: unknown says why, by UNKNOWN. seconds
    are those of one trial.
    """
    table, interval, resolution = trials.lazy().collect(), interval_of(metric), resolution_of(metric)
    by = varied_axes(table) or ["n_pair_labels"]
    value, shared = replicate_value(metric), shares_value(metric, table.columns)
    cells = (
        table.group_by(by)
        .agg(
            values=value.drop_nulls(),
            seconds=pl.col("seconds").mean(),
            n_trials=pl.len(),
            shared=(shared & value.is_not_null()).any(),
        )
        .sort(by, nulls_last=True)
    )
    values = [cell.to_list() for cell in cells["values"]]
    estimates = [estimate_mean(cell, interval=interval, resolution=resolution) for cell in values]
    unknown = [
        None if estimate.low is not None and not shared else _why_unknown(estimate.n, n_trials, shared=shared)
        for estimate, n_trials, shared in zip(estimates, cells["n_trials"], cells["shared"], strict=True)
    ]
    half = [
        None if why or one.low is None or one.high is None else (one.high - one.low) / 2
        for one, why in zip(estimates, unknown, strict=True)
    ]
    needed = [
        None if why else n_for_half_width(cell, half_width, interval=interval, resolution=resolution)
        for cell, why in zip(values, unknown, strict=True)
    ]
    n_more = [None if n is None else max(0, n - one.n) for n, one in zip(needed, estimates, strict=True)]
    return cells.select(by).with_columns(
        pl.Series("n", [one.n for one in estimates], dtype=pl.Int64),
        pl.Series("mean", [one.mean for one in estimates], dtype=pl.Float64),
        pl.Series("half_width", half, dtype=pl.Float64),
        pl.Series("n_needed", needed, dtype=pl.Int64),
        pl.Series("n_more", n_more, dtype=pl.Int64),
        cells["seconds"],
        pl.Series("unknown", unknown, dtype=pl.String),
    )


UNKNOWN = {
    "few": "have fewer than two seeds, so nothing is known of their spread: train them with replicates = 3 or more",
    "without": "have fewer than two seeds with a value: the others have ended without one, and more seeds may as well",
    "equal": "have equal values, which tell no spread; a further seed may differ",
    "shared": "have no spread that is known, as the trials of a pack share its time: train with --pack 1 to tell it",
}
"""Why nothing is known of the spread of a cell, and what is to be done."""


def _why_unknown(n: int, n_trials: int, *, shared: bool) -> str:
    """Return which of UNKNOWN it is of a cell of `n_trials`, `n` of them with a value."""
    if n < 2:
        return "few" if n_trials < 2 else "without"
    return "shared" if shared else "equal"


@dataclass(frozen=True)
class SeedsNeeded:
    """What the rows of `seeds_until` say together, as numbers of cells.

    `narrow` have the half-width, `wide` take more seeds, `too_wide` more than MAX_N; of the `unknown` ones, counted by
    UNKNOWN, nothing is known of the spread. `trials` and `seconds` are what the wide ones take, `replicates` is enough
    for all of them.
    """

    narrow: int
    wide: int
    too_wide: int
    unknown: dict[str, int]
    trials: int
    seconds: float
    replicates: int | None

    @classmethod
    def of(cls, cells: pl.DataFrame) -> "SeedsNeeded":
        """Return it for the rows `cells`."""
        known = cells.drop_nulls("half_width")
        wide = known.filter(pl.col("n_more") > 0)
        n_more, needed = wide["n_more"].to_list(), wide["n_needed"].to_list()
        return cls(
            narrow=known.filter(pl.col("n_more") == 0).height,
            wide=wide.height,
            too_wide=known["n_more"].null_count(),
            unknown={why: n for why in UNKNOWN if (n := cells.filter(unknown=why).height)},
            trials=sum(n_more),
            seconds=sum(n * (seconds or 0.0) for n, seconds in zip(n_more, wide["seconds"], strict=True)),
            replicates=max(needed, default=None),
        )

    def in_words(self, *, untrained: int) -> list[str]:
        """Return it as sentences; `untrained` further cells have no row."""
        unknown = Counter(self.unknown)
        lines = [f"{self.narrow} of {self.narrow + self.wide + self.too_wide + unknown.total()} cells have it"]
        if self.wide:
            lines[0] += (
                f"; {self.wide} take {counted(self.trials, 'trial')} more, {self.seconds / 3600:.2g} hours by the "
                f"seconds of those that there are; replicates = {self.replicates} is enough for each of them"
            )
        if self.too_wide:
            lines.append(f"{self.too_wide} take more than {MAX_N:,} seeds; a wider half-width may be within reach")
        unknown["few"] += untrained
        return lines + [f"{unknown[why]} {sentence}" for why, sentence in UNKNOWN.items() if unknown[why]]
