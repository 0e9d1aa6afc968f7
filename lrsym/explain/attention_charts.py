"""Charts of the attention of the read-out token: strips by head, and images in grids."""

import altair as alt
import polars as pl

from lrsym.explain.charts import SCENE_NAMES, SCENE_WIDTH, pixels_of, style, with_key
from lrsym.explain.frames import Explanation
from lrsym.results.plots import theme

_ATTENTION = alt.Tooltip("value:Q", title="attention", format=".3f")

_MAX_NUMBERED_KEYS = 24
"""Keys of a strip that leave room for a number in each of its fields."""

_DARK_ATTENTION = 0.55
"""Attention from which its colour is too dark for dark text."""


def vision_attention_chart(explanation: Explanation) -> theme.Chart:
    """Return how [CLS] attends to each pixel: a strip for each head, or in grids an image for each head."""
    table = explanation.vision_attention.join(explanation.scenes, on=["scene", "place"], maintain_order="left")
    if explanation.grid[0] == 1:
        return _attention_strips(with_key(table), [SCENE_NAMES[s] for s in (0, 1)], "scene", width=SCENE_WIDTH)
    return _attention_images(table, explanation.grid)


def text_attention_chart(explanation: Explanation) -> theme.Chart:
    """Return how [EOT] attends to each word of the captions: a strip for each head."""
    table = explanation.text_attention.with_columns(key=pl.format("{}|{}", "place", "token"))
    captions = table["caption"].unique(maintain_order=True).to_list()
    numbered = table.with_columns(scene=pl.col("caption").replace_strict({c: i for i, c in enumerate(captions)}))
    return _attention_strips(numbered, captions, "caption", width=300)


def _attention_strips(table: pl.DataFrame, names: list[str], what: str, *, width: int) -> theme.Chart:
    applications = sorted(table["application"].unique())
    panels = []
    for application in applications:
        for number, name in enumerate(names):
            here = table.filter(pl.col("application") == application, pl.col("scene") == number)
            suffix = f", block application {application}" if len(applications) > 1 else ""
            panels.append(_strip_panel(here, f"{name}{suffix}", what=what, width=width))
    columns = len(names) if len(names) < 4 else 2 if len(names) == 4 else 3
    return style(alt.concat(*panels, columns=columns, spacing=24))


def _strip_panel(table: pl.DataFrame, title: str, *, what: str, width: int) -> alt.LayerChart | alt.FacetChart:
    keys = table["key"].unique(maintain_order=True).to_list()
    # Words are written whole; of a position, number and token stand below each other.
    shown = "slice(datum.label, indexof(datum.label, '|') + 1)" if what == "caption" else "split(datum.label, '|')"
    base = alt.Chart(theme.inline(table)).encode(
        alt.X("key:N", sort=keys, title=None).axis(
            labelExpr=shown, labelAngle=0, labelFontSize=12, ticks=False, domain=False, labelOverlap=True
        ),
        alt.Y("head:O", title="head").axis(ticks=False, domain=False),
        tooltip=["head:O", *([] if what == "caption" else ["position:N"]), "token:N", _ATTENTION],
    )
    few = len(keys) <= _MAX_NUMBERED_KEYS
    number = base.transform_filter(alt.datum.value >= 0.005).mark_text(fontSize=11)
    colour = theme.text_colour(alt.datum.value > _DARK_ATTENTION)
    layers = [base.mark_rect(stroke=theme.GRID).encode(color=_attention_colour())]
    layers += [number.encode(text=alt.Text("value:Q", format=".2f"), color=colour)] if few else []
    return alt.layer(*layers).properties(
        width=width, height=26 * table["head"].n_unique(), title=alt.TitleParams(title, fontSize=14, offset=6)
    )


def _attention_images(table: pl.DataFrame, grid: tuple[int, int]) -> theme.Chart:
    """Return one small image for each head; rows are scenes, and block applications where there are several."""
    pixels = pixels_of(table, grid)
    rows, several = [], table["application"].n_unique() > 1
    for application in sorted(table["application"].unique()):
        for scene, name in enumerate(SCENE_NAMES):
            here = pixels.filter(pl.col("application") == application, pl.col("scene") == scene)
            prefix = f"{name}{f', application {application}' if several else ''}, head "
            rows.append(
                alt.hconcat(
                    *(
                        _head_image(of_head, f"{prefix}{head}", grid)
                        for (head,), of_head in here.group_by("head", maintain_order=True)
                    ),
                    spacing=18,
                )
            )
    return style(alt.vconcat(*rows, spacing=18))


def _head_image(table: pl.DataFrame, title: str, grid: tuple[int, int]) -> alt.LayerChart | alt.FacetChart:
    base = alt.Chart(theme.inline(table)).encode(
        alt.X("column:O", title=None).axis(labelAngle=0, ticks=False, domain=False),
        alt.Y("row:O", title=None).axis(ticks=False, domain=False),
        tooltip=["position:N", "token:N", _ATTENTION],
    )
    objects = base.transform_filter(alt.datum.token != "bg").mark_text(fontSize=13, fontWeight="bold")
    colour = theme.text_colour(alt.datum.value > _DARK_ATTENTION)
    step = max(14, min(34, 240 // grid[1]))
    return alt.layer(
        base.mark_rect(stroke=theme.GRID).encode(color=_attention_colour()),
        objects.encode(text="token:N", color=colour),
    ).properties(width=step * grid[1], height=step * grid[0], title=alt.TitleParams(title, fontSize=13, offset=6))


def _attention_colour() -> alt.Color:
    legend = alt.Legend(title="attention", gradientLength=90, tickCount=3)
    return alt.Color("value:Q", legend=legend).scale(scheme="purples", domain=[0, 1])
