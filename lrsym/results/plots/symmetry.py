"""Left-right symmetry along an axis: sign, size, susceptibility and Binder's cumulant of the slope, by system size."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from lrsym.errors import UsageError, counted
from lrsym.results.analysis.aggregate import Frame, lost_all, replicate_value
from lrsym.results.analysis.crossover import SAME_AIC, compare_models, crossings, falls
from lrsym.results.analysis.lines import is_geometric, is_nominal
from lrsym.results.analysis.order_parameter import FEWEST_SEEDS, MOMENTS, moments, slopes
from lrsym.results.analysis.varied_axes import check_single_cells, choose_axes
from lrsym.results.plots import theme
from lrsym.results.plots.interaction import Chosen, zoomed
from lrsym.vocabulary import ORDERED

MAX_SIZES = 8
"""Colours that a reader can still tell apart."""

_WIDTH, _HEIGHT, _SPACING, _PADDING = 400, 230, 30, 4  # pixels

_TITLES = {
    "positive": "share of seeds with m above 0",
    "magnitude": "|m|, mean over seeds (logit/pixel)",
    "susceptibility": "susceptibility of |m|",
    "binder": "Binder's cumulant U",
}

_MARKS: dict[str, dict[str, float]] = {
    "positive": {"either side": 0.5}, "magnitude": {}, "susceptibility": {},
    "binder": {"normal m": 0.0, "one size, either sign": 2 / 3},
}  # fmt: skip
"""Where a panel has dashed lines, and what they are."""

_MODELS = {
    "sharpens": "all sizes cross at one point and the larger are the steeper",
    "moves": "a crossover as steep in every size, whose middle moves with it",
    "neither": "no difference between sizes",
}


def plot_symmetry(
    trials: Frame, *, beside: Frame, x: str | None = None, color: str | None = None, prefer: Sequence[str] = ()
) -> theme.Chart:
    """Return the moments of the slope m over seeds along `x`, a panel each, a colour for each size `color`.

    `trials` is the table of that name, `beside` the table terms; axes not given are the first varied ones, those in
    `prefer` before others. The heading tells where the cumulants of neighbouring sizes cross, and which model of the
    seeds that order is preferred (`crossover`). Raises UsageError if there is nothing to draw, or if other axes vary.
    """
    table = trials.lazy().collect()
    x, color, _ = choose_axes(table, x=x, y=color, prefer=prefer)
    by = [*([color] if color else []), x]
    check_single_cells(table, by=by, choices="--x, --color")
    table = table.with_columns(_orders=replicate_value("unseen_order") > ORDERED)
    found = slopes(beside).join(table.select("trial_id", "seed", *by, "_orders"), on="trial_id")
    if found.is_empty():
        if lost := lost_all(table):
            raise UsageError(f"none of {table.height} trials has a slope: {lost}; choose others with --where")
        raise UsageError(
            f"none of {table.height} trials has a slope, which the table terms tells of what sees the image: it is "
            "there where the first block reads token + position embeddings itself, with model.layer_norm none or post; "
            "choose such trials"
        )
    size = color if color and not is_nominal(found[color].unique()) else None
    cells = moments(found, by=by, size=size)
    if color:
        theme.check_limit("colours", cells[color].n_unique(), limit=MAX_SIZES, varied=[color])
    chosen = Chosen("hue")
    panels = zoomed(
        alt.concat(*(_panel(cells, name, x, color, chosen) for name in MOMENTS), columns=2, spacing=_SPACING),
        along=["x"],
    )
    return theme.finish(
        chosen.on(panels) if color else panels,
        title=f"Left-right symmetry by {theme.axis_title(x)}",
        subtitle=[*_explain(table, cells, size), *_explain_sizes(found, x, size), *theme.stopped_early(table)],
        width=2 * (_WIDTH + _SPACING),
        frame=cells,
    )


def _explain(trials: pl.DataFrame, cells: pl.DataFrame, size: str | None) -> list[str]:
    times = f"{size} times " if size else ""
    lost = trials.height - int(cells["n"].sum())
    without = f" {lost} of {trials.height} trials have none." if lost else ""
    if (few := min(cells["n"])) < FEWEST_SEEDS:
        without += f" Of {counted(few, 'seed')} U is {2 / (few + 2):.2f} in the mean where m is normal: take more."
    return [
        "m: slope of the position-key terms EP+PP+BP along the pixels, mean over heads. A model that prefers one side "
        "has one of either sign.",
        f"susceptibility: {times}the variance of |m|. U = 1 - <m^4> / (3 <m^2>^2): 2/3 for one size and either sign, 0 "
        "for normal m.",
        f"Line: {theme.seed_count(cells['n'])} in each cell; band: 95 % interval (Wilson; Student for |m|; else the "
        f"jackknife on the logarithm).{without}",
    ]


def _explain_sizes(found: pl.DataFrame, x: str, size: str | None) -> list[str]:
    """Return what the sizes say together; nothing where there is one, or where `x` or they are no numbers."""
    if size is None or found[size].n_unique() < 2 or not found[x].dtype.is_numeric():
        return []
    falling = falls(found, x=x, size=size, success="_orders")
    told = [_cross(row, x) for row in crossings(found, x=x, size=size, falling=falling).iter_rows(named=True)]
    becomes = "lower" if falling else "higher"
    crossed = f"U of the larger of two sizes becomes the {becomes} one along {x}: of {'; of '.join(told)}."
    sentences = [crossed] if told else []
    try:
        models = compare_models(found, x=x, size=size, success="_orders")
    except UsageError:  # an axis that has no logarithm
        return sentences
    first, second, _ = models.iter_rows(named=True)
    aic = ", ".join(f"{row['model']} {row['aic']:.1f}" for row in models.iter_rows(named=True))
    preferred = (
        "not told apart"
        if second["delta"] < SAME_AIC - 1e-3
        else f"{first['model']}: {_MODELS[first['model']]}"
    )  # fmt: skip
    return [*sentences, f"Seeds that order (above {ORDERED}) by {x} and {size}, AIC of {aic}. Preferred: {preferred}."]


def _cross(row: dict[str, float | None], x: str) -> str:
    sizes, share = f"{row['size']:g} and {row['next_size']:g}", f"{row['share']:.0%} of resamples"
    if row["at"] is None:
        return f"{sizes} nowhere ({share})"
    ends = "" if row["at_low"] is None else f" ({row['at_low']:.2g} to {row['at_high']:.2g})"
    return f"{sizes} at {row['at']:.2g}{ends}, in {share}"


def _panel(cells: pl.DataFrame, name: str, x: str, color: str | None, chosen: Chosen) -> alt.LayerChart:
    hues = theme.format_values(cells[color]) if color else [""]
    texts = [theme.format_value(value) for value in cells[color]] if color else [""] * cells.height
    x_texts = [theme.format_value(value) for value in cells[x]]
    told = cells.with_columns(pl.Series("hue", texts, dtype=pl.String), pl.Series("x_text", x_texts, dtype=pl.String))
    rows = told.filter(pl.col(name).is_not_null())
    one = alt.Color("hue:N").scale(range=[theme.LINE]).legend(None)
    hue = theme.axis_colour("hue:N", color, hues) if color else one
    values = cells[x].unique().sort(nulls_last=True).to_list()
    if not is_nominal(values):
        logarithmic = is_geometric(values) or (values[0] > 0 and values[-1] >= 10 * values[0])
        scale_of_x: dict[str, Any] = {"type": "log"} if logarithmic else {"zero": False}
        along = (
            alt.X(f"{x}:Q", title=theme.axis_title(x))
            .scale(nice=False, padding=8, **scale_of_x)
            .axis(values=values, format=".6~g", labelOverlap="greedy", grid=False)
        )
    else:
        texts = theme.format_values(cells[x])
        along = alt.X("x_text:N", title=theme.axis_title(x)).sort(texts).scale(domain=texts)
    scale: dict[str, Any] = {"positive": {"domain": [0, 1]}, "binder": {"zero": True}}.get(name, {"domainMin": 0})
    shown = [alt.Tooltip(f"{column}:Q", format=".3~g") for column in (name, f"{name}_low", f"{name}_high")]
    axes = [alt.Tooltip(f"{axis}:N") for axis in (color, x) if axis]
    base = alt.Chart(theme.inline(rows)).encode(along, hue, tooltip=[*axes, *shown, alt.Tooltip("n:Q")])
    opacity = chosen.opacity if color else alt.value
    y = alt.Y(f"{name}:Q", title=None).scale(nice=False, padding=_PADDING, **scale).axis(grid=True)
    layers = [
        base.mark_area(clip=True).encode(alt.Y(f"{name}_low:Q"), y2=f"{name}_high:Q", opacity=opacity(0.13)),
        *(theme.dashed_rule(theme.MUTED, told=told).encode(y=alt.datum(at)) for told, at in _MARKS[name].items()),
        base.mark_line(strokeWidth=2.2, clip=True).encode(y, opacity=opacity(1)),
        base.mark_point(size=34, filled=True, clip=True).encode(y, opacity=opacity(1)),
    ]
    heading = alt.TitleParams(_TITLES[name], fontSize=15, offset=8)
    return alt.LayerChart(layer=layers, width=_WIDTH, height=_HEIGHT, title=heading)
