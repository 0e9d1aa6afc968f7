"""Charts of what the score terms do: how they add up on the two scenes, and what is lost without each of them."""

import altair as alt
import polars as pl

from lrsym.explain.charts import SCENE_NAMES, SCENE_WIDTH, style, with_key
from lrsym.explain.frames import Explanation
from lrsym.results.plots import theme
from lrsym.vocabulary import ABLATIONS, CHANCE, CONTENT_KEY, POSITION_KEY, by_name

TERM_COLOURS = by_name(
    (*CONTENT_KEY, *POSITION_KEY),
    {"EE": "#1f5fa8", "PE": "#6aa9dc", "BE": "#b9d8f0", "EP": "#c2410c", "PP": "#f0883e", "BP": "#f9c99b"},
)
"""Blue for terms of the key's token, orange for terms of its position."""

_KEY = (alt.Tooltip("position:N", title="key"), alt.Tooltip("token:N", title="label"))

_SCENE_HEIGHT = 120  # pixels


def contributions_chart(explanation: Explanation) -> theme.Chart:
    """Return, a row a head and a column a scene, the stacked terms with their sum, and below them the attention."""
    terms = explanation.contributions.join(explanation.scenes, on=["scene", "place"], maintain_order="left")
    attention = explanation.vision_attention.filter(pl.col("application") == 1).join(
        explanation.scenes, on=["scene", "place"], maintain_order="left"
    )
    rows = []
    for head in sorted(terms["head"].unique()):
        of_head = terms.filter(pl.col("head") == head)
        panels = [
            _scene_panel(
                of_head.filter(pl.col("scene") == scene),
                attention.filter(pl.col("scene") == scene, pl.col("head") == head),
                f"head {head}, {SCENE_NAMES[scene]}",
                _stack_domain(of_head),
            )
            for scene in (0, 1)
        ]
        rows.append(alt.hconcat(*panels, spacing=30))
    return style(alt.vconcat(*rows, spacing=22))


def _scene_panel(terms: pl.DataFrame, attention: pl.DataFrame, title: str, domain: list[float]) -> alt.VConcatChart:
    keys = with_key(attention)["key"].to_list()
    x = alt.X("key:N", sort=keys, title="key: pixel (label)")
    ranks = {term: rank for rank, term in enumerate(TERM_COLOURS)}
    base = alt.Chart(theme.inline(with_key(terms).with_columns(rank=pl.col("term").replace_strict(ranks))))
    bars = base.mark_bar(size=_bar_width(len(keys))).encode(
        x.axis(None),
        alt.Y("value:Q", title="logit", stack="zero").scale(domain=domain, nice=False).axis(grid=True, tickCount=5),
        alt.Color("term:N", title="term").scale(domain=list(TERM_COLOURS), range=list(TERM_COLOURS.values())),
        order=alt.Order("rank:Q"),
        tooltip=["term:N", *_KEY, alt.Tooltip("value:Q", title="logit", format=".3f")],
    )
    total = terms.group_by("place", "position", "token").agg(pl.col("value").sum()).sort("place")
    sums = alt.Chart(theme.inline(with_key(total))).mark_tick(
        color=theme.INK, opacity=1, thickness=2.5, size=_bar_width(len(keys)) + 6, orient="horizontal"
    )
    zero = alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=theme.MUTED).encode(y=alt.datum(0))
    logits = sums.encode(x, y="value:Q", tooltip=[*_KEY, alt.Tooltip("value:Q", title="logit, sum", format=".3f")])
    upper = alt.layer(bars, zero, logits).properties(
        width=SCENE_WIDTH, height=_SCENE_HEIGHT, title=alt.TitleParams(title, fontSize=14, offset=6)
    )
    lower = (
        alt.Chart(theme.inline(with_key(attention)))
        .mark_bar(color="#4b5563", size=_bar_width(len(keys)))
        .encode(
            x.axis(
                labelExpr="split(datum.label, '|')",
                labelAngle=0,
                labelFontSize=11,
                titleFontSize=11,
                ticks=False,
                labelOverlap=True,
            ),
            alt.Y("value:Q", title="attention").scale(domain=[0, 1]).axis(tickCount=2, titleFontSize=11),
            tooltip=[*_KEY, alt.Tooltip("value:Q", title="attention", format=".3f")],
        )
        .properties(width=SCENE_WIDTH, height=44)
    )
    return alt.vconcat(upper, lower, spacing=4)


def ablation_chart(ablations: pl.DataFrame) -> theme.Chart:
    """Return the accuracies with each term left out, on unseen pairs where there are any, else on seen ones."""
    table = ablations.filter(pl.col("split") == ablation_split(ablations))
    metrics = [metric for metric in ("order", "global", "labelset") if metric in {*table["metric"]}]
    panels = [_ablation_bars(table.filter(pl.col("metric") == m), m, first=m == metrics[0]) for m in metrics]
    return style(alt.hconcat(*panels, spacing=28))


def _ablation_bars(table: pl.DataFrame, metric: str, *, first: bool) -> alt.LayerChart | alt.FacetChart:
    terms = [term for term in ABLATIONS if term in {*table["term"]}]
    base = alt.Chart(theme.inline(table)).encode(
        alt.Y("term:N", sort=terms, title="left out" if first else None).axis(labels=first, ticks=False),
        alt.X("value:Q", title="accuracy").scale(domain=[0, 1]).axis(tickCount=5),
        tooltip=[alt.Tooltip("term:N", title="left out"), alt.Tooltip("value:Q", title=metric, format=".3f")],
    )
    colour = alt.when(alt.datum.term == "none").then(alt.value(theme.GREY_BAR)).otherwise(alt.value(theme.BAR))
    marks = [(theme.INK, "nothing left out", table.filter(pl.col("term") == "none")["value"].item())]
    marks += [(theme.ALARM, "chance", CHANCE[metric])] if metric in CHANCE else []
    rules = [theme.dashed_rule(ink, told=told).encode(x=alt.datum(at)) for ink, told, at in marks]
    number = base.mark_text(align="left", dx=4, fontSize=12, color=theme.INK).encode(
        text=alt.Text("value:Q", format=".2f"), x=alt.datum(0)
    )
    return alt.layer(base.mark_bar(height=alt.RelativeBandSize(0.72)).encode(color=colour), *rules, number).properties(
        width=310, height=24 * len(terms), title=alt.TitleParams(metric, fontSize=15, offset=6)
    )


def ablation_split(ablations: pl.DataFrame) -> str:
    """Return the split on which ablations are drawn."""
    return "unseen" if "unseen" in {*ablations["split"]} else "seen"


def _stack_domain(terms: pl.DataFrame) -> list[float]:
    """Return the ends from the lowest stack of negative terms to the highest one of positive terms, with some air."""
    by = terms.group_by("scene", "place").agg(
        up=pl.col("value").clip(lower_bound=0).sum(), down=pl.col("value").clip(upper_bound=0).sum()
    )
    low, high = min(by["down"]), max(by["up"])
    air = 0.06 * (high - low) or 1.0
    return [low - air, high + air]


def _bar_width(n: int) -> float:
    return max(3.0, 0.66 * SCENE_WIDTH / n)
