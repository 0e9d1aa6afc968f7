"""Drawing of learning curves, ablations and term profiles; with `plot_phase` and `save` all that a picture needs."""

from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, varied_axes
from lrsym.results.analysis.phases import PROFILE_TERMS, ablations, check_axes, curves, profiles
from lrsym.results.plots import theme
from lrsym.results.plots.phase_diagram import plot_phase
from lrsym.results.plots.theme import save
from lrsym.vocabulary import ABLATIONS, METRICS, ROTARY_TERM, SCORE_TERMS, SPLITS

__all__ = ["plot_ablation", "plot_curves", "plot_phase", "plot_profile", "save"]

SPLIT_COLOURS = dict(zip(SPLITS, ("#6b7280", "#b96aa5", "#2f7fc1", "#d1551b", "#2a9d7f", "#8c6d1f"), strict=True))

_ABLATION_METRICS = ("order", "global", "labelset")
_MOST_PANELS, _MOST_CELLS, _MOST_SEEDS = 12, 6, 5
_WIDTH, _HEIGHT = 300, 200  # pixels


def plot_curves(frame: Frame, *, metric: str = "order", color: str | None = None) -> theme.Drawn:
    """The mean of `metric` along training, in a band from the lowest to the highest seed.

    `frame` is the table `curves` joined with the axes of its trials. Each cell has a panel and each split a colour;
    with `color`, an axis, each of its values has a colour and each split a panel. Raises UsageError if there is
    nothing to draw or more than can be read.
    """
    table = frame.lazy().filter(pl.col("metric") == metric, pl.col("value").is_finite()).collect()
    if table.is_empty():
        raise UsageError(f"no learning curve of {metric}; metrics: {', '.join(METRICS)}, loss")
    check_axes([color] if color else [])
    varied = varied_axes(table, first=[color] if color else [])
    cell = [axis for axis in varied if axis != color]
    spread = curves(table, metric=metric, by=[*cell, color] if color else cell)
    hue, panel = (color, ["split", *cell]) if color else ("split", cell)
    rows = [
        {**row, "panel": theme.cell_label({axis: row[axis] for axis in panel}), "hue": theme.label(row[hue])}
        for row in spread.iter_rows(named=True)
    ]
    panels = [*dict.fromkeys(row["panel"] for row in rows)]
    _limit("panels", len(panels), _MOST_PANELS, varied)
    _limit("colours", spread[hue].n_unique(), _MOST_PANELS, varied)
    splits = [name for name in SPLITS if name in {*spread["split"]}]
    hues = theme.labels(spread[color]) if color else splits
    side_by_side = spread["split" if color else cell[-1]].n_unique() if color or cell else 1
    columns = side_by_side if side_by_side <= 4 else 3
    facet = alt.Facet("panel:N", sort=panels, title=None, header=alt.Header(labels=len(panels) > 1))
    drawn = _curve_panel(rows, metric, hue, hues).facet(facet=facet, columns=columns)
    return theme.finish(
        drawn.resolve_axis(x="independent", y="independent"),
        title=f"{metric} along training",
        subtitle=[
            f"{metric}: {METRICS.get(metric, 'of the batch, in nats')}.",
            *(f"{name}: {SPLITS[name]}." for name in splits),
            f"Line: mean; band: lowest to highest of {_range(spread['n'])}.",
            *(["Red: chance."] if metric in theme.CHANCE else []),
        ],
        width=columns * _WIDTH,
    )


