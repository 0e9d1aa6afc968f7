"""Charts of a page about one trial: its score terms as maps, on the two scenes, and left out."""

import altair as alt
import polars as pl

from lrsym.explain.charts import SCENE_NAMES, SCENE_WIDTH, finish, with_key
from lrsym.explain.frames import Explanation
from lrsym.results.plots import theme
from lrsym.vocabulary import ABLATIONS, CONTENT_KEY, POSITION_KEY, SCORE_TERMS

TERM_COLOURS = dict(
    zip(
        ("EE", "PE", "BE", "EP", "PP", "BP"),
        ("#1f5fa8", "#6aa9dc", "#b9d8f0", "#c2410c", "#f0883e", "#f9c99b"),
        strict=True,
    )
)
"""Blue for terms of the key's token, orange for terms of its position."""

_MAP_STEP, _STRIP_STEP = 11, 22
_SCENE_HEIGHT = 120


def readout_chart(readout: pl.DataFrame) -> theme.Drawn:
    """What [CLS] adds to the logit of each position (above) and of each token (below), a strip for each head.

    The last column holds the sums, which do not depend on the gauge.
    """
    rows = []
    for terms in (POSITION_KEY, CONTENT_KEY):
        named = [(term, readout.filter(pl.col("term") == term)) for term in terms]
        together = readout.filter(pl.col("term").is_in(terms))
        named.append(
            ("+".join(terms), together.group_by("head", "key", maintain_order=True).agg(pl.col("value").sum()))
        )
        rows.append([(name, table) for name, table in named])
    reach = max(_reach(table) for row in rows for _, table in row)
    groups = [alt.hconcat(*(_strips(table, term, reach) for term, table in row), spacing=26) for row in rows]
    return finish(alt.vconcat(*groups, spacing=18).resolve_scale(color="shared"))


def _strips(table: pl.DataFrame, term: str, reach: float) -> alt.Chart:
    keys = table["key"].unique(maintain_order=True).to_list()
    heads = table["head"].n_unique()
    return (
        alt.Chart(_shaded(table, reach))
        .mark_rect()
        .encode(
            _key_axis(keys, "position of the key" if term.endswith("P") else "token of the key"),
            alt.Y("head:O", title="head" if term in ("EP", "EE") else None).axis(ticks=False, domain=False),
            _diverging(reach),
        )
        .properties(
            width=_MAP_STEP * 2 * len(keys) if len(keys) < 14 else _MAP_STEP * len(keys),
            height=_STRIP_STEP * heads,
            title=_term_title(term),
        )
    )


def maps_chart(maps: pl.DataFrame) -> theme.Drawn:
    """Each score term of each head for every query and key; a row and a colour scale for each head."""
    rows = []
    for head in sorted(maps["head"].unique()):
        table = maps.filter(pl.col("head") == head)
        reach = _reach(table)
        by_term = {term: _map(table.filter(pl.col("term") == term), term, reach) for term in SCORE_TERMS}
        columns = [
            by_term["EE"],
            by_term["EP"],
            alt.vconcat(by_term["PE"], by_term["BE"], spacing=8),
            alt.vconcat(by_term["PP"], by_term["BP"], spacing=8),
        ]
        title = alt.TitleParams(f"head {head}", fontSize=16, anchor="start", offset=10)
        rows.append(alt.hconcat(*columns, spacing=20, title=title).resolve_scale(color="shared"))
    return finish(alt.vconcat(*rows, spacing=26).resolve_scale(color="independent"))


def _map(table: pl.DataFrame, term: str, reach: float) -> alt.Chart:
    queries, keys = (table[name].unique(maintain_order=True).to_list() for name in ("query", "key"))
    names = {"E": "token", "P": "position", "B": ""}
    y = alt.Y("query:N", sort=queries, title=f"{names[term[0]]} of the query" if len(queries) > 1 else None)
    return (
        alt.Chart(_shaded(table, reach))
        .mark_rect()
        .encode(
            _key_axis(keys, f"{names[term[1]]} of the key" if term[0] != "P" else None, labels=term[0] != "P"),
            y.axis(ticks=False, domain=False, labelFontSize=9, titleFontSize=11, labelOverlap=True),
            _diverging(reach),
        )
        .properties(width=_MAP_STEP * len(keys), height=_MAP_STEP * len(queries), title=_term_title(term))
    )


def contributions_chart(explanation: Explanation) -> theme.Drawn:
    """For each head a row, for each scene a column: stacked terms with their sum, and below them the attention."""
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
    return finish(alt.vconcat(*rows, spacing=22))


