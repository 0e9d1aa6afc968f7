"""Is it a phase transition? Where Binder's cumulants of several sizes cross, and whether success sharpens with size.

    sharpens    logit p = k (N / N0)^b (x - c)          all sizes cross at one c, the larger the steeper: a transition
    moves       logit p = k (x - c - s log(N / N0))     all are as steep, only their middle moves: a crossover
    neither     logit p = k (x - c)                     no size matters

p is the share of seeds that succeed, x the logarithm of the control axis, N the size, N0 the geometric mean of sizes; k
is below 0 where success falls along x.
Likelihoods are binomial, and AIC = 2 parameters - 2 log likelihood (Akaike 1974): the lowest is preferred, and one that
is less than 2 higher is as good.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from lrsym.errors import UsageError
from lrsym.results.analysis.order_parameter import binder, percentile_interval, resample

Curve = Callable[[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Any], Float[np.ndarray, " n"]]

MODELS: dict[str, tuple[tuple[str, ...], Curve]] = {
    "sharpens": (("k", "c", "b"), lambda x, size, p: p[0] * np.exp(p[2] * size) * (x - p[1])),
    "moves": (("k", "c", "s"), lambda x, size, p: p[0] * (x - p[1] - p[2] * size)),
    "neither": (("k", "c"), lambda x, size, p: p[0] * (x - p[1])),
}
"""Names of the parameters of each model, and its log odds."""

_STEEPNESS = (1e-3, 50.0)
"""Bounds of k, upwards and downwards: where no seed differs from the others of its cell, steeper is always better."""

_BOUNDS = {"b": (-5.0, 5.0), "s": (-5.0, 5.0)}

SAME_AIC = 2.0
"""Models whose AIC differ by less are not told apart."""


def compare_models(trials: pl.DataFrame, *, x: str, size: str, success: str) -> pl.DataFrame:
    """Return a row for each of MODELS, the best first: model, log_likelihood, aic, delta, and its parameters.

    `trials` has a row for each trial; `success` is a column of truth values, null where there is no outcome. delta is
    how far the AIC lies above the lowest; parameters that a model lacks are null. Raises UsageError where fewer than
    two sizes, or values of `x`, have outcomes, and where either is not above 0.
    """
    from scipy import optimize

    rows = trials.drop_nulls([x, size, success])
    for axis in (x, size):
        if not rows[axis].dtype.is_numeric() or rows[axis].n_unique() < 2 or not (rows[axis] > 0).all():
            raise UsageError(f"{axis} must have two or more values, all above 0; choose another axis, or other trials")
    log_x, n = rows[x].log().to_numpy(), rows[size].log().to_numpy()
    n = n - np.unique(n).mean()
    hits = rows[success].cast(pl.Float64).to_numpy()
    found = []
    for model, (names, curve) in MODELS.items():
        rest = [_BOUNDS.get(name, (log_x.min() - 5, log_x.max() + 5)) for name in names[1:]]
        signs = {1.0: [_STEEPNESS, *rest], -1.0: [(-_STEEPNESS[1], -_STEEPNESS[0]), *rest]}

        def loss(p: Any, curve: Curve = curve) -> float:
            odds = curve(log_x, n, p)
            return float((np.logaddexp(0, odds) - hits * odds).sum())

        starts = [(k, c, 0.0)[: len(names)] for k in (1.0, 4.0) for c in np.unique(log_x)]
        fits = [
            optimize.minimize(loss, (sign * k, *others), bounds=bounds, method="L-BFGS-B")
            for sign, bounds in signs.items()
            for k, *others in starts
        ]
        best = min(fits, key=lambda fit: fit.fun)
        found.append(
            {"model": model, "log_likelihood": -best.fun, "aic": 2 * len(names) + 2 * best.fun}
            | dict(zip(names, map(float, best.x), strict=True))
        )
    table = pl.DataFrame(found, schema_overrides={name: pl.Float64 for name in ("k", "c", "b", "s")}).sort("aic")
    return table.select(
        "model", "log_likelihood", "aic", delta=pl.col("aic") - pl.col("aic").min(), k="k", c=pl.col("c").exp(),
        b="b", s="s",
    )  # fmt: skip


def falls(trials: pl.DataFrame, *, x: str, size: str, success: str) -> bool:
    """Return whether fewer trials of a size succeed the larger the number `x`; of no outcome they do not."""
    rows = trials.drop_nulls([x, size, success])
    along, hit = pl.col(x).rank("dense").cast(pl.Float64), pl.col(success).cast(pl.Float64)
    return rows.select(((along - along.mean().over(size)) * (hit - hit.mean().over(size))).sum()).item() < -1e-9


def crossings(slopes: pl.DataFrame, *, x: str, size: str, falling: bool = False) -> pl.DataFrame:
    """Return a row for each two neighbouring sizes: size, next_size, at, at_low, at_high, share.

    `slopes` has a row for each trial, with m and seed: cells share their seeds, so these are drawn together, and seeds
    that not every cell has are left out. at is the value of `x` above which U of the larger size stays the higher one
    (below which, if success is `falling` along x), between two values by their logarithm, by themselves where one is
    not above 0; null where it never does, or always. The interval is that of the bootstrap over seeds, share how many
    of its samples have a crossing. Trials without `x` or `size` are left out.
    """
    slopes = slopes.drop_nulls([x, size])
    n_cells = slopes.select(pl.struct(size, x).n_unique()).item()
    complete = slopes.group_by("seed").len().filter(pl.col("len") == n_cells)["seed"]
    slopes = slopes.filter(pl.col("seed").is_in(complete.implode()))
    cells = slopes.sort("seed").group_by(size, x, maintain_order=True).agg("m")
    samples = {(n, at): np.array(m) for n, at, m in cells.iter_rows()}
    sizes = sorted({n for n, _ in samples})
    rows = []
    for small, large in pairwise(sizes):
        shared = sorted(
            {at for n, at in samples if n == small} & {at for n, at in samples if n == large}, reverse=falling
        )
        if len(shared) < 2:
            continue
        drawn, told = (
            np.stack([of(samples[large, at]) - of(samples[small, at]) for at in shared])
            for of in (lambda m: binder(resample(m)), lambda m: binder(m[None]))
        )
        at, each = _crossing(told[:, 0], shared), np.array([_crossing(column, shared) for column in drawn.T])
        low, high = percentile_interval(each)
        rows.append(
            {"size": small, "next_size": large, "at": None if np.isnan(at) else at, "at_low": low, "at_high": high,
             "share": float(np.isfinite(each).mean())}
        )  # fmt: skip
    numbers = {name: pl.Float64 for name in ("at", "at_low", "at_high", "share")}
    columns = {"size": slopes.schema[size], "next_size": slopes.schema[size], **numbers}
    return pl.DataFrame(rows, schema=columns)


def _crossing(difference: Float[np.ndarray, " x"], values: Sequence[float]) -> float:
    """Return where the difference rises through 0 for good; NaN where it does not, or is below 0 at the last value."""
    below = np.flatnonzero(difference < 0)
    if not len(below) or below[-1] == len(values) - 1 or not np.isfinite(difference).all():
        return float("nan")
    i = below[-1]
    part = -difference[i] / (difference[i + 1] - difference[i])
    before, after = values[i], values[i + 1]
    if min(before, after) <= 0:
        return float(before + part * (after - before))
    return float(np.exp(np.log(before) + part * (np.log(after) - np.log(before))))