def plot_ablation(frame: Frame, *, split: str = "unseen") -> theme.Drawn:
    """Accuracy with each term left out: a bar for the mean, a dot for each seed; columns by metric, rows by cell.

    `frame` is the table `ablations` joined with the axes of its trials. Raises UsageError if there is nothing to
    draw on `split` or more cells than can be read.
    """
    kept = pl.col("split") == split, pl.col("metric").is_in(_ABLATION_METRICS), pl.col("value").is_finite()
    table = frame.lazy().filter(*kept).collect()
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
    _limit("cells", len(cells), _MOST_CELLS, varied)
    metrics = [metric for metric in _ABLATION_METRICS if metric in {*spread["metric"]}]
    terms = [term for term in ABLATIONS if term in {*spread["term"]}]
    panels = []
    for cell in cells:
        here = [pl.col(axis).eq_missing(value) for axis, value in cell.items()]
        for metric in metrics:
            means, seeds = (f.filter(*here, pl.col("metric") == metric) for f in (spread, table))
            heading = metric if not cell else f"{metric}, {theme.cell_label(cell)}"
            panels.append(_ablation_panel(means, seeds, terms, heading, first=metric == metrics[0]))
    return theme.finish(
        alt.concat(*panels, columns=len(metrics), spacing=24),
        title=f"What remains on {split} when terms of the scores on the image are left out",
        subtitle=[
            f"{split}: {SPLITS[split]}.",
            *(f"{metric}: {METRICS[metric]}." for metric in metrics),
            f"Bar: mean; dot: one seed; line: lowest to highest of {_range(spread['n'])}. "
            "Dashed: nothing left out; red: chance.",
        ],
        width=len(metrics) * _WIDTH,
    )


def plot_profile(frame: Frame) -> theme.Drawn:
    """Contribution of the position-key terms to [CLS]'s logits by pixel, a line for each head; rows are seeds.

    `frame` is the table `terms` joined with the axes of its trials, all of one cell; the first five seeds are drawn.
    Raises UsageError for several cells, or if there is no profile of what sees the image.
    """
    if varied := varied_axes(frame):
        _limit("cells", frame.lazy().select(varied).unique().collect().height, 1, varied)
    profile = profiles(frame)
    if profile.is_empty():
        raise UsageError("no profile of a vision encoder or decoder among these rows; choose other trials with --where")
    seeds = profile["seed"].unique().sort().to_list()
    profile = profile.filter(pl.col("seed").is_in(seeds[:_MOST_SEEDS])).with_columns(
        panel_row=pl.format("seed {}", "seed"), head=pl.col("head").cast(pl.String)
    )
    terms = [term for term in PROFILE_TERMS if term in {*profile["term"]}]
    shown = "" if len(seeds) <= _MOST_SEEDS else f" The first {_MOST_SEEDS} of {len(seeds)} seeds."
    return theme.finish(
        _profile_panel(profile).facet(
            row=alt.Row("panel_row:N", sort=[f"seed {seed}" for seed in seeds], title=None),
            column=alt.Column("term:N", sort=terms, title=None),
        ),
        title="Where [CLS] looks in the image by position alone",
        subtitle=[
            *(f"{term}: {sentence}." for term, sentence in (SCORE_TERMS | ROTARY_TERM).items() if term in terms),
            f"A slope makes a head prefer one side; which one may differ by head and seed.{shown}",
        ],
        width=len(terms) * 220,
    )


def _curve_panel(rows: list[dict[str, Any]], metric: str, hue: str, hues: list[str]) -> alt.LayerChart | alt.FacetChart:
    chance = theme.CHANCE.get(metric)
    y = alt.Y("mean:Q", title=metric).axis(grid=True)
    if metric in METRICS:
        lowest = 0.0 if chance is None else min(chance - 0.1, *(row["lowest"] for row in rows))
        y = y.scale(domain=[lowest, 1], nice=False)
    colour = alt.Color("hue:N", title=None if hue == "split" else theme.axis_title(hue))
    if hue == "split":
        colour = colour.scale(domain=hues, range=[SPLIT_COLOURS[name] for name in hues])
    else:
        colour = colour.scale(domain=hues, scheme=alt.SchemeParams(name="viridis", extent=[0, 0.88]))
    ticks = _log_ticks([row["step"] for row in rows])
    base = alt.Chart().encode(
        alt.X("step:Q", title="optimiser steps").scale(type="log", nice=False).axis(format="~s", values=ticks),
        colour.legend(symbolType="stroke", symbolStrokeWidth=4, symbolOpacity=1),
    )
    line = base.mark_line(strokeWidth=2.2, point=alt.OverlayMarkDef(size=18)).encode(
        y,
        tooltip=["panel:N", "split:N", "hue:N", "step:Q", "n:Q"]
        + [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "lowest", "highest")],
    )
    band = base.mark_area(opacity=0.22).encode(alt.Y("lowest:Q"), y2="highest:Q")
    guess = [] if chance is None else [_rule(theme.ALARM).encode(y=alt.datum(chance))]
    return alt.layer(line, band, *guess, data=alt.InlineData(values=rows)).properties(width=_WIDTH, height=_HEIGHT)


