"""How far trials that were trained twice differ, by where and how they were trained."""

import os
from collections.abc import Sequence

import polars as pl

from lrsym.results.store.store import load
from lrsym.vocabulary import AGREEMENTS, FAILED_STATUSES, METRICS, is_accuracy

ENVIRONMENT = ("device", "hardware", "pack_size", "torch", "lrsym")
"""Where and how a trial was trained: columns of `environments`."""

_KEY = ["trial_id", "step", "split", "metric"]

_ENDED = ("done", "stopped")

ROUNDING = ("device", "hardware", "pack_size", "torch")
"""What decides in which order sums are taken: where one of them changed, values differ by rounding, and grow apart."""

EARLY_STEPS = 60
"""Up to here, and at the first evaluation wherever that is, rounding has not grown yet."""

MAX_EARLY_LOSS = 1e-4
"""How far, as a share, losses may differ by rounding up to then: 1e-5 in every kind of model, and some room."""


def compare(
    before: str | os.PathLike[str],
    after: str | os.PathLike[str],
    *,
    tolerance: float,
    trial_ids: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return a row for each trial of the store at `after`, trained again, against its rows in the store at `before`.

    Of `trial_ids` alone where given.

    `agreement` is a key of AGREEMENTS. `first` and `last` are the largest differences of an accuracy at the first and
    at the last evaluation that both have, 0..1, `early_loss` that of the loss up to EARLY_STEPS, as a share of it,
    `bias` the mean of all accuracies at the last, now minus before; null where nothing can be compared. `metric`,
    `value_before` and `value_after` are those of the largest difference at the last one, `step` where that is.
    `status_before` and `status_after` are how it ended; what is in ENVIRONMENT says where, with _before and _after.
    """
    again = _trials(after, None if trial_ids is None else pl.Series(trial_ids, dtype=pl.String))
    ids = again["trial_id"]
    pairs = _trials(before, ids).join(again, on="trial_id", suffix="_after", maintain_order="left")
    pairs = pairs.rename({name: f"{name}_before" for name in ("status", "trained_steps", *ENVIRONMENT)})
    for frame in _differences(_points(before, after, ids)):
        pairs = pairs.join(frame, on="trial_id", how="left", maintain_order="left")
    return pairs.with_columns(agreement=_agreement(tolerance)).select(
        "trial_id", "agreement", "first", "early_loss", "last", "bias", "step", "metric", "value_before", "value_after",
        "status_before", "status_after", *(f"{name}_{when}" for name in ENVIRONMENT for when in ("before", "after")),
    )  # fmt: skip


def _differences(points: pl.DataFrame) -> list[pl.DataFrame]:
    """Return frames with a row for each trial: whether any value differs, how far the first ones do, and the last."""
    points = points.with_columns(difference=(pl.col("value") - pl.col("value_after")).abs())
    is_first = pl.col("step") == pl.col("step").min().over("trial_id")
    is_last = pl.col("step") == pl.col("step").max().over("trial_id")
    accuracies = points.filter(pl.col("metric").is_in([*METRICS]))
    is_early = is_first | (pl.col("step") <= EARLY_STEPS)
    losses = points.filter(pl.col("metric") == "loss").filter(is_early)
    last = accuracies.filter(is_last).sort("difference", descending=True, maintain_order=True)
    return [
        points.group_by("trial_id").agg(any_difference=pl.col("difference").max() > 0),
        accuracies.filter(is_first).group_by("trial_id").agg(first=pl.col("difference").max()),
        losses.group_by("trial_id").agg(early_loss=(pl.col("difference") / pl.col("value").abs()).max()),
        last.group_by("trial_id", maintain_order=True).agg(
            pl.col("step", "value_after").first(),
            value_before=pl.col("value").first(),
            metric=(pl.col("split") + "_" + pl.col("metric")).first(),
            last=pl.col("difference").first(),
            bias=(pl.col("value_after") - pl.col("value")).mean(),
        ),
    ]


def environments(compared: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each pair of environments of `compared`: what changed between them, and how many trials agree.

    A value that changed reads "before -> after"; first, early_loss and last are the largest differences, bias is the
    mean over the trials: rounding, however far it grew, moves single trials and not their mean.
    """

    def change(name: str) -> pl.Expr:
        old, new = (pl.col(f"{name}_{when}").cast(pl.String).fill_null("?") for when in ("before", "after"))
        return pl.when(old == new).then(new).otherwise(old + " -> " + new).alias(name)

    counts = [(pl.col("agreement") == name).sum().alias(name.replace(" ", "_")) for name in AGREEMENTS]
    by = compared.with_columns(change(name) for name in ENVIRONMENT).group_by(*ENVIRONMENT, maintain_order=True)
    return by.agg(pl.len().alias("n"), *counts, pl.col("first", "early_loss", "last").max(), pl.col("bias").mean())


def _agreement(tolerance: float) -> pl.Expr:
    before, after = pl.col("status_before"), pl.col("status_after")
    # One that a rule ended early, and one that it did not, are compared as far as both go.
    same_end = (before == after) | (before.is_in(_ENDED) & after.is_in(_ENDED))
    same_length = (before != after) | (pl.col("trained_steps_before") == pl.col("trained_steps_after"))
    unchanged = ~pl.col("any_difference").fill_null(value=False)
    changes = [pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after")) for name in ROUNDING]
    began_alike = (pl.col("first").fill_null(0.0) <= tolerance) & (
        pl.col("early_loss").fill_null(0.0) <= MAX_EARLY_LOSS
    )
    return (
        pl.when(after.is_in(FAILED_STATUSES) | before.is_in(FAILED_STATUSES))
        .then(pl.lit("failed"))
        .when(same_end & same_length & unchanged)
        .then(pl.lit("identical"))
        .when(same_end & (pl.col("last").fill_null(0.0) <= tolerance))
        .then(pl.lit("within tolerance"))
        .when(same_end & began_alike & pl.any_horizontal(changes))
        .then(pl.lit("grown apart"))
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
