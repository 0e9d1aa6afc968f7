"""Charts of the score terms by query and key: of the read-out query as strips, of every query as maps."""

import altair as alt
import polars as pl

from lrsym.explain.charts import style
from lrsym.results.plots import theme
from lrsym.vocabulary import CONTENT_KEY, POSITION_KEY, SCORE_TERMS

_LOGIT = alt.Tooltip("value:Q", title="logit", format=".3f")

_MAP_STEP, _STRIP_STEP = 11, 22  # pixels of a key, of a head


def readout_chart(readout: pl.DataFrame) -> theme.Chart:
    """Return what [CLS] adds to the logit of each position (above) and of each token (below), a strip for each head.

    The last column holds the sums, which do not depend on the gauge.
    """
    rows = []
    for terms in (POSITION_KEY, CONTENT_KEY):
        of_terms = readout.filter(pl.col("term").is_in(terms))
        total = of_terms.group_by("head", "key", maintain_order=True).agg(pl.col("value").sum())
        by_term = {term: of_terms.filter(pl.col("term") == term) for term in terms}
        rows.append({**by_term, "+".join(terms): total})
    largest = max(_largest_logit(table) for row in rows for table in row.values())
    groups = [alt.hconcat(*(_strips(table, term, largest) for term, table in row.items()), spacing=26) for row in rows]
    return style(alt.vconcat(*groups, spacing=18).resolve_scale(color="shared"))


def _strips(table: pl.DataFrame, term: str, largest: float) -> alt.Chart:
    keys = table["key"].unique(maintain_order=True).to_list()
    heads = table["head"].n_unique()
    return (
        alt.Chart(_with_shade(table, largest))
        .mark_rect()
        .encode(
            _key_axis(keys, "position of the key" if term.endswith("P") else "token of the key"),
            alt.Y("head:O", title="head" if term in ("EP", "EE") else None).axis(ticks=False, domain=False),
            _diverging(largest),
            tooltip=["head:O", alt.Tooltip("key:N", title="key"), _LOGIT],
        )
        .properties(
            width=_MAP_STEP * 2 * len(keys) if len(keys) < 14 else _MAP_STEP * len(keys),
            height=_STRIP_STEP * heads,
            title=_term_title(term),
        )
    )


def maps_chart(maps: pl.DataFrame) -> theme.Chart:
    """Return each score term of each head for every query and key; a row and a colour scale for each head."""
    rows = []
    for head in sorted(maps["head"].unique()):
        table = maps.filter(pl.col("head") == head)
        largest = _largest_logit(table)
        by_term = {term: _map(table.filter(pl.col("term") == term), term, largest) for term in SCORE_TERMS}
        columns = [
            by_term["EE"],
            by_term["EP"],
            alt.vconcat(by_term["PE"], by_term["BE"], spacing=8),
            alt.vconcat(by_term["PP"], by_term["BP"], spacing=8),
        ]
        title = alt.TitleParams(f"head {head}", fontSize=16, anchor="start", offset=10)
        rows.append(alt.hconcat(*columns, spacing=20, title=title).resolve_scale(color="shared"))
    return style(alt.vconcat(*rows, spacing=26).resolve_scale(color="independent"))


def _map(table: pl.DataFrame, term: str, largest: float) -> alt.Chart:
    queries, keys = (table[name].unique(maintain_order=True).to_list() for name in ("query", "key"))
    names = {"E": "token", "P": "position", "B": ""}
    y = alt.Y("query:N", sort=queries, title=f"{names[term[0]]} of the query" if len(queries) > 1 else None)
    return (
        alt.Chart(_with_shade(table, largest))
        .mark_rect()
        .encode(
            _key_axis(keys, f"{names[term[1]]} of the key" if term[0] != "P" else None, labels=term[0] != "P"),
            y.axis(ticks=False, domain=False, labelFontSize=9, titleFontSize=11, labelOverlap=True),
            _diverging(largest),
            tooltip=["head:O", "term:N", "query:N", "key:N", _LOGIT],
        )
        .properties(width=_MAP_STEP * len(keys), height=_MAP_STEP * len(queries), title=_term_title(term))
    )


def _key_axis(keys: list[str], title: str | None, *, labels: bool = True) -> alt.X:
    return alt.X("key:N", sort=keys, title=title).axis(
        ticks=False, domain=False, labels=labels, labelFontSize=10, titleFontSize=11, labelAngle=-90, labelOverlap=True
    )


def _with_shade(table: pl.DataFrame, largest: float) -> alt.InlineData:
    """Return the rows of `table` with a shade of -1..1: the signed square root of the value's share of `largest`."""
    value = pl.col("value")
    return theme.inline(table.with_columns(shade=value.sign() * (value.abs() / largest).sqrt()))


def _diverging(largest: float) -> alt.Color:
    """Return colours centred on zero, for rows of `_with_shade`; the legend is in logits."""
    legend = alt.Legend(
        title="logit",
        gradientLength=110,
        values=[-1, -0.5, 0, 0.5, 1],
        labelExpr=f"format({largest} * datum.value * abs(datum.value), '.2~r')",
    )
    return alt.Color("shade:Q", legend=legend).scale(scheme="redblue", reverse=True, domain=[-1, 1], domainMid=0)


def _largest_logit(table: pl.DataFrame) -> float:
    return max(table["value"].abs(), default=0.0) or 1.0


def _term_title(term: str) -> alt.TitleParams:
    return alt.TitleParams(term, fontSize=13, offset=4, anchor="middle")
