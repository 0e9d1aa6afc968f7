"""How the mean of an accuracy and the phase of a cell are shown: their colours, legends and tooltips."""

import altair as alt

from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.plots.phase_panel import Shown
from lrsym.vocabulary import CHANCE, PHASES, by_name

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


def _tooltip(metric: str) -> list[alt.Tooltip]:
    accuracy = split_and_metric(metric)[1]
    return [
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("mean", "sd", "lowest", "highest")),
        *(alt.Tooltip(f"{name}:Q") for name in ("n", "n_diverged", "n_failed", "n_stopped")),
        *(alt.Tooltip(f"{s}:Q", title=f"{s}_{accuracy}", format=".3f") for s in ("train", "seen", "unseen")),
        alt.Tooltip("phase:N"),
    ]


def mean_shown(metric: str, title: str) -> Shown:
    """Return how the column mean of an accuracy is shown, from chance up; `title` is that of the legend."""
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
