"""Charts of a page about one trial: accuracies, the two scenes, attention. They have no titles of their own."""

from typing import Any

import altair as alt
import polars as pl

from lrsym.explain.frames import Explanation
from lrsym.results.plots import theme
from lrsym.vocabulary import METRICS, SPLITS

SCENE_NAMES = ("scene", "mirror image")
SCENE_WIDTH = 440  # pixels
_MOST_LABELS = 24


def accuracy_chart(explanation: Explanation) -> theme.Drawn:
    """Every accuracy as a coloured cell, splits below each other."""
    table = explanation.accuracies.filter(pl.col("value").is_not_null())
    rows = table.with_columns(text=pl.col("value").round(3).map_elements(lambda v: f"{v:.2f}", return_dtype=pl.String))
    splits = [split for split in SPLITS if split in {*table["split"]}]
    base = alt.Chart(theme.inline(rows)).encode(
        alt.X("metric:N", sort=list(METRICS), title=None).axis(orient="top", labelAngle=0, ticks=False, domain=False),
        alt.Y("split:N", sort=splits, title=None).axis(ticks=False, domain=False),
    )
    colour = alt.Color("value:Q", legend=None).scale(scheme="blues", domain=[0, 1.3])
    text = base.mark_text(fontSize=14).encode(
        text="text:N", color=alt.when(alt.datum.value > 0.75).then(alt.value("white")).otherwise(alt.value(theme.INK))
    )
    return finish(
        (base.mark_rect(stroke="white", strokeWidth=2).encode(color=colour) + text).properties(
            width=4 * 84, height=30 * len(splits)
        )
    )


def scenes_chart(explanation: Explanation) -> theme.Drawn:
    """The two scenes as images, and beside each the model's score of its true captions and of their swaps."""
    panels = []
    for scene, name in enumerate(SCENE_NAMES):
        pixels = explanation.scenes.filter(pl.col("scene") == scene)
        captions = explanation.captions.filter(pl.col("scene") == scene)
        panels.append(alt.hconcat(_picture(pixels, explanation.grid, name), _score_bars(captions), spacing=24))
    return finish(alt.vconcat(*panels, spacing=20))


