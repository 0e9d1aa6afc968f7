"""An order parameter for left-right symmetry breaking: the signed slope of each trial, and its moments over seeds.

    m       mean over heads of the slope of the position-key terms EP+PP+BP along the pixels [logit/pixel]
    |m|     its size, mean over seeds
    chi     N var |m|, the susceptibility, N the size of the system
    U       1 - <m^4> / (3 <m^2>^2), Binder's cumulant

Scenes and captions of pairs are the same seen in a mirror, if the words of a caption change places as well, so m may
have either sign; captions of one label, which name it first, are all that could tell left from right. U is 2/3 where m
is of one size and either sign, 0 where it is normal around 0 (2 / (n + 2) in the mean of n seeds), and negative where
few seeds break the symmetry and the others do not.

chi and 1 - U are above 0 and skewed, so their intervals are Student's on the logarithm, with the jackknife's error. Of
5 to 30 seeds that of chi holds in 90 to 96 cells of 100, that of U in 78 to 95: where m is normal its fourth moment is
learned slowly. The bootstrap's percentiles hold in half of the cells with 5 seeds.

Sources: Binder (Zeitschrift für Physik B 1981); Miller (Biometrika 1974) for the jackknife. What the size of the system
is, is ours: an axis, such as n_pair_labels.
"""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float

from lrsym.results.analysis.aggregate import Frame
from lrsym.results.analysis.intervals import CONFIDENCE, estimate_mean, t_quantile
from lrsym.vocabulary import POSITION_KEY, ROTARY_TERM

RESAMPLES = 2000
"""Of the seeds of a cell; the same rows give the same intervals."""

FEWEST_SEEDS = 5
"""Of fewer neither chi nor U has an interval: those of no symmetry and of a broken one are much alike."""

_NONE = 1e-20
"""A variance no larger is that of equal numbers, but for rounding."""

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
    """Return the variance of |m| over seeds, without bias, times the size of the system; NaN for one seed."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(size * np.abs(m).var(axis=-1) * m.shape[-1] / np.float64(m.shape[-1] - 1))


def moments(slopes: pl.DataFrame, *, by: Sequence[str], size: str | None = None) -> pl.DataFrame:
    """Return a row for each combination of `by`, ascending: n, and positive, magnitude, susceptibility and binder.

    Each of these with the ends of its 95 % interval, `_low` and `_high`: positive, the share of seeds whose m is above
    0, by Wilson, magnitude by Student, the others by the jackknife on the logarithm (`jackknife_interval`), null of
    fewer seeds than FEWEST_SEEDS. `size` names the column that multiplies the susceptibility.
    """
    rows = []
    for values, cell in slopes.sort(*by, "m").group_by(by, maintain_order=True):
        m = cell["m"].to_numpy()
        scale = float(cell[size][0]) if size else 1.0
        share = estimate_mean([float(value > 0) for value in m], interval="wilson")
        of_m = estimate_mean(np.abs(m).tolist())
        chi = jackknife_interval(lambda sample, scale=scale: susceptibility(sample, size=scale), m)
        rest = jackknife_interval(lambda sample: 1 - binder(sample), m)
        found = {
            "positive": (share.mean, share.low, share.high),
            "magnitude": (of_m.mean, None if of_m.low is None else max(0.0, of_m.low), of_m.high),
            "susceptibility": (float(susceptibility(m, size=scale)), *chi),
            "binder": (float(binder(m)), *(None if end is None else 1 - end for end in reversed(rest))),
        }
        ends = {f"{name}{end}": value for name, of in found.items() for end, value in zip(_ENDS, of, strict=True)}
        rows.append({**dict(zip(by, values, strict=True)), "n": len(m), **ends})
    numbers = {f"{name}{end}": pl.Float64 for name in MOMENTS for end in _ENDS}
    return pl.DataFrame(rows, schema_overrides=numbers).with_columns(pl.col(*numbers).fill_nan(None))


_ENDS = ("", "_low", "_high")

MOMENTS = ("positive", "magnitude", "susceptibility", "binder")
"""The columns of `moments`, each with its interval."""


def jackknife_interval(
    of: Callable[[Float[np.ndarray, "*sample seed"]], Float[np.ndarray, "*sample"]], m: Float[np.ndarray, " seed"]
) -> tuple[float | None, float | None]:
    """Return the ends of the 95 % interval of a positive number `of` the seeds, taken on its logarithm.

    Student's, with the jackknife's standard error; None of fewer than FEWEST_SEEDS, and where it is 0 without one.
    """
    n = len(m)
    if n < FEWEST_SEEDS:
        return None, None
    without_one = of(np.array([np.delete(m, seed) for seed in range(n)]))
    if not (np.all(without_one > _NONE) and of(m) > _NONE):
        return None, None
    logs = np.log(without_one)
    reach = t_quantile((1 + CONFIDENCE) / 2, n - 1) * np.sqrt((n - 1) * logs.var())
    centre = np.log(of(m))
    return float(np.exp(centre - reach)), float(np.exp(centre + reach))


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
