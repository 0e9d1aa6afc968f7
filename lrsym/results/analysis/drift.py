"""How far trials that were trained twice differ, by where and how they were trained."""

import os

import polars as pl

from lrsym.results.store.store import load
from lrsym.vocabulary import AGREEMENTS, FAILED_STATUSES, METRICS, is_accuracy

DEFAULT_TOLERANCE = 0.05
"""Of an accuracy, 0..1. Sums in another order grow apart in thousands of steps; docs/reading.md has how far."""

ENVIRONMENT = ("device", "hardware", "pack_size", "torch", "lrsym")
"""Where and how a trial was trained: columns of `environments`."""

_KEY = ["trial_id", "step", "split", "metric"]

_ENDED = ("done", "stopped")


def compare(before: str | os.PathLike[str], after: str | os.PathLike[str], *, tolerance: float) -> pl.DataFrame:
    """Return a row for each trial of the store at `after`, trained again, against its rows in the store at `before`.

    `agreement` is a key of AGREEMENTS. `first` and `last` are the largest differences of an accuracy at the first and
    at the last evaluation that both have, 0..1, null where nothing can be compared; `metric`, `value_before` and
    `value_after` those of the largest at the last one, `step` where that is. `status_before` and `status_after` are how
    it ended; what is in ENVIRONMENT says where, each with _before and _after.
    """
    again = _trials(after)
    ids = again["trial_id"]
    pairs = _trials(before, ids).join(again, on="trial_id", suffix="_after", maintain_order="left")
    pairs = pairs.rename({name: f"{name}_before" for name in ("status", "trained_steps", *ENVIRONMENT)})
    points = _points(before, after, ids)
    differences = points.with_columns(difference=(pl.col("value") - pl.col("value_after")).abs())
    accuracies = differences.filter(pl.col("metric").is_in([*METRICS]))
    of_trial = [
        differences.group_by("trial_id").agg(any_difference=pl.col("difference").max() > 0),
        accuracies.filter(pl.col("step") == pl.col("step").min().over("trial_id"))
        .group_by("trial_id")
        .agg(first=pl.col("difference").max()),
        accuracies.filter(pl.col("step") == pl.col("step").max().over("trial_id"))
        .sort("difference", descending=True, maintain_order=True)
        .group_by("trial_id", maintain_order=True)
        .first()
        .select(
            "trial_id",
            "step",
            metric=pl.col("split") + "_" + pl.col("metric"),
            value_before="value",
            value_after="value_after",
            last="difference",
        ),
    ]
    for frame in of_trial:
        pairs = pairs.join(frame, on="trial_id", how="left", maintain_order="left")
    return pairs.with_columns(agreement=_agreement(tolerance)).select(
        "trial_id", "agreement", "first", "last", "step", "metric", "value_before", "value_after", "status_before",
        "status_after", *(f"{name}_{when}" for name in ENVIRONMENT for when in ("before", "after")),
    )  # fmt: skip


def environments(compared: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each pair of environments of `compared`: what changed between them, and how many trials agree.

    A value that changed reads "before -> after"; first and last are the largest differences.
    """

    def told(name: str) -> pl.Expr:
        old, new = (pl.col(f"{name}_{when}").cast(pl.String).fill_null("?") for when in ("before", "after"))
        return pl.when(old == new).then(new).otherwise(old + " -> " + new).alias(name)

    counts = [(pl.col("agreement") == name).sum().alias(name.replace(" ", "_")) for name in AGREEMENTS]
    by = compared.with_columns(told(name) for name in ENVIRONMENT).group_by(*ENVIRONMENT, maintain_order=True)
    return by.agg(pl.len().alias("n"), *counts, pl.col("first").max(), pl.col("last").max())


def _agreement(tolerance: float) -> pl.Expr:
    before, after = pl.col("status_before"), pl.col("status_after")
    # One that a rule ended early, and one that it did not, are compared as far as both go.
    same_end = (before == after) | (before.is_in(_ENDED) & after.is_in(_ENDED))
    same_length = (before != after) | (pl.col("trained_steps_before") == pl.col("trained_steps_after"))
    unchanged = ~pl.col("any_difference").fill_null(value=False)
    close = pl.col("last").fill_null(0.0) <= tolerance
    return (
        pl.when(after.is_in(FAILED_STATUSES))
        .then(pl.lit("failed"))
        .when(~same_end)
        .then(pl.lit("drifted"))
        .when(unchanged & same_length)
        .then(pl.lit("identical"))
        .when(close)
        .then(pl.lit("within tolerance"))
        .otherwise(pl.lit("drifted"))
    )


def _trials(root: str | os.PathLike[str], trial_ids: pl.Series | None = None) -> pl.DataFrame:
    runs = load(str(root), "runs").select(
        "run_id",
        "device",
        "hardware",
        "torch",
        lrsym=pl.col("lrsym_version") + (pl.lit(" ") + pl.col("commit").str.head(7)).fill_null(""),
    )
    rows = load(str(root), "trials", trial_ids=trial_ids).select(
        "trial_id", "status", "trained_steps", "pack_size", "run_id"
    )
    return rows.join(runs, on="run_id", how="left").drop("run_id").sort("trial_id").collect()


def _points(before: str | os.PathLike[str], after: str | os.PathLike[str], ids: pl.Series) -> pl.DataFrame:
    """Return the values that both stores have of these trials: of their curves, or where one store was copied without
    them the last accuracies alone."""
    old, new = (load(str(root), "curves", trial_ids=ids).collect() for root in (before, after))
    curves = old.join(new, on=_KEY, suffix="_after", maintain_order="left")
    without = ids.filter(~ids.is_in(curves["trial_id"].implode()))
    ends = _last_accuracies(before, without).join(_last_accuracies(after, without), on=_KEY, suffix="_after")
    return pl.concat([curves, ends.select(curves.columns)])


def _last_accuracies(root: str | os.PathLike[str], ids: pl.Series) -> pl.DataFrame:
    rows = load(str(root), "trials", trial_ids=ids)
    columns = [name for name in rows.collect_schema().names() if is_accuracy(name)]
    long = rows.select("trial_id", *columns, step="trained_steps").unpivot(index=["trial_id", "step"], on=columns)
    parts = pl.col("variable").str.split_exact("_", 1).struct
    named = long.with_columns(split=parts.field("field_0"), metric=parts.field("field_1")).drop_nulls("value")
    return named.select(*_KEY, "value").collect()
