"""Ablations: accuracy with each score term left out at inference."""

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.frames import ablations
from lrsym.results.analysis.varied_axes import varied_axes
from lrsym.results.plots import theme
from lrsym.vocabulary import ABLATIONS, CHANCE, METRICS, SPLITS

SHOWN_METRICS = ("order", "global", "labelset")
"""The columns of the picture; inset says of ablations what global says."""

MAX_CELLS = 6
"""Rows of panels, one for each cell, that fit on a screen or a page."""

_WIDTH, _BAR_STEP = 300, 26  # pixels


def plot_ablation(frame: Frame, *, split: str = "unseen") -> theme.Chart:
    """Return bars of the mean accuracy with each term left out, a dot for each seed; columns by metric, rows by cell.

    `frame` is the table `ablations` joined with the axes of its trials. Raises UsageError if there is nothing to
    draw on `split` or more cells than can be read.
    """
    on_split = pl.col("split") == split, pl.col("metric").is_in(SHOWN_METRICS), pl.col("value").is_finite()
    table = frame.lazy().filter(*on_split).collect()
    if table.is_empty():
        measured = ", ".join(frame.lazy().collect()["split"].unique().sort())
        raise UsageError(f"no ablation on split {split}; choose --split among {measured}")
    if {*table["term"]} == {"none"}:
        raise UsageError(
            "there is no term to leave out in these trials: they exist where the first block reads token + "
            "position embeddings itself, so not behind layer_norm pre; choose other trials"
        )
    varied = varied_axes(table)
    spread = ablations(table, split=split, by=varied)
    cells = spread.select(varied).unique(maintain_order=True).rows(named=True) if varied else [{}]
    theme.check_limit("cells", len(cells), limit=MAX_CELLS, varied=varied)
    metrics = [metric for metric in SHOWN_METRICS if metric in {*spread["metric"]}]
    terms = [term for term in ABLATIONS if term in {*spread["term"]}]
    panels = []
    for cell in cells:
        here = [pl.col(axis).eq_missing(value) for axis, value in cell.items()]
        for metric in metrics:
            means, seeds = (f.filter(*here, pl.col("metric") == metric) for f in (spread, table))
            heading = metric if not cell else f"{metric}, {theme.format_cell(cell)}"
            panels.append(_panel(means, seeds, terms, heading, first=metric == metrics[0]))
    return theme.finish(
        alt.concat(*panels, columns=len(metrics), spacing=24),
        title=f"What remains on {split} when terms of the scores on the image are left out",
        subtitle=_explain(split, metrics, spread["n"]),
        width=len(metrics) * _WIDTH,
        frame=spread,
    )


def _explain(split: str, metrics: list[str], counts: pl.Series) -> list[str]:
    shown = f"Bar: mean; dot: one seed; line: lowest to highest of {theme.seed_count(counts)}."
    if counts.max() == 1:
        shown = "Bar and dot: the one seed."
    return [
        f"{split}: {SPLITS[split]}.",
        *(f"{metric}: {METRICS[metric]}." for metric in metrics),
        f"{shown} Dashed: nothing left out; red: chance.",
    ]


def _panel(means: pl.DataFrame, seeds: pl.DataFrame, terms: list[str], heading: str, *, first: bool) -> alt.LayerChart:
    """Return the bars of one cell and metric; the `first` panel of a row names the terms for all of it."""
    term = alt.Y("term:N", sort=terms, title="left out" if first else None).scale(domain=terms)
    value = alt.X("mean:Q", title="accuracy").scale(domain=[0, 1]).axis(tickCount=5)
    base = alt.Chart(theme.inline(means)).encode(term.axis(labels=first, ticks=False, grid=False))
    dots = alt.Chart(theme.inline(seeds.select("seed", "term", "value").sort("term", "seed"))).mark_circle(
        size=26, color=theme.INK, opacity=0.65
    )
    tooltip = ["term:N", "n:Q", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "lowest", "highest"))]
    colour = alt.when(alt.datum.term == "none").then(alt.value(theme.GREY_BAR)).otherwise(alt.value(theme.BAR))
    baseline = means.filter(pl.col("term") == "none")["mean"].to_list()
    chance = CHANCE.get(means["metric"][0])
    return alt.LayerChart(
        layer=[
            base.mark_bar(height=alt.RelativeBandSize(0.72)).encode(value, color=colour, tooltip=tooltip),
            base.mark_rule(strokeWidth=2, color=theme.INK).encode(x="lowest:Q", x2="highest:Q", tooltip=tooltip),
            *(theme.dashed_rule(theme.INK, told="nothing left out").encode(x=alt.datum(mean)) for mean in baseline),
            *([] if chance is None else [theme.dashed_rule(theme.ALARM, told="chance").encode(x=alt.datum(chance))]),
            dots.encode(term, x="value:Q", tooltip=["seed:O", "term:N", alt.Tooltip("value:Q", format=".3f")]),
        ],
        width=_WIDTH,
        height=_BAR_STEP * len(terms),
        title=alt.TitleParams(heading, fontSize=15, offset=8),
    )
