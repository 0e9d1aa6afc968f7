"""The phase diagram: for each cell the mean of a metric and, beside it, the phase; of one sweep or several."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.config.axes import axes
from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame, has_outcome
from lrsym.results.analysis.phases import phases, split_and_metric
from lrsym.results.analysis.varied_axes import SWEEP, axis_groups, choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.phase_grid import PhaseGrid, losses, with_texts
from lrsym.results.plots.phase_numbers import plot_numbers
from lrsym.results.plots.phase_panel import Shown, panel
from lrsym.vocabulary import (
    CHANCE,
    FAILED_STATUSES,
    METRICS,
    PHASE_METRIC,
    PHASE_THRESHOLD,
    PHASES,
    SPLITS,
    by_name,
    is_accuracy,
)

PHASE_COLOURS = by_name(
    PHASES,
    {
        "confusion": "#e8894a",
        "memorisation": "#f2cf63",
        "layout generalisation": "#8ec6ea",
        "relational generalisation": "#2a9d7f",
    },
)
"""Told apart by lightness as well as by hue, for readers who do not see all hues."""

_SHORT_NAMES = by_name(
    PHASES,
    {
        "confusion": "confusion",
        "memorisation": "memorised",
        "layout generalisation": "layouts",
        "relational generalisation": "relational",
    },
)

MAX_ROWS, MAX_SWEEPS = 6, 4
"""Rows of panels, and panels side by side, that fit on a screen or a page."""


def plot_phase(
    trials: Frame,
    *,
    metric: str = PHASE_METRIC,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    threshold: float = PHASE_THRESHOLD,
    prefer: Sequence[str] = (),
) -> theme.Chart:
    """Return, left, the mean of `metric` in each cell, right its phase at `threshold`; a row of panels a facet value.

    `trials` is the table of that name; axes not given are the first varied ones, those in `prefer` before others. With
    a column `sweep` each sweep has a column of panels, means above phases, on one scale. A metric that is no accuracy,
    such as steps_to_unseen_order or seconds, is drawn as `plot_numbers` does, without phases. Cells that lost trials
    carry a red corner and the loss in words; those that lost all of them are hatched. Raises UsageError if more axes
    vary than a picture has room for, or if `metric` has no value to draw.
    """
    trials = trials.lazy().collect()
    if trials.is_empty():
        raise UsageError("there are no trials to draw; train a sweep first, or load the folder that has its rows")
    sweeps = trials.partition_by(SWEEP, maintain_order=True) if SWEEP in trials.columns else [trials]
    x, y, facet = choose_axes(sweeps[0], x=x, y=y, facet=facet, prefer=prefer)
    if not is_accuracy(metric):
        return plot_numbers(sweeps, metric=metric, x=x, y=y, facet=facet, explain=_explain(trials, [x, y, facet]))
    split, accuracy = split_and_metric(metric)
    frames = [phases(one, x=x, y=y, metric=metric, threshold=threshold, facet=facet) for one in sweeps]
    frame = pl.concat(
        one.with_columns(pl.lit(name).alias(SWEEP)) for one, name in zip(frames, _names(sweeps), strict=True)
    )
    if not frame.select(pl.sum_horizontal("n", "n_failed", "n_diverged", "n_censored").sum()).item():
        raise UsageError(f"no trial has a value of {metric}; choose another --metric, such as {PHASE_METRIC}")
    grid = PhaseGrid(with_texts(frame, x, y, _texts), x, y, facet)
    columns = max(2, len(sweeps))
    return theme.finish(
        alt.concat(*_panels(grid, metric, threshold, _names(sweeps)), columns=columns, spacing=36).resolve_scale(
            color="independent"
        ),
        title=f"{accuracy} accuracy on {split} by " + " and ".join(theme.axis_title(axis) for axis in (x, y) if axis),
        subtitle=[f"{split}: {SPLITS[split]}.", f"{accuracy}: {METRICS[accuracy]}.", *_explain(trials, [x, y, facet])],
        width=columns * grid.width,
    )


def _names(sweeps: Sequence[pl.DataFrame]) -> list[str]:
    return [one[SWEEP][0] for one in sweeps] if len(sweeps) > 1 else [""]


def _panels(grid: PhaseGrid, metric: str, threshold: float, names: Sequence[str]) -> list[alt.LayerChart]:
    """Return the panels of each facet value and sweep; the last of each kind carries the legend of all."""
    rows = grid.rows()
    if len(rows) * min(2, len(names)) > MAX_ROWS or len(names) > MAX_SWEEPS:
        raise UsageError(
            f"{len(rows)} values of {grid.facet} and {len(names)} sweep{'s' * (len(names) > 1)} to draw, a picture has "
            f"room for {MAX_ROWS} rows of panels and {MAX_SWEEPS} sweeps; choose another --facet, keep fewer values "
            "with --where, or draw fewer sweeps"
        )
    of_seeds = f"{metric}, {'the one seed' if grid.cells['n'].max() == 1 else 'mean over seeds'}"
    kinds = [(of_seeds, _mean(metric, of_seeds)), ("phase", _phase(metric, threshold))]
    if grid.cells["phase"].null_count() == grid.cells.height and grid.cells["n"].sum():
        kinds.pop()  # rows of others, who do not tell the accuracies that make a phase
    panels = []
    for heading, cells in rows:
        for what, shown in kinds:
            for name in names:
                last = heading == rows[-1][0] and name == names[-1]
                own = cells if not name else cells.filter(pl.col(SWEEP) == name)
                title = f"{name}: {heading}{what}" if name else heading + what
                panels.append(panel(grid, own, shown if last else _without_legend(shown), heading=title))
    return panels


def _without_legend(shown: Shown) -> Shown:
    return Shown(shown.name, shown.colour.legend(None), shown.tooltip, shown.dark, shown.font_size)


def _texts(cell: dict[str, Any]) -> dict[str, str]:
    mean, n, loss = cell["mean"], cell["n"], losses(cell)
    spread = f"{cell['lowest']:.2f}{theme.EN_DASH}{cell['highest']:.2f}" if n > 1 else ""
    return {
        "absence": loss or "no value",
        "mean_text": "" if mean is None else f"{mean:.2f}",
        "mean_below": "\n".join(text for text in (spread, f"n={n}", loss) if text),
        "phase_text": _SHORT_NAMES.get(cell["phase"], ""),
        "phase_below": "\n".join(text for text in (f"n={n}" if n else "", loss) if text),
    }


def _tooltip(metric: str) -> list[alt.Tooltip]:
    accuracy = split_and_metric(metric)[1]
    return [
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "sd", "lowest", "highest")),
        *(alt.Tooltip(f"{name}:Q") for name in ("n", "n_diverged", "n_failed", "n_stopped")),
        *(alt.Tooltip(f"{s}:Q", title=f"{s}_{accuracy}", format=".3f") for s in ("train", "seen", "unseen")),
        alt.Tooltip("phase:N"),
    ]


def _mean(metric: str, title: str) -> Shown:
    low = CHANCE.get(split_and_metric(metric)[1], 0.0)
    colour = (
        alt.Color("mean:Q")
        .scale(scheme="viridis", domain=[low, 1], clamp=True)
        .legend(
            orient="bottom",
            direction="horizontal",
            title=title + (f"; {low:g} is chance" if low else ""),
            gradientLength=260,
            gradientThickness=14,
            format=".1f",
        )
    )
    # Light text on the dark end of viridis only.
    return Shown("mean", colour, _tooltip(metric), dark=alt.datum.mean < low + 0.5 * (1 - low))


def _phase(metric: str, threshold: float) -> Shown:
    cases = "".join(f"datum.value == '{name}' ? '{name}: {sentence}' : " for name, sentence in PHASES.items())
    colour = (
        alt.Color("phase:N")
        .scale(domain=[*PHASES], range=[*PHASE_COLOURS.values()])
        .legend(
            orient="bottom",
            columns=1,
            title=f"phase, by {split_and_metric(metric)[1]} accuracy with threshold {threshold:g}",
            labelExpr=f"{cases}datum.label",
            symbolType="square",
            symbolSize=220,
            symbolStrokeWidth=0,
        )
    )
    return Shown("phase", colour, _tooltip(metric), font_size=12)


def _explain(trials: pl.DataFrame, shown: Sequence[str | None]) -> list[str]:
    """Return sentences: how many trials there are, how many were lost, which axes move with a shown one."""
    axes_shown = [axis for axis in shown if axis is not None]
    by = [*axes_shown, *([SWEEP] if SWEEP in trials.columns else [])]
    seeds = trials.group_by(by).len()["len"].unique().sort().to_list()
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    noun = "seed" if seeds[-1] == 1 else "seeds"
    diverged = trials.filter(pl.col("status") == "diverged").height
    failed = trials.filter(pl.col("status").is_in(FAILED_STATUSES)).height
    cut = trials.filter(pl.col("status") == "stopped", ~has_outcome()).height
    lost = f"; {diverged} diverged, {failed} failed, {cut} cut short (red corner; hatched where a cell lost all seeds)"
    derived = {axis.name for axis in axes() if axis.derived}
    groups = axis_groups(trials, first=axes_shown)
    return [
        f"{counted(trials.height, 'trial')}, {count} {noun} in each cell{lost if diverged + failed + cut else ''}.",
        *theme.stopped_early(trials),
        *(f"{f} moves with {axis}." for axis in axes_shown for f in groups.get(axis, []) if f not in derived),
    ]
