"""The phase plot: for each cell of two axes the mean of a metric and, beside it, the phase."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from lrsym.config.axes import axes
from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, axis_groups
from lrsym.results.analysis.phases import choose_axes, phases, split_and_metric
from lrsym.results.plots import theme
from lrsym.vocabulary import FINAL_STATUSES, METRICS, PHASES, SPLITS

PHASE_COLOURS = dict(zip(PHASES, ("#e8894a", "#f2cf63", "#8ec6ea", "#2a9d7f"), strict=True))
"""Told apart by lightness as well as by hue, for readers who do not see all hues."""

_SHORT = dict(zip(PHASES, ("confusion", "memorised", "layouts", "relational"), strict=True))
_MOST_FACETS = 6
_CELL_WIDTH, _CELL_HEIGHT, _BIG_LINE, _LINE, _CORNER = 72, 54, 19, 13, 12  # pixels
_LEAST_HEIGHT, _TITLE_CHARACTER = 156, 8  # pixels: a panel that holds half a title, a letter of it


@dataclass(frozen=True)
class _Grid:
    """The cells with their texts, and what each panel needs to place and name them."""

    cells: pl.DataFrame
    x: str
    y: str | None
    facet: str | None
    metric: str
    threshold: float

    @property
    def part(self) -> str:
        return split_and_metric(self.metric)[1]

    @property
    def chance(self) -> float:
        return theme.CHANCE.get(self.part, 0.0)

    @property
    def columns(self) -> list[str]:
        """Values of x as text, left to right."""
        return theme.labels(self.cells[self.x])

    @property
    def lines(self) -> list[str]:
        """Values of y as text, top to bottom."""
        return theme.labels(self.cells[self.y])[::-1] if self.y else [""]

    @property
    def cell_height(self) -> int:
        """Pixels: room for the longest report of losses, and for the title of y beside few cells."""
        lost = max(len(loss.splitlines()) for loss in self.cells["loss"])
        return max(_CELL_HEIGHT + _LINE * lost, _LEAST_HEIGHT // len(self.lines) if self.y else 0)

    @property
    def y_title(self) -> str | list[str] | None:
        """The title of y, broken before its bracket where a line would be longer than the panel is high."""
        title = theme.axis_title(self.y) if self.y else None
        short = title and len(self.lines) * self.cell_height < len(title) * _TITLE_CHARACTER
        return title.replace(" (", "\n(").splitlines() if title and short else title


def plot_phase(
    trials: Frame,
    *,
    metric: str = "unseen_order",
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    threshold: float = 0.9,
) -> theme.Drawn:
    """Left the mean of `metric` in each cell, right its phase at `threshold`; a row of panels for each facet value.

    `trials` is the table of that name; axes not given are the first varied ones. Cells that lost trials carry a red
    corner and the loss in words; those that lost all of them are hatched. Raises UsageError if more axes vary than a
    picture has room for, or if `metric` has no value to draw.
    """
    split, part = split_and_metric(metric)
    trials = trials.lazy().collect()
    if trials.is_empty():
        raise UsageError("there are no trials to draw; train a sweep first, or load the folder that has its rows")
    x, y, facet = choose_axes(trials, x=x, y=y, facet=facet)
    frame = phases(trials, x=x, y=y, metric=metric, threshold=threshold, facet=facet)
    if not frame.select(pl.sum_horizontal("n", "n_failed", "n_diverged").sum()).item():
        raise UsageError(f"no trial has a value of {metric}; choose another --metric, such as unseen_order")
    grid = _Grid(_with_texts(frame, x, y), x, y, facet, metric, threshold)
    shown = [axis for axis in (x, y, facet) if axis is not None]
    return theme.finish(
        alt.concat(*_panels(grid), columns=2, spacing=36).resolve_scale(color="independent"),
        title=f"{part} accuracy on {split} by " + " and ".join(theme.axis_title(axis) for axis in (x, y) if axis),
        subtitle=[f"{split}: {SPLITS[split]}.", f"{part}: {METRICS[part]}.", *_about(trials, shown)],
        width=2 * _CELL_WIDTH * len(grid.columns),
    )


def _panels(grid: _Grid) -> list[alt.LayerChart]:
    """Two panels for each facet value; the last two carry the legends of all."""
    parts, headings = [grid.cells], [""]
    if grid.facet:
        parts = grid.cells.sort(grid.facet, nulls_last=True).partition_by(grid.facet, maintain_order=True)
        headings = [f"{grid.facet} = {value}: " for value in theme.labels(grid.cells[grid.facet])]
    if len(parts) > _MOST_FACETS:
        raise UsageError(
            f"{grid.facet} has {len(parts)} values, a picture has room for {_MOST_FACETS} rows of panels; "
            "choose another --facet, or keep fewer values with --where"
        )
    panels = []
    for part, heading in zip(parts, headings, strict=True):
        for shows, what, colour in (
            ("mean", f"{grid.metric}, mean over seeds", _mean_colour(grid)),
            ("phase", "phase", _phase_colour(grid)),
        ):
            colour = colour if heading == headings[-1] else colour.legend(None)
            panels.append(_panel(grid, part, shows=shows, colour=colour, heading=heading + what))
    return panels


def _mean_colour(grid: _Grid) -> alt.Color:
    low = grid.chance
    return (
        alt.Color("mean:Q")
        .scale(scheme="viridis", domain=[low, 1], clamp=True)
        .legend(
            orient="bottom",
            direction="horizontal",
            title=f"{grid.metric}, mean over seeds" + (f"; {low:g} is chance" if low else ""),
            gradientLength=260,
            gradientThickness=14,
            format=".1f",
        )
    )


def _phase_colour(grid: _Grid) -> alt.Color:
    cases = "".join(f"datum.value == '{name}' ? '{name}: {sentence}' : " for name, sentence in PHASES.items())
    return (
        alt.Color("phase:N")
        .scale(domain=[*PHASES], range=[*PHASE_COLOURS.values()])
        .legend(
            orient="bottom",
            columns=1,
            title=f"phase, by {grid.part} accuracy with threshold {grid.threshold:g}",
            labelExpr=f"{cases}datum.label",
            symbolType="square",
            symbolSize=220,
            symbolStrokeWidth=0,
        )
    )


def _panel(grid: _Grid, cells: pl.DataFrame, *, shows: str, colour: alt.Color, heading: str) -> alt.LayerChart:
    """Cells coloured by column `shows`, with the texts that go with it, and with marks for lost trials."""
    width, height = _CELL_WIDTH, grid.cell_height
    here, lost = pl.col(shows).is_not_null(), pl.col("loss") != ""
    below = max(len(text.splitlines()) for text in grid.cells[f"{shows}_below"])
    top = -(_BIG_LINE + below * _LINE) / 2
    big: dict[str, Any] = {"fontSize": 15 if shows == "mean" else 12, "fontWeight": "bold"}
    small: dict[str, Any] = {"fontSize": 11, "lineBreak": "\n", "lineHeight": _LINE}
    symbol: dict[str, Any] = {"size": theme.SYMBOL_IN_PIXELS, "opacity": 1}

    def chart(kept: pl.Expr) -> alt.Chart:
        return _placed(grid, cells.filter(kept))

    # Light text on the dark end of viridis only.
    dark = alt.datum.mean < grid.chance + 0.5 * (1 - grid.chance)
    ink = (
        alt.when(dark).then(alt.value("white")).otherwise(alt.value(theme.INK))
        if shows == "mean"
        else alt.value(theme.INK)
    )
    return alt.LayerChart(
        layer=[
            chart(here).mark_rect(stroke="white", strokeWidth=2).encode(colour),
            chart(~here).mark_point(
                shape=theme.hatching(width - 4, height - 4), color=theme.FAINT, filled=False, **symbol
            ),
            chart(lost).mark_point(
                shape=theme.corner(width - 2, height - 2, size=_CORNER), color=theme.ALARM, filled=True, **symbol
            ),
            chart(here).mark_text(dy=top, baseline="top", **big).encode(color=ink, text=f"{shows}_text:N"),
            chart(here)
            .mark_text(dy=top + _BIG_LINE, baseline="top", **small)
            .encode(color=ink, text=f"{shows}_below:N"),
            chart(~here).mark_text(dy=-4, fontWeight="bold", color=theme.INK, **small).encode(text="absence:N"),
        ],
        width=width * len(grid.columns),
        height=height * len(grid.lines),
        title=alt.TitleParams(heading, fontSize=15, offset=8),
    )


def _placed(grid: _Grid, cells: pl.DataFrame) -> alt.Chart:
    axes = [axis for axis in (grid.x, grid.y, grid.facet) if axis is not None]
    tooltip = [
        *(alt.Tooltip(f"{axis}:N") for axis in axes),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "sd", "lowest", "highest")),
        *(alt.Tooltip(f"{name}:Q") for name in ("n", "n_diverged", "n_failed")),
        *(alt.Tooltip(f"{s}:Q", title=f"{s}_{grid.part}", format=".3f") for s in ("train", "seen", "unseen")),
        alt.Tooltip("phase:N"),
    ]
    x = alt.X("column:N", title=theme.axis_title(grid.x)).scale(domain=grid.columns, padding=0)
    y = alt.Y("line:N", title=grid.y_title).scale(domain=grid.lines, padding=0)
    return alt.Chart(theme.inline(cells)).encode(
        x.axis(labelAngle=0, grid=False), y.axis(ticks=False, grid=False), tooltip=tooltip
    )


def _with_texts(frame: pl.DataFrame, x: str, y: str | None) -> pl.DataFrame:
    """`frame` with a column for each text of its cells, and with its axes as text."""
    texts = [
        {"column": theme.label(cell[x]), "line": theme.label(cell[y]) if y else "", **_texts(cell)}
        for cell in frame.iter_rows(named=True)
    ]
    return frame.hstack(pl.DataFrame(texts))


def _texts(cell: dict[str, Any]) -> dict[str, str]:
    mean, n = cell["mean"], cell["n"]
    losses = [f"{cell[f'n_{what}']} {what}" for what in ("diverged", "failed") if cell[f"n_{what}"]]
    loss = "\n".join(losses)
    spread = f"{cell['lowest']:.2f}{theme.EN_DASH}{cell['highest']:.2f}" if n > 1 else ""
    return {
        "loss": loss,
        "absence": loss or "no value",
        "mean_text": "" if mean is None else f"{mean:.2f}",
        "mean_below": "\n".join(text for text in (spread, f"n={n}", loss) if text),
        "phase_text": _SHORT.get(cell["phase"], ""),
        "phase_below": "\n".join(text for text in (f"n={n}" if n else "", loss) if text),
    }


def _about(trials: pl.DataFrame, shown: Sequence[str]) -> list[str]:
    """Sentences: how many trials there are, how many were lost, and which axes move together with a shown one."""
    seeds = trials.group_by(shown).len()["len"].unique().sort().to_list()
    count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    noun = "seed" if seeds[-1] == 1 else "seeds"
    diverged = trials.filter(pl.col("status") == "diverged").height
    failed = trials.filter(~pl.col("status").is_in(FINAL_STATUSES)).height
    lost = f"; {diverged} diverged, {failed} failed (red corner; hatched where a cell lost all seeds)"
    derived = {axis.name for axis in axes() if axis.derived}
    groups = axis_groups(trials, first=shown)
    return [
        f"{trials.height} trials, {count} {noun} in each cell{lost if diverged + failed else ''}.",
        *(f"{f} moves with {axis}." for axis in shown for f in groups.get(axis, []) if f not in derived),
    ]
