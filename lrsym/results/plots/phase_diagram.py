"""The phase diagram: for each cell the mean of a metric and, beside it, the phase; of one sweep or several."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.config.axes import axes
from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame, has_outcome
from lrsym.results.analysis.phases import phases, split_and_metric
from lrsym.results.analysis.varied_axes import SWEEP, axis_groups, check_axes, choose_axes, scattered_axes
from lrsym.results.plots import theme
from lrsym.results.plots.phase_grid import PhaseGrid, losses, with_texts
from lrsym.results.plots.phase_numbers import plot_numbers
from lrsym.results.plots.phase_panel import Shown, panel
from lrsym.results.plots.phase_scatter import SCATTER_MARKS, plot_scattered
from lrsym.results.plots.phase_shown import about_accuracy, has_phases, mean_shown, phase_shown, require_outcomes
from lrsym.vocabulary import FAILED_STATUSES, PHASE_METRIC, PHASE_THRESHOLD, PHASES, by_name, is_accuracy

_SHORT_NAMES = by_name(
    PHASES,
    {
        "confusion": "confusion",
        "memorisation": "memorised",
        "layout generalisation": "layouts",
        "relational generalisation": "relational",
    },
)

_MARKS = "red corner; hatched where a cell lost all seeds"

MAX_ROWS, MAX_SWEEPS = 6, 4
"""Rows of panels, and panels side by side, that fit on a screen or a page."""


def plot_phase(
    trials: Frame,
    *,
    metric: str = PHASE_METRIC,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    column: str | None = None,
    threshold: float = PHASE_THRESHOLD,
    prefer: Sequence[str] = (),
) -> theme.Chart:
    """Return, left, the mean of `metric` in each cell, right its phase at `threshold`; a row of panels a facet value.

    `trials` is the table of that name; axes not given are the first varied ones, those in `prefer` before others. With
    a column `sweep` each sweep, with `column`, an axis, each of its values has a column of panels, means above phases,
    on one scale. A metric that is no accuracy, such as steps_to_unseen_order or seconds, is drawn as `plot_numbers`
    does, without phases. Cells that lost trials carry a red corner and the loss in words; those that lost all of them
    are hatched. Cells that are scattered, as a search leaves them, are drawn as `plot_scattered` does. Raises
    UsageError if more axes vary than a picture has room for, or if `metric` has no value to draw.
    """
    trials = trials.lazy().collect()
    if trials.is_empty():
        raise UsageError("there are no trials to draw; train a sweep first, or load the folder that has its rows")
    trials = trials if column is None else _named_by(trials, column, [x, y, facet])
    sweeps = trials.partition_by(SWEEP, maintain_order=True) if SWEEP in trials.columns else [trials]
    given: dict[str, str | None] = {"x": x, "y": y, "facet": facet}
    x, y, facet = choose_axes(sweeps[0], x=x, y=y, facet=facet, prefer=prefer)
    shown = [axis for axis in (x, y, facet) if axis is not None]
    if scattered := scattered_axes(sweeps[0], shown=shown, **given):
        return plot_scattered(
            sweeps, metric=metric, threshold=threshold, axes=scattered, facet=given["facet"],
            title=_title(metric, scattered[:2]), explain=_explain(trials, scattered, marks=SCATTER_MARKS),
        )  # fmt: skip
    if not is_accuracy(metric):
        return plot_numbers(sweeps, metric=metric, x=x, y=y, facet=facet, explain=_explain(trials, shown))
    frames = [phases(one, x=x, y=y, metric=metric, threshold=threshold, facet=facet) for one in sweeps]
    frame = pl.concat(
        one.with_columns(pl.lit(name).alias(SWEEP)) for one, name in zip(frames, _names(sweeps, column), strict=True)
    )
    require_outcomes(frame, metric)
    grid = PhaseGrid(with_texts(frame, x, y, _texts), x, y, facet)
    columns = max(2, len(sweeps))
    return theme.finish(
        alt.concat(
            *_panels(grid, metric, threshold, _names(sweeps, column)), columns=columns, spacing=36
        ).resolve_scale(color="independent"),
        title=_title(metric, shown[:2] if y else [x]),
        subtitle=[*about_accuracy(metric), *_explain(trials, shown)],
        width=columns * grid.width,
        frame=frame if len(sweeps) > 1 else frame.drop(SWEEP),
    )


def _title(metric: str, axes: Sequence[str]) -> str:
    what = metric
    if is_accuracy(metric):
        split, accuracy = split_and_metric(metric)
        what = f"{accuracy} accuracy on {split}"
    return f"{what} by {' and '.join(map(theme.axis_title, axes))}"


def _named_by(trials: pl.DataFrame, column: str, others: Sequence[str | None]) -> pl.DataFrame:
    """Return `trials` with the values of the axis `column` in the place of sweeps, ascending."""
    check_axes([column, *(axis for axis in others if axis is not None)])
    if SWEEP in trials.columns:
        raise UsageError(
            f"several sweeps have a column of panels each, got the column {column}; draw one, or leave it out"
        )
    trials = trials.sort(column, nulls_last=True, maintain_order=True)
    names = [f"{column} = {theme.format_value(value)}" for value in trials[column]]
    return trials.with_columns(pl.Series(SWEEP, names, dtype=pl.String))


def _names(sweeps: Sequence[pl.DataFrame], column: str | None) -> list[str]:
    return [one[SWEEP][0] for one in sweeps] if len(sweeps) > 1 or column else [""]


def _panels(grid: PhaseGrid, metric: str, threshold: float, names: Sequence[str]) -> list[alt.LayerChart]:
    """Return the panels of each facet value and sweep; the last of each kind carries the legend of all."""
    rows = grid.rows()
    if len(rows) * min(2, len(names)) > MAX_ROWS or len(names) > MAX_SWEEPS:
        raise UsageError(
            f"{len(rows)} values of {grid.facet} and {len(names)} column{'s' * (len(names) > 1)} to draw, a picture "
            f"has room for {MAX_ROWS} rows of panels and {MAX_SWEEPS} columns, sweeps or values of an axis; choose "
            "another --facet or --column, keep fewer values with --where, or draw fewer sweeps"
        )
    of_seeds = f"{metric}, {'the one seed' if grid.cells['n'].max() == 1 else 'mean over seeds'}"
    kinds = [
        (of_seeds, mean_shown(metric, of_seeds, means=grid.cells["mean"])),
        ("phase", phase_shown(metric, threshold)),
    ]
    if not has_phases(grid.cells):
        kinds.pop()
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


def _explain(trials: pl.DataFrame, axes_shown: Sequence[str], *, marks: str = _MARKS) -> list[str]:
    """Return sentences: how many trials there are, how many were lost, which axes move with a shown one.

    `marks` say how cells are drawn that lost trials.
    """
    by = [*axes_shown, *([SWEEP] if SWEEP in trials.columns else [])]
    seeds = trials.group_by(by).len()["len"].unique().sort().to_list()
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    noun = "seed" if seeds[-1] == 1 else "seeds"
    diverged = trials.filter(pl.col("status") == "diverged").height
    failed = trials.filter(pl.col("status").is_in(FAILED_STATUSES)).height
    cut = trials.filter(pl.col("status") == "stopped", ~has_outcome()).height
    lost = f"; {diverged} diverged, {failed} failed, {cut} cut short ({marks})"
    derived = {axis.name for axis in axes() if axis.derived}
    groups = axis_groups(trials, first=axes_shown)
    return [
        f"{counted(trials.height, 'trial')}, {count} {noun} in each cell{lost if diverged + failed + cut else ''}.",
        *theme.stopped_early(trials),
        *(f"{f} moves with {axis}." for axis in axes_shown for f in groups.get(axis, []) if f not in derived),
    ]