def _profile_panel(profile: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    line = (
        alt.Chart()
        .mark_line(point=alt.OverlayMarkDef(size=22), strokeWidth=2)
        .encode(
            alt.X("pixel:O", title="pixel").axis(labelAngle=0),
            alt.Y("value:Q", title="logit contribution").axis(grid=True),
            alt.Color("head:N", title="head").scale(scheme="dark2").legend(symbolType="stroke", symbolStrokeWidth=3),
            tooltip=["seed:O", "term:N", "head:N", "pixel:O", alt.Tooltip("value:Q", format=".3f")],
        )
    )
    zero = alt.Chart().mark_rule(color=theme.MUTED).encode(y=alt.datum(0))
    return alt.layer(line, zero, data=theme.inline(profile)).properties(width=220, height=130)


def _log_ticks(steps: list[int]) -> list[int]:
    """Each power of ten and its threefold within the range of `steps`."""
    marks = [digit * 10**power for power in range(len(str(max(steps)))) for digit in (1, 3)]
    return [mark for mark in marks if min(steps) <= mark <= max(steps)]


def _ablation_panel(
    means: pl.DataFrame, seeds: pl.DataFrame, terms: list[str], heading: str, *, first: bool
) -> alt.LayerChart:
    term = alt.Y("term:N", sort=terms, title="left out" if first else None).scale(domain=terms)
    value = alt.X("mean:Q", title="accuracy").scale(domain=[0, 1]).axis(tickCount=5)
    base = alt.Chart(theme.inline(means)).encode(term.axis(labels=first, ticks=False, grid=False))
    dots = alt.Chart(theme.inline(seeds)).mark_circle(size=26, color=theme.INK, opacity=0.65)
    tooltip = ["term:N", "n:Q", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "lowest", "highest"))]
    colour = alt.when(alt.datum.term == "none").then(alt.value("#9aa3b2")).otherwise(alt.value("#8ec6ea"))
    baseline = means.filter(pl.col("term") == "none")["mean"].to_list()
    chance = theme.CHANCE.get(means["metric"][0])
    return alt.LayerChart(
        layer=[
            base.mark_bar(height=alt.RelativeBandSize(0.72)).encode(value, color=colour, tooltip=tooltip),
            base.mark_rule(strokeWidth=2, color=theme.INK).encode(x="lowest:Q", x2="highest:Q"),
            dots.encode(term, x="value:Q", tooltip=["seed:O", "term:N", alt.Tooltip("value:Q", format=".3f")]),
            *(_rule(theme.INK).encode(x=alt.datum(mean)) for mean in baseline),
            *([] if chance is None else [_rule(theme.ALARM).encode(x=alt.datum(chance))]),
        ],
        width=_WIDTH,
        height=26 * len(terms),
        title=alt.TitleParams(heading, fontSize=15, offset=8),
    )


def _rule(colour: str) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=colour, strokeDash=[5, 4], strokeWidth=1.5)


def _range(counts: pl.Series) -> str:
    few, many = counts.unique().sort()[[0, -1]]
    return f"{few if few == many else f'{few} to {many}'} seed{'' if many == 1 else 's'}"


def _limit(what: str, number: int, most: int, varied: list[str]) -> None:
    if number > most:
        raise UsageError(
            f"{number} {what} to draw, a picture has room for {most}; these axes vary: {', '.join(varied)}; "
            "hold some of them fixed with --where"
        )
