"""The picture of cost: where the hours of a sweep went, and what one trial takes, along an axis."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.costs import OUTCOMES, hours_by_outcome, seconds_of_trials
from lrsym.results.analysis.varied_axes import choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.interaction import Chosen
from lrsym.vocabulary import by_name

OUTCOME_COLOURS = by_name(
    OUTCOMES, {"done": "#2f7fc0", "stopped": "#8ec6ea", "diverged": "#e8894a", "failed": theme.ALARM}
)

MAX_VALUES = 40
"""Values of an axis that can be told apart."""

_WIDTH, _STEP = 330, 26  # pixels


def plot_cost(trials: Frame, *, by: str | None = None, prefer: Sequence[str] = ()) -> theme.Chart:
    """Return, left, the hours that each value of the axis `by` took, by outcome; right, the seconds of one done trial.

    `trials` is the table of that name; `by` is the first varied axis where it is not given, of `prefer` before others.
    Raises UsageError where no trial tells its seconds, and for more values than can be read.
    """
    table = trials.lazy().collect()
    if not table["seconds"].count():
        raise UsageError(f"none of {table.height} trials tells its seconds; choose others with --where")
    axis = choose_axes(table, x=by, prefer=prefer)[0]
    hours, seconds = hours_by_outcome(table, by=axis), seconds_of_trials(table, by=axis)
    values = theme.format_values(table[axis])[::-1]
    theme.check_limit("values", len(values), limit=MAX_VALUES, varied=[axis])
    panels: list[alt.Chart | alt.LayerChart] = [_hours(_named(hours, axis), axis, values)]
    if not seconds.is_empty():
        panels.append(_seconds(_named(seconds, axis), values))
    return theme.finish(
        alt.concat(*panels, columns=2, spacing=30),
        title=f"What {counted(table['seconds'].count(), 'trial')} took: {hours['hours'].sum():.3g} hours of a worker",
        subtitle=_explain(table, with_seconds=len(panels) > 1),
        width=2 * _WIDTH,
        frame=hours.join(seconds, on=axis, how="left", nulls_equal=True, suffix="_seconds"),
    )


def _explain(trials: pl.DataFrame, *, with_seconds: bool) -> list[str]:
    """Return what the panels are, why one is not there, and which trials are in none."""
    hours = "hours of a worker, wall time of packs shared out among their members, by what came of trials."
    untimed = trials.filter(pl.col("seconds").is_null())
    counts = untimed["status"].value_counts().sort("status").iter_rows()
    by_status = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts)
    return [
        f"Left: {hours}" if with_seconds else hours.capitalize(),
        "Right: seconds of one done trial, median and lowest to highest."
        if with_seconds
        else "No done trial tells its seconds, so there is no panel of what one takes.",
        *(
            [f"{untimed.height} of {trials.height} trials tell no time and have no part in the hours ({by_status})."]
            if untimed.height
            else []
        ),
    ]


def _named(frame: pl.DataFrame, axis: str) -> pl.DataFrame:
    return frame.with_columns(pl.Series("value", [theme.format_value(value) for value in frame[axis]], dtype=pl.String))


def _height(values: list[str]) -> int:
    return max(theme.MIN_PANEL_HEIGHT, _STEP * len(values))


def _hours(rows: pl.DataFrame, axis: str, values: list[str]) -> alt.Chart:
    y = (
        alt.Y("value:N", title=theme.fitting_title(axis, pixels=_height(values)))
        .scale(domain=values)
        .axis(ticks=False, grid=False)
    )
    there = [outcome for outcome in OUTCOMES if outcome in {*rows["outcome"]}]
    colour = (
        alt.Color("outcome:N", title=None)
        .scale(domain=there, range=[OUTCOME_COLOURS[name] for name in there])
        .legend(orient="bottom", symbolType="square")
    )
    chosen = Chosen("outcome")
    rows = rows.with_columns(place=pl.col("outcome").replace_strict({name: i for i, name in enumerate(there)}))
    return chosen.on(
        alt.Chart(theme.inline(rows))
        .mark_bar()
        .encode(
            alt.X("sum(hours):Q", title="hours").axis(grid=True, tickCount=5),
            y,
            colour,
            alt.Order("place:Q"),
            opacity=chosen.opacity(),
            tooltip=["value:N", "outcome:N", alt.Tooltip("hours:Q", format=".3~g"), alt.Tooltip("n:Q", title="trials")],
        )
        .properties(width=_WIDTH, height=_height(values))
    )


def _seconds(rows: pl.DataFrame, values: list[str]) -> alt.LayerChart:
    y = alt.Y("value:N", title=None).scale(domain=values).axis(ticks=False, grid=False, labels=False)
    base = alt.Chart(theme.inline(rows)).encode(y)
    tooltip = ["value:N", "n:Q", *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("median", "lowest", "highest"))]
    dot = base.mark_point(filled=True, size=60, opacity=1, color=theme.LINE)
    return alt.LayerChart(
        layer=[
            base.mark_rule(strokeWidth=2.5, color=theme.LINE).encode(x="lowest:Q", x2="highest:Q", tooltip=tooltip),
            dot.encode(
                alt.X("median:Q", title="seconds of a trial").scale(zero=True).axis(grid=True, tickCount=5),
                tooltip=tooltip,
            ),
        ],
        width=_WIDTH,
        height=_height(values),
    )
