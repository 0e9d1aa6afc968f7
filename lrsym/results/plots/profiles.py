"""Profiles: what the position-key terms of each head add to the logits along the pixels."""

import altair as alt
import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.frames import PROFILE_TERMS, profiles
from lrsym.results.analysis.varied_axes import varied_axes
from lrsym.results.plots import theme
from lrsym.results.plots.palette import HEADS
from lrsym.vocabulary import ROTARY_TERM, SCORE_TERMS

MAX_SEEDS = 5
"""Rows of panels, one for each seed, that fit on a screen; the heading says how many were left out."""

_WIDTH, _HEIGHT = 220, 130  # pixels


def plot_profile(frame: Frame) -> theme.Chart:
    """Return the contribution of each position-key term to [CLS]'s logits by pixel: a line a head, a row a seed.

    `frame` is the table `terms` joined with the axes of its trials, all of one cell; the first five seeds are drawn.
    Raises UsageError for several cells, or if there is no profile of what sees the image.
    """
    if varied := varied_axes(frame):
        theme.check_limit("cells", frame.lazy().select(varied).unique().collect().height, limit=1, varied=varied)
    profile = profiles(frame)
    if profile.is_empty():
        raise UsageError("no profile of a vision encoder or decoder among these rows; choose other trials with --where")
    seeds = profile["seed"].unique().sort().to_list()
    profile = profile.filter(pl.col("seed").is_in(seeds[:MAX_SEEDS])).with_columns(
        panel_row=pl.format("seed {}", "seed"), head=pl.col("head").cast(pl.String)
    )
    terms = [term for term in PROFILE_TERMS if term in {*profile["term"]}]
    shown = "" if len(seeds) <= MAX_SEEDS else f" The first {MAX_SEEDS} of {len(seeds)} seeds."
    return theme.finish(
        _panel(profile).facet(
            row=alt.Row("panel_row:N", sort=[f"seed {seed}" for seed in seeds], title=None),
            column=alt.Column("term:N", sort=terms, title=None),
        ),
        title="Where [CLS] attends in the image by position alone",
        subtitle=[
            *(f"{term}: {sentence}." for term, sentence in (SCORE_TERMS | ROTARY_TERM).items() if term in terms),
            f"A slope makes a head prefer one side; which one may differ by head and seed.{shown}",
        ],
        width=len(terms) * _WIDTH,
        frame=profile.drop("panel_row"),
    )


def _panel(profile: pl.DataFrame) -> alt.LayerChart | alt.FacetChart:
    line = (
        alt.Chart()
        .mark_line(point=alt.OverlayMarkDef(size=22), strokeWidth=2)
        .encode(
            alt.X("pixel:O", title="pixel").axis(labelAngle=0),
            alt.Y("value:Q", title="logit contribution").axis(grid=True),
            alt.Color("head:N", title="head").scale(scheme=HEADS).legend(symbolType="stroke", symbolStrokeWidth=3),
            tooltip=["seed:O", "term:N", "head:N", "pixel:O", alt.Tooltip("value:Q", format=".3f")],
        )
    )
    zero = alt.Chart().mark_rule(color=theme.MUTED).encode(y=alt.datum(0))
    return alt.layer(line, zero, data=theme.inline(profile)).properties(width=_WIDTH, height=_HEIGHT)
