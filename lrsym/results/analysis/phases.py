"""Plot data: frames that hold every number a picture shows, so that drawing only draws.

One word for all frames here: `n` counts the replicates behind a mean, `lowest` and `highest` are their extremes.
"""

from collections.abc import Sequence

import polars as pl

from lrsym.config.axes import axes
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, free_axes, summarise, varied_axes
from lrsym.vocabulary import ABLATIONS, METRICS, PHASES, POSITION_KEY, ROTARY_TERM, SPLITS

PROFILE_TERMS = (*POSITION_KEY, "+".join(POSITION_KEY), *ROTARY_TERM)
"""Terms with a profile along the pixels, the gauge-free sum of learned positions behind its parts."""

_SPREAD = {
    "mean": pl.col("value").mean(),
    "lowest": pl.col("value").min(),
    "highest": pl.col("value").max(),
    "n": pl.col("value").count().cast(pl.Int64),
}


def split_and_metric(name: str) -> tuple[str, str]:
    """The split and the metric that an accuracy column such as `unseen_order` is named after."""
    split, _, metric = name.partition("_")
    if split not in SPLITS or metric not in METRICS:
        raise UsageError(
            f"metric must be a split and a metric, such as unseen_order, got {name}; "
            f"splits: {', '.join(SPLITS)}; metrics: {', '.join(METRICS)}"
        )
    return split, metric


def check_axes(given: Sequence[str]) -> None:
    """Nothing; raises UsageError unless `given` are distinct axes other than the seed."""
    names = [axis.name for axis in axes() if axis.name != "seed"]
    for axis in given:
        if axis not in names:
            raise UsageError(f"cells differ in axes other than seed, got {axis}; axes: {', '.join(names)}")
    if len({*given}) < len(given):
        raise UsageError(f"x, y and facet must differ, got {', '.join(given)}; leave one out")


def phases(
    trials: Frame,
    *,
    x: str,
    y: str | None = None,
    metric: str = "unseen_order",
    threshold: float = 0.9,
    facet: str | None = None,
) -> pl.DataFrame:
    """One row for each cell: its axes, the summary of `metric`, three accuracies and the phase they make.

    Columns: `facet` and `y` where given, `x`, those of `summarise`, then train, seen and unseen (the cell's means
    in the metric of `metric`) and phase. Phases are nested: the first of the three means that misses `threshold`
    decides. Without held-out layouts (seen is null) or unseen pairs, nothing beyond the training scenes or beyond
    layouts can be credited. A cell that finished no trial has phase null. Raises UsageError if more axes vary than
    those given, because trials of one cell may differ in their seed alone.
    """
    _, part = split_and_metric(metric)
    table = trials.lazy().collect()
    by = [axis for axis in (facet, y, x) if axis is not None]
    check_axes(by)
    if free := free_axes(table, by=by):
        raise UsageError(_too_many_axes(table, by, free))
    frame = summarise(table, by=by, metric=metric)
    for split in ("train", "seen", "unseen"):
        means = summarise(table, by=by, metric=f"{split}_{part}").select(*by, pl.col("mean").alias(split))
        frame = frame.join(means, on=by, how="left", nulls_equal=True, maintain_order="left")
    return frame.with_columns(phase=_phase(threshold))


def choose_axes(
    trials: Frame, *, x: str | None = None, y: str | None = None, facet: str | None = None
) -> tuple[str, str | None, str | None]:
    """x, y and facet, each one that is None filled with the next varied axis; x is never None.

    With nothing varied x is n_pair_labels. y and facet stay None where no varied axis is left.
    """
    given = [axis for axis in (x, y, facet) if axis is not None]
    check_axes(given)
    left = [axis for axis in varied_axes(trials, first=given) if axis not in given]
    if x is None:
        x = left.pop(0) if left else next(a for a in ("n_pair_labels", "n_heldout_labels") if a not in given)
    if y is None and left:
        y = left.pop(0)
    if facet is None and y is not None:
        free = free_axes(trials, by=[x, y])
        facet = next((axis for axis in left if axis in free), None)
    return x, y, facet


