"""Plot data of curves, ablations and profiles: frames that hold every number a picture shows."""

from collections.abc import Sequence

import polars as pl

from lrsym.results.analysis.aggregate import Frame, mean_and_range
from lrsym.vocabulary import ABLATIONS, POSITION_KEY, ROTARY_TERM, SPLITS

PROFILE_TERMS = (*POSITION_KEY, "+".join(POSITION_KEY), *ROTARY_TERM)
"""Terms with a profile along the pixels, the gauge-free sum of learned positions behind its terms."""


def curves(frame: Frame, *, metric: str = "order", by: Sequence[str] = ()) -> pl.DataFrame:
    """Return mean, lowest, highest and n of `metric` for each combination of `by`, split and step.

    `frame` is the table `curves` with the columns `by` joined to it. Splits stand in the order of SPLITS; values that
    are null or not finite are left out.
    """
    table = frame.lazy().filter(pl.col("metric") == metric).with_columns(pl.col("split").cast(pl.Enum([*SPLITS])))
    return mean_and_range(table, by=[*by, "split", "step"]).with_columns(pl.col("split").cast(pl.String))


def ablations(frame: Frame, *, split: str = "unseen", by: Sequence[str] = ()) -> pl.DataFrame:
    """Return mean, lowest, highest and n on `split` for each combination of `by`, term and metric.

    `frame` is the table `ablations` with the columns `by` joined to it. Terms stand in the order of ABLATIONS.
    """
    table = frame.lazy().filter(pl.col("split") == split).with_columns(pl.col("term").cast(pl.Enum([*ABLATIONS])))
    return mean_and_range(table, by=[*by, "term", "metric"]).with_columns(pl.col("term").cast(pl.String))


def profiles(frame: Frame, *, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return a row for each of `by`, seed, position-key term, head and pixel: those columns and value [logit].

    `frame` is the table `terms` with the columns `by` and seed joined to it. Of the vision encoder, or the decoder;
    pixels count from 1, and [CLS], which stands before them in the one and behind them in the other, is left out.
    """
    profile = pl.col("profile")
    after_cls, before_cls = profile.list.slice(1), profile.list.head(profile.list.len() - 1)
    return (
        frame.lazy()
        .filter(pl.col("encoder").is_in(["vision", "decoder"]), pl.col("term").is_in(PROFILE_TERMS))
        .with_columns(value=pl.when(pl.col("encoder") == "decoder").then(before_cls).otherwise(after_cls))
        .select(*by, "seed", pl.col("term").cast(pl.Enum(PROFILE_TERMS)), "head", "value")
        .with_columns(pixel=pl.int_ranges(1, pl.col("value").list.len() + 1))
        .explode("pixel", "value")
        .sort(*by, "seed", "term", "head", "pixel")
        .select(*by, "seed", pl.col("term").cast(pl.String), "head", "pixel", pl.col("value").cast(pl.Float64))
        .collect()
    )
