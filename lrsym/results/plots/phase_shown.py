"""How the mean of an accuracy and the phase of a cell are shown: their colours, legends and tooltips."""

from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.plots.phase_panel import Shown
from lrsym.vocabulary import CHANCE, METRICS, PHASE_METRIC, PHASES, SPLITS, by_name

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

BELOW = 0.05
"""Below chance by less nothing is told apart: a few hundred scenes scatter as much."""

_BELOW_CHANCE = ["#f4a030", "#b5173b"]
"""From 0 to BELOW under chance: orange, and red, which no colour above chance is near."""

_FROM_CHANCE = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"]
"""Viridis in six steps."""


def about_accuracy(metric: str) -> list[str]:
    """Return what the split and the metric of an accuracy are, as sentences."""
    split, accuracy = split_and_metric(metric)
    return [f"{split}: {SPLITS[split]}.", f"{accuracy}: {METRICS[accuracy]}."]


def has_phases(cells: pl.DataFrame) -> bool:
    """Return whether rows of `phases` tell phases: those of others may lack the accuracies that make one."""
    return cells["phase"].null_count() < cells.height or not cells["n"].sum()


def require_outcomes(cells: pl.DataFrame, metric: str) -> None:
    """Raise UsageError where `cells` have nothing to show of `metric`, neither a value nor a trial that was lost."""
    if not cells.select(pl.sum_horizontal("n", "n_failed", "n_diverged", "n_censored").sum()).item():
        raise UsageError(f"no trial has a value of {metric}; choose another --metric, such as {PHASE_METRIC}")


def _tooltip(metric: str) -> list[alt.Tooltip]:
    accuracy = split_and_metric(metric)[1]
    return [
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "sd", "lowest", "highest")),
        *(alt.Tooltip(f"{name}:Q") for name in ("n", "n_diverged", "n_failed", "n_stopped")),
        *(alt.Tooltip(f"{s}:Q", title=f"{s}_{accuracy}", format=".3f") for s in ("train", "seen", "unseen")),
        alt.Tooltip("phase:N"),
    ]


def mean_shown(metric: str, title: str, *, means: pl.Series) -> Shown:
    """Return how the column mean of an accuracy is shown; `title` is that of the legend.

    The scale begins at chance; where one of the `means` lies well below, what is below has colours of its own.
    """
    low = CHANCE.get(split_and_metric(metric)[1], 0.0)
    scale: dict[str, Any] = {"scheme": "viridis", "domain": [low, 1], "clamp": True}
    below = ""
    if means.filter(means < low - BELOW).len():
        rest = [low + (1 - low) * i / (len(_FROM_CHANCE) - 1) for i in range(1, len(_FROM_CHANCE))]
        scale = {"domain": [0, low - BELOW, low, *rest], "range": [*_BELOW_CHANCE, *_FROM_CHANCE]}
        below = ", orange to red lie below"
    colour = (
        alt.Color("mean:Q")
        .scale(alt.Scale(**scale))
        .legend(
            orient="bottom",
            direction="horizontal",
            title=title + (f"; {low:g} is chance{below}" if low else ""),
            gradientLength=260,
            gradientThickness=14,
            format=".1f",
        )
    )
    # Light text on the dark end of viridis only, and on the red below it.
    dark = (alt.datum.mean < low + 0.5 * (1 - low)) & (alt.datum.mean > 0.5 * low - 1e-9)
    return Shown("mean", colour, _tooltip(metric), dark=dark)


def phase_shown(metric: str, threshold: float) -> Shown:
    """Return how the column phase, at `threshold`, is shown."""
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