def curves(frame: Frame, *, metric: str = "order", by: Sequence[str] = ()) -> pl.DataFrame:
    """mean, lowest, highest and n of `metric` for each combination of `by`, split and step, splits as in SPLITS.

    `frame` is the table `curves` with the columns `by` joined to it; values that are null or not finite are left out.
    """
    table = frame.lazy().with_columns(pl.col("split").cast(pl.Enum([*SPLITS])))
    spread = _spread(table, [*by, "split", "step"], pl.col("metric") == metric)
    return spread.with_columns(pl.col("split").cast(pl.String))


def ablations(frame: Frame, *, split: str = "unseen", by: Sequence[str] = ()) -> pl.DataFrame:
    """mean, lowest, highest and n for each combination of `by`, term and metric, terms as in ABLATIONS.

    `frame` is the table `ablations` with the columns `by` joined to it.
    """
    table = frame.lazy().with_columns(pl.col("term").cast(pl.Enum([*ABLATIONS])))
    spread = _spread(table, [*by, "term", "metric"], pl.col("split") == split)
    return spread.with_columns(pl.col("term").cast(pl.String))


def profiles(frame: Frame) -> pl.DataFrame:
    """One row for each seed, position-key term, head and pixel: seed, term, head, pixel, value.

    `frame` is the table `terms` with the column seed joined to it. Of the vision encoder, or of the decoder; pixels
    count from 1, and [CLS], which stands before them in the one and behind them in the other, is left out.
    """
    profile = pl.col("profile")
    after_cls, before_cls = profile.list.slice(1), profile.list.head(profile.list.len() - 1)
    return (
        frame.lazy()
        .filter(pl.col("encoder").is_in(["vision", "decoder"]), pl.col("term").is_in(PROFILE_TERMS))
        .with_columns(value=pl.when(pl.col("encoder") == "decoder").then(before_cls).otherwise(after_cls))
        .select("seed", pl.col("term").cast(pl.Enum(PROFILE_TERMS)), "head", "value")
        .with_columns(pixel=pl.int_ranges(1, pl.col("value").list.len() + 1))
        .explode("pixel", "value")
        .sort("seed", "term", "head", "pixel")
        .select("seed", pl.col("term").cast(pl.String), "head", "pixel", pl.col("value").cast(pl.Float64))
        .collect()
    )


def _spread(frame: Frame, keys: list[str], kept: pl.Expr) -> pl.DataFrame:
    finite = frame.lazy().filter(kept, pl.col("value").is_finite())
    return finite.group_by(keys).agg(**_SPREAD).sort(keys).collect()


def _phase(threshold: float) -> pl.Expr:
    confusion, memorisation, layouts, relational = map(pl.lit, PHASES)
    # A comparison with null is null, which `when` takes as false: an accuracy that does not exist reaches nothing.
    # The slack lets a mean of exactly the threshold survive the rounding of its sum.
    reached = {split: pl.col(split) >= threshold - 1e-9 for split in ("train", "seen", "unseen")}
    shown = pl.when(pl.col("seen").is_null()).then(reached["unseen"]).otherwise(reached["seen"])
    return (
        pl.when(pl.col("train").is_null())
        .then(None)
        .when(~reached["train"])
        .then(confusion)
        .when(shown & reached["unseen"])
        .then(relational)
        .when(shown)
        .then(layouts)
        .otherwise(memorisation)
    )


def _too_many_axes(table: pl.DataFrame, by: Sequence[str], free: Sequence[str]) -> str:
    def values(axis: str) -> str:
        distinct = table[axis].unique().sort().to_list()
        return f"{axis} ({len(distinct)} values, {distinct[0]} to {distinct[-1]})"

    example = f"{free[0]}={table[free[0]].drop_nulls().min()}"
    return (
        f"a cell may hold several seeds but nothing else, yet beside {', '.join(by)} these axes vary: "
        f"{', '.join(map(values, free))}; hold all but three fixed, such as with --where {example}, "
        "or choose others with --x, --y, --facet"
    )