def _scene_panel(terms: pl.DataFrame, attention: pl.DataFrame, title: str, domain: list[float]) -> alt.VConcatChart:
    keys = with_key(attention)["key"].to_list()
    x = alt.X("key:N", sort=keys, title="key: pixel (label)")
    ranks = {term: rank for rank, term in enumerate(TERM_COLOURS)}
    base = alt.Chart(theme.inline(with_key(terms).with_columns(rank=pl.col("term").replace_strict(ranks))))
    bars = base.mark_bar(size=_bar(len(keys))).encode(
        x.axis(None),
        alt.Y("value:Q", title="logit", stack="zero").scale(domain=domain, nice=False).axis(grid=True, tickCount=5),
        alt.Color("term:N", title="term").scale(domain=list(TERM_COLOURS), range=list(TERM_COLOURS.values())),
        order=alt.Order("rank:Q"),
    )
    total = terms.group_by("place", "position", "token").agg(pl.col("value").sum()).sort("place")
    sums = alt.Chart(theme.inline(with_key(total))).mark_tick(
        color=theme.INK, opacity=1, thickness=2.5, size=_bar(len(keys)) + 6, orient="horizontal"
    )
    zero = alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=theme.MUTED).encode(y=alt.datum(0))
    upper = alt.layer(bars, zero, sums.encode(x, y="value:Q")).properties(
        width=SCENE_WIDTH, height=_SCENE_HEIGHT, title=alt.TitleParams(title, fontSize=14, offset=6)
    )
    lower = (
        alt.Chart(theme.inline(with_key(attention)))
        .mark_bar(color="#4b5563", size=_bar(len(keys)))
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
        )
        .properties(width=SCENE_WIDTH, height=44)
    )
    return alt.vconcat(upper, lower, spacing=4)


def ablation_chart(ablations: pl.DataFrame) -> theme.Drawn:
    """Order, global and label set with each term left out, on unseen pairs where there are any, else on seen ones."""
    table = ablations.filter(pl.col("split") == ablation_split(ablations))
    metrics = [metric for metric in ("order", "global", "labelset") if metric in {*table["metric"]}]
    panels = [_bars_without(table.filter(pl.col("metric") == m), m, first=m == metrics[0]) for m in metrics]
    return finish(alt.hconcat(*panels, spacing=28))


def _bars_without(table: pl.DataFrame, metric: str, *, first: bool) -> alt.LayerChart | alt.FacetChart:
    terms = [term for term in ABLATIONS if term in {*table["term"]}]
    base = alt.Chart(theme.inline(table)).encode(
        alt.Y("term:N", sort=terms, title="left out" if first else None).axis(labels=first, ticks=False),
        alt.X("value:Q", title="accuracy").scale(domain=[0, 1]).axis(tickCount=5),
    )
    colour = alt.when(alt.datum.term == "none").then(alt.value("#9aa3b2")).otherwise(alt.value("#8ec6ea"))
    marks = [(theme.INK, table.filter(pl.col("term") == "none")["value"].item())]
    marks += [(theme.ALARM, theme.CHANCE[metric])] if metric in theme.CHANCE else []
    rules = [
        alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=ink, strokeDash=[5, 4]).encode(x=alt.datum(at))
        for ink, at in marks
    ]
    number = base.mark_text(align="left", dx=4, fontSize=12, color=theme.INK).encode(
        text=alt.Text("value:Q", format=".2f"), x=alt.datum(0)
    )
    return alt.layer(base.mark_bar(height=alt.RelativeBandSize(0.72)).encode(color=colour), *rules, number).properties(
        width=310, height=24 * len(terms), title=alt.TitleParams(metric, fontSize=15, offset=6)
    )


def ablation_split(ablations: pl.DataFrame) -> str:
    """The split on which ablations are drawn."""
    return "unseen" if "unseen" in {*ablations["split"]} else "seen"


def _stack_domain(terms: pl.DataFrame) -> list[float]:
    """From the lowest stack of negative terms to the highest one of positive terms, with some air."""
    by = terms.group_by("scene", "place").agg(
        up=pl.col("value").clip(lower_bound=0).sum(), down=pl.col("value").clip(upper_bound=0).sum()
    )
    low, high = min(by["down"]), max(by["up"])
    air = 0.06 * (high - low) or 1.0
    return [low - air, high + air]


def _bar(n: int) -> float:
    return max(3.0, 0.66 * SCENE_WIDTH / n)


def _key_axis(keys: list[str], title: str | None, *, labels: bool = True) -> alt.X:
    return alt.X("key:N", sort=keys, title=title).axis(
        ticks=False, domain=False, labels=labels, labelFontSize=10, titleFontSize=11, labelAngle=-90, labelOverlap=True
    )


def _shaded(table: pl.DataFrame, reach: float) -> alt.InlineData:
    """The rows of `table` with a shade of -1..1: the square root of the value's share of `reach`, with its sign."""
    value = pl.col("value")
    return theme.inline(table.with_columns(shade=value.sign() * (value.abs() / reach).sqrt()))


def _diverging(reach: float) -> alt.Color:
    """Colours centred on zero, for `_shaded` rows; the legend tells logits."""
    legend = alt.Legend(
        title="logit",
        gradientLength=110,
        values=[-1, -0.5, 0, 0.5, 1],
        labelExpr=f"format({reach} * datum.value * abs(datum.value), '.2~r')",
    )
    return alt.Color("shade:Q", legend=legend).scale(scheme="redblue", reverse=True, domain=[-1, 1], domainMid=0)


def _reach(table: pl.DataFrame) -> float:
    return max(table["value"].abs(), default=0.0) or 1.0


def _term_title(term: str) -> alt.TitleParams:
    return alt.TitleParams(term, fontSize=13, offset=4, anchor="middle")
