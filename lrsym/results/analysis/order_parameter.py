"""An order parameter for left-right symmetry breaking: the signed slope of each trial, and its moments over seeds.

    m       mean over heads of the slope of the position-key terms EP+PP+BP along the pixels [logit/pixel]
    |m|     its size, mean over seeds
    chi     N (<m^2> - <|m|>^2), the susceptibility, N the size of the system
    U       1 - <m^4> / (3 <m^2>^2), Binder's cumulant

Scenes and captions of pairs are the same seen in a mirror, if the words of a caption change places as well, so m may
have either sign; captions of one label, which name it first, are all that could tell left from right. U is 2/3 where m
is of one size and either sign, 0 where it is normal around 0 (2 / (n + 2) in the mean of n seeds), and negative where
few seeds break the symmetry and the others do not.

Source: Binder (Zeitschrift für Physik B 1981). What the size of the system is, is ours: an axis, such as n_pair_labels.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float

from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.intervals import CONFIDENCE, estimate_mean
from lrsym.vocabulary import POSITION_KEY, ROTARY_TERM

RESAMPLES = 2000
"""Of the seeds of a cell; the same rows give the same intervals."""

_TERMS = ("+".join(POSITION_KEY), *ROTARY_TERM)


def slopes(terms: Frame, *, keep: Sequence[str] = ()) -> pl.DataFrame:
    """Return a row for each trial, ascending: trial_id, the columns `keep`, and m.

    `terms` is the table of that name, of what sees the image; with rotary positions R is the term.
    """
    return (
        terms.lazy()
        .filter(pl.col("encoder").is_in(["vision", "decoder"]), pl.col("term").is_in(_TERMS))
        .group_by("trial_id", *keep)
        .agg(m=pl.col("slope").mean())
        .filter(pl.col("m").is_finite())
        .sort("trial_id")
        .collect()
    )


def binder(m: Float[np.ndarray, "*sample seed"]) -> Float[np.ndarray, "*sample"]:
    """Return Binder's cumulant of each sample; NaN where all of m is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - (m**4).mean(axis=-1) / (3 * (m**2).mean(axis=-1) ** 2))


def susceptibility(m: Float[np.ndarray, "*sample seed"], *, size: float = 1.0) -> Float[np.ndarray, "*sample"]:
    """Return the variance of |m| over seeds times the size of the system."""
    return np.asarray(size * np.maximum(0.0, (m**2).mean(axis=-1) - np.abs(m).mean(axis=-1) ** 2))


def moments(slopes: pl.DataFrame, *, by: Sequence[str], size: str | None = None) -> pl.DataFrame:
    """Return a row for each combination of `by`, ascending: n, and positive, magnitude, susceptibility and binder.

    Each of these with the ends of its 95 % interval, `_low` and `_high`: positive, the share of seeds whose m is above
    0, by Wilson, the others by the bootstrap over seeds (percentiles), null for one seed. `size` names the column that
    multiplies the susceptibility.
    """
    rows = []
    for values, cell in slopes.sort(*by, "m").group_by(by, maintain_order=True):
        m = cell["m"].to_numpy()
        scale = float(cell[size][0]) if size else 1.0
        share = estimate_mean([float(value > 0) for value in m], interval="wilson")
        row = {**dict(zip(by, values, strict=True)), "n": len(m)}
        row |= {"positive": share.mean, "positive_low": share.low, "positive_high": share.high}
        drawn = resample(m)
        for name, of in {
            "magnitude": lambda sample: np.abs(sample).mean(axis=-1),
            "susceptibility": lambda sample, scale=scale: susceptibility(sample, size=scale),
            "binder": binder,
        }.items():
            low, high = percentile_interval(of(drawn)) if len(m) > 1 else (None, None)
            row |= {name: float(of(m)), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    numbers = {f"{name}{end}": pl.Float64 for name in MOMENTS for end in ("", "_low", "_high")}
    return pl.DataFrame(rows, schema_overrides=numbers).with_columns(pl.col(*numbers).fill_nan(None))


MOMENTS = ("positive", "magnitude", "susceptibility", "binder")
"""The columns of `moments`, each with its interval."""


def resample(m: Float[np.ndarray, " seed"], *, n: int = RESAMPLES) -> Float[np.ndarray, "sample seed"]:
    """Return `n` samples of as many seeds, drawn with replacement."""
    return m[np.random.default_rng(0).integers(0, len(m), size=(n, len(m)))]


def percentile_interval(values: Float[np.ndarray, " sample"]) -> tuple[float | None, float | None]:
    """Return the ends between which 95 % of the finite values lie; None where there is none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None, None
    low, high = np.quantile(finite, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