def _picture(pixels: pl.DataFrame, grid: tuple[int, int], name: str) -> alt.LayerChart | alt.FacetChart:
    shown = _as_pixels(pixels, grid)
    step = max(16, min(38, 420 // grid[1]))
    base = alt.Chart(theme.inline(shown)).encode(
        alt.X("column:O", title=None).axis(labelAngle=0, ticks=False, domain=False, orient="bottom"),
        alt.Y("row:O", title=None).axis(ticks=False, domain=False, labels=grid[0] > 1),
    )
    fill = alt.when(alt.datum.token == "bg").then(alt.value("#f1f2f5")).otherwise(alt.value("#cfe0f3"))
    return alt.layer(
        base.mark_rect(stroke="white", strokeWidth=2).encode(color=fill),
        base.transform_filter(alt.datum.token != "bg")
        .mark_text(fontSize=15, fontWeight="bold", color=theme.INK)
        .encode(text="token:N"),
    ).properties(width=step * grid[1], height=step * grid[0], title=alt.TitleParams(name, fontSize=14, offset=6))


def _score_bars(captions: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    rows = []
    for row in captions.iter_rows(named=True):
        rows.append({"text": row["text"], "cosine": row["score"], "kind": "true"})
        rows.append({"text": row["other"], "cosine": row["other_score"], "kind": "labels swapped"})
    rows = [{**row, "end": max(row["cosine"], 0.0)} for row in rows]  # numbers stand right of their bar, or of zero
    names = [row["text"] for row in rows]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        alt.X("cosine:Q", title="cosine of scene and caption")
        .scale(domain=[1.05 * min(0.0, *(row["cosine"] for row in rows)), 1], nice=False)
        .axis(tickCount=5),
        alt.Y("text:N", sort=names, title=None).axis(ticks=False, domain=False),
    )
    colour = alt.Color("kind:N", title="caption").scale(domain=["true", "labels swapped"], range=["#2f7fc1", "#b6bcc8"])
    number = base.mark_text(align="left", dx=4, fontSize=12, color=theme.INK)
    return alt.layer(
        base.mark_bar(height=16).encode(color=colour), number.encode(x="end:Q", text=alt.Text("cosine:Q", format=".3f"))
    ).properties(width=300, height=24 * len(rows))


def vision_attention_chart(explanation: Explanation) -> theme.Drawn:
    """How [CLS] attends to each pixel: a strip for each head, or in grids an image for each head."""
    table = explanation.vision_attention.join(explanation.scenes, on=["scene", "place"], maintain_order="left")
    if explanation.grid[0] == 1:
        return _attention_strips(with_key(table), [SCENE_NAMES[s] for s in (0, 1)], "scene", width=SCENE_WIDTH)
    return _attention_images(table, explanation.grid)


def text_attention_chart(explanation: Explanation) -> theme.Drawn:
    """How [EOT] attends to each word of the captions: a strip for each head."""
    table = explanation.text_attention.with_columns(key=pl.format("{}|{}", "place", "token"))
    captions = table["caption"].unique(maintain_order=True).to_list()
    numbered = table.with_columns(scene=pl.col("caption").replace_strict({c: i for i, c in enumerate(captions)}))
    return _attention_strips(numbered, captions, "caption", width=300)


def _attention_strips(table: pl.DataFrame, names: list[str], what: str, *, width: int) -> theme.Drawn:
    applications = sorted(table["application"].unique())
    panels = []
    for application in applications:
        for number, name in enumerate(names):
            here = table.filter(pl.col("application") == application, pl.col("scene") == number)
            suffix = f", block application {application}" if len(applications) > 1 else ""
            panels.append(_strip_panel(here, f"{name}{suffix}", what=what, width=width))
    columns = len(names) if len(names) < 4 else 2 if len(names) == 4 else 3
    return finish(alt.concat(*panels, columns=columns, spacing=24))


def _strip_panel(table: pl.DataFrame, title: str, *, what: str, width: int) -> alt.LayerChart | alt.FacetChart:
    keys = table["key"].unique(maintain_order=True).to_list()
    # Words are written whole; of a position, number and token stand below each other.
    shown = "slice(datum.label, indexof(datum.label, '|') + 1)" if what == "caption" else "split(datum.label, '|')"
    base = alt.Chart(theme.inline(table)).encode(
        alt.X("key:N", sort=keys, title=None).axis(
            labelExpr=shown, labelAngle=0, labelFontSize=12, ticks=False, domain=False, labelOverlap=True
        ),
        alt.Y("head:O", title="head").axis(ticks=False, domain=False),
    )
    few = len(keys) <= _MOST_LABELS
    number = base.transform_filter(alt.datum.value >= 0.005).mark_text(fontSize=11)
    dark = alt.when(alt.datum.value > 0.55).then(alt.value("white")).otherwise(alt.value(theme.INK))
    layers = [base.mark_rect(stroke="#eceef1").encode(color=_sequential())]
    layers += [number.encode(text=alt.Text("value:Q", format=".2f"), color=dark)] if few else []
    return alt.layer(*layers).properties(
        width=width, height=26 * table["head"].n_unique(), title=alt.TitleParams(title, fontSize=14, offset=6)
    )


def _attention_images(table: pl.DataFrame, grid: tuple[int, int]) -> theme.Drawn:
    """One small image for each head; rows are scenes, and block applications where there are several."""
    pixels = _as_pixels(table, grid)
    rows, several = [], table["application"].n_unique() > 1
    for application in sorted(table["application"].unique()):
        for scene, name in enumerate(SCENE_NAMES):
            here = pixels.filter(pl.col("application") == application, pl.col("scene") == scene)
            prefix = f"{name}{f', application {application}' if several else ''}, head "
            rows.append(
                alt.hconcat(
                    *(
                        _image(of_head, f"{prefix}{head}", grid)
                        for (head,), of_head in here.group_by("head", maintain_order=True)
                    ),
                    spacing=18,
                )
            )
    return finish(alt.vconcat(*rows, spacing=18))


def _as_pixels(table: pl.DataFrame, grid: tuple[int, int]) -> pl.DataFrame:
    """The keys that are pixels, with their row and column from 1."""
    pixel = pl.col("place") - 1
    return table.filter(pixel >= 0).with_columns(row=pixel // grid[1] + 1, column=pixel % grid[1] + 1)


def _image(table: pl.DataFrame, title: str, grid: tuple[int, int]) -> alt.LayerChart | alt.FacetChart:
    base = alt.Chart(theme.inline(table)).encode(
        alt.X("column:O", title=None).axis(labelAngle=0, ticks=False, domain=False),
        alt.Y("row:O", title=None).axis(ticks=False, domain=False),
    )
    objects = base.transform_filter(alt.datum.token != "bg").mark_text(fontSize=13, fontWeight="bold")
    dark = alt.when(alt.datum.value > 0.55).then(alt.value("white")).otherwise(alt.value(theme.INK))
    step = max(14, min(34, 240 // grid[1]))
    return alt.layer(
        base.mark_rect(stroke="#eceef1").encode(color=_sequential()), objects.encode(text="token:N", color=dark)
    ).properties(width=step * grid[1], height=step * grid[0], title=alt.TitleParams(title, fontSize=13, offset=6))


def with_key(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with a text for each key: its position, and behind a bar the label that stands there."""
    below = pl.when(pl.col("token").is_in(["bg", "[CLS]"])).then(pl.lit("")).otherwise(pl.format("({})", "token"))
    return table.with_columns(key=pl.format("{}|{}", "position", below))


def _sequential() -> alt.Color:
    legend = alt.Legend(title="attention", gradientLength=90, tickCount=3)
    return alt.Color("value:Q", legend=legend).scale(scheme="purples", domain=[0, 1])


def finish(chart: Any) -> theme.Drawn:
    """`chart` in the theme of all pictures, as a part of a page."""
    return chart.configure(**{**theme.THEME, "aria": False, "padding": 6})
