"""Charts of a page about one trial: accuracies and the two scenes. Charts of the page have no titles of their own."""

from typing import Any

import altair as alt
import polars as pl

from lrsym.explain.frames import Explanation
from lrsym.results.plots import theme
from lrsym.vocabulary import METRICS, SPLITS

SCENE_NAMES = ("scene", "mirror image")
SCENE_WIDTH = 440  # pixels


def accuracy_chart(explanation: Explanation) -> theme.Chart:
    """Return every accuracy as a coloured field, splits below each other."""
    table = explanation.accuracies.filter(pl.col("value").is_not_null())
    rows = table.with_columns(text=pl.col("value").round(3).map_elements(lambda v: f"{v:.2f}", return_dtype=pl.String))
    splits = [split for split in SPLITS if split in {*table["split"]}]
    base = alt.Chart(theme.inline(rows)).encode(
        alt.X("metric:N", sort=list(METRICS), title=None).axis(orient="top", labelAngle=0, ticks=False, domain=False),
        alt.Y("split:N", sort=splits, title=None).axis(ticks=False, domain=False),
        tooltip=[
            "split:N", "metric:N", alt.Tooltip("value:Q", title="this model", format=".4f"),
            alt.Tooltip("stored:Q", title="its row", format=".4f"),
        ],
    )  # fmt: skip
    colour = alt.Color("value:Q", legend=None).scale(scheme="blues", domain=[0, 1.3])
    text = base.mark_text(fontSize=14).encode(text="text:N", color=theme.text_colour(alt.datum.value > 0.75))
    return style(
        (base.mark_rect(stroke=theme.PAPER, strokeWidth=2).encode(color=colour) + text).properties(
            width=84 * len(METRICS), height=30 * len(splits)
        )
    )


def scenes_chart(explanation: Explanation) -> theme.Chart:
    """Return the two scenes as images, and beside each the model's score of its true captions and of their swaps."""
    panels = []
    for scene, name in enumerate(SCENE_NAMES):
        pixels = explanation.scenes.filter(pl.col("scene") == scene)
        captions = explanation.captions.filter(pl.col("scene") == scene)
        panels.append(alt.hconcat(_scene_image(pixels, explanation.grid, name), _score_bars(captions), spacing=24))
    return style(alt.vconcat(*panels, spacing=20))


def _scene_image(pixels: pl.DataFrame, grid: tuple[int, int], name: str) -> alt.LayerChart | alt.FacetChart:
    shown = pixels_of(pixels, grid)
    step = max(16, min(38, 420 // grid[1]))
    base = alt.Chart(theme.inline(shown)).encode(
        alt.X("column:O", title=None).axis(labelAngle=0, ticks=False, domain=False, orient="bottom"),
        alt.Y("row:O", title=None).axis(ticks=False, domain=False, labels=grid[0] > 1),
    )
    fill = alt.when(alt.datum.token == "bg").then(alt.value("#f1f2f5")).otherwise(alt.value("#cfe0f3"))
    return alt.layer(
        base.mark_rect(stroke=theme.PAPER, strokeWidth=2).encode(color=fill),
        base.transform_filter(alt.datum.token != "bg")
        .mark_text(fontSize=15, fontWeight="bold", color=theme.ON_LIGHT)
        .encode(text="token:N"),
    ).properties(width=step * grid[1], height=step * grid[0], title=alt.TitleParams(name, fontSize=14, offset=6))


def _score_bars(captions: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    rows = []
    for row in captions.iter_rows(named=True):
        rows.append({"text": row["text"], "cosine": row["score"], "kind": "true"})
        rows.append({"text": row["other"], "cosine": row["other_score"], "kind": "labels swapped"})
    rows = [{**row, "end": max(row["cosine"], 0.0)} for row in rows]  # numbers stand right of their bar, or of zero
    names = [row["text"] for row in rows]
    base = alt.Chart(theme.inline(rows)).encode(
        alt.X("cosine:Q", title="cosine of scene and caption")
        .scale(domain=[1.05 * min(0.0, *(row["cosine"] for row in rows)), 1], nice=False)
        .axis(tickCount=5),
        alt.Y("text:N", sort=names, title=None).axis(ticks=False, domain=False),
        tooltip=[alt.Tooltip("text:N", title="caption"), "kind:N", alt.Tooltip("cosine:Q", format=".4f")],
    )
    colour = alt.Color("kind:N", title="caption").scale(
        domain=["true", "labels swapped"], range=[theme.LINE, theme.GREY_BAR]
    )
    number = base.mark_text(align="left", dx=4, fontSize=12, color=theme.INK)
    return alt.layer(
        base.mark_bar(height=16).encode(color=colour), number.encode(x="end:Q", text=alt.Text("cosine:Q", format=".3f"))
    ).properties(width=300, height=24 * len(rows))


def pixels_of(table: pl.DataFrame, grid: tuple[int, int]) -> pl.DataFrame:
    """Return the keys that are pixels, with their row and column from 1."""
    pixel = pl.col("place") - 1
    return table.filter(pixel >= 0).with_columns(row=pixel // grid[1] + 1, column=pixel % grid[1] + 1)


def with_key(table: pl.DataFrame) -> pl.DataFrame:
    """Return `table` with a text for each key: its position, and behind a bar the label that stands there."""
    below = pl.when(pl.col("token").is_in(["bg", "[CLS]"])).then(pl.lit("")).otherwise(pl.format("({})", "token"))
    return table.with_columns(key=pl.format("{}|{}", "position", below))


def style(chart: Any) -> theme.Chart:
    """Return `chart` in the theme of all pictures, for a page."""
    return theme.style(chart, aria=False, padding=6)
