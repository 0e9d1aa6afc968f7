"""Along training: when a trial orders pairs that never met, when its attention tells their ends, when its path stands.

    order(t)        share of unseen scenes whose caption scores above its swap
    attention(t)    (1 + |attend_last|) / 2, of the head that has most: share of unseen scenes in which it attends more
                    to the object on one side, always the same side

Both are shares of the same scenes with chance 0.5: attention by what an object is, not where, prefers the left one in
just half of them. So one threshold, ORDERED, is for both.
"""

import polars as pl

from lrsym.results.analysis.aggregate import Frame
from lrsym.results.store.mechanism_path import paths
from lrsym.vocabulary import ORDERED

ONSETS = ("attention_at", "order_at", "path_at")


def trajectories(ablations: Frame, measures: Frame) -> pl.DataFrame:
    """Return a row for each trial and evaluation, ascending: trial_id, step, order, attention, path.

    `ablations` and `measures` are rows of the tables ablation_curves and measure_curves. What a trial lacks is null:
    path has no meaning without score terms, and nothing without unseen pairs.
    """
    by = ["trial_id", "step"]
    rows = ablations.lazy().filter(split="unseen", metric="order")
    order = rows.filter(term="none").select(*by, order="value")
    attend = pl.col("value").abs().max()
    attention = (
        measures.lazy()
        .filter(pl.col("measure") == "attend_last", pl.col("encoder").is_in(["vision", "decoder"]))
        .group_by(by)
        .agg(attention=(1 + attend) / 2)
    )
    found = order.join(attention, on=by, how="left").join(paths(rows, by=by), on=by, how="left")
    return found.sort(by).collect()


def onsets(trajectories: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each trial, ascending: trial_id, path, attention_at, order_at, path_at [steps].

    path is that of the last evaluation; path_at the first evaluation from which it is the same at each later one, null
    where the trial does not order at the end. The others are the first evaluations above ORDERED, null for never.
    An onset lies up to one evaluation before the step that is told.
    """
    path, step = pl.col("path"), pl.col("step")
    last_other = step.filter(path.is_null() | (path != path.last())).max()
    stands = pl.when(path.last() != "none").then(step.filter(step > last_other.fill_null(-1)).min())
    reached = {f"{name}_at": step.filter(pl.col(name) > ORDERED).min() for name in ("attention", "order")}
    return (
        trajectories.sort("trial_id", "step")
        .group_by("trial_id", maintain_order=True)
        .agg(path=path.last(), **reached, path_at=stands)
    )


def who_leads(onsets: pl.DataFrame) -> dict[str, int]:
    """Return how many trials have which onset first: attention, order, neither (the same evaluation); never is none."""
    attention, order = pl.col("attention_at"), pl.col("order_at")
    late = pl.max_horizontal(at.max() for at in (attention, order)).fill_null(0) + 1
    first, second = attention.fill_null(late), order.fill_null(late)
    never = attention.is_null() & order.is_null()
    counts = {
        "attention": first < second,
        "order": second < first,
        "neither": (first == second) & ~never,
        "never": never,
    }
    (row,) = onsets.select(**{name: count.sum() for name, count in counts.items()}).to_dicts()
    return row
