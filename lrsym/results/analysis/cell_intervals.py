"""The interval of the mean in each cell of a table at once: as `intervals.estimate_mean`, in columns."""

from collections.abc import Callable, Sequence

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.analysis.aggregate import Frame, replicate_value, shares_value
from lrsym.results.analysis.intervals import (
    ACCURACY_RESOLUTION,
    CONFIDENCE,
    EQUAL,
    grubbs_critical,
    resolution_of,
    t_quantile,
)

_N, _MEAN, _SD, _LOWEST, _HIGHEST = (pl.col(name) for name in ("_n", "_mean", "_sd", "_lowest", "_highest"))


def cell_intervals(trials: Frame, *, by: Sequence[str], metric: str, interval: str, far: float = 0.0) -> pl.DataFrame:
    """Return one row for each combination of `by`, in no order: `by`, low, high and apart.

    low and high are the ends of the 95 % interval of the mean of `metric`, by `interval`, which is t or logit, null
    where that has none, as of what the trials of a pack share; apart tells whether one trial lies apart from the
    others (`intervals.has_value_apart`), `far` or more from the mean. Raises UsageError where logit gets values outside
    0..1.
    """
    value, is_logit, rows = replicate_value(metric), interval == "logit", trials.lazy()
    resolution = max(resolution_of(metric), ACCURACY_RESOLUTION)
    shared = shares_value(metric, rows.collect_schema())
    table = (
        rows.group_by(by)
        .agg(
            _n=value.count(),
            _mean=value.mean(),
            _lowest=value.min(),
            _highest=value.max(),
            _sd=value.std(),
            _spread=(_logit(value, resolution) if is_logit else value).std(),
            _shared=(shared & value.is_not_null()).any(),
        )
        .collect()
    )
    lowest, highest = table["_lowest"].min(), table["_highest"].max()
    for end in (lowest, highest):
        if is_logit and isinstance(end, float) and not 0 <= end <= 1:
            raise UsageError(f"interval logit takes accuracies, 0 to 1, got {end:g}; use interval t")
    table = table.with_columns(
        _mean=pl.when(_LOWEST == _HIGHEST).then(_LOWEST).otherwise(_MEAN),
        _quantile=_by_count(table["_n"], lambda n: t_quantile((1 + CONFIDENCE) / 2, n - 1), least=2),
        _critical=_by_count(table["_n"], grubbs_critical, least=3),
    )
    spread, largest = _HIGHEST - _LOWEST, pl.max_horizontal(_LOWEST.abs(), _HIGHEST.abs())
    equal = spread <= EQUAL * largest
    away = pl.max_horizontal(_MEAN - _LOWEST, _HIGHEST - _MEAN)
    low, high = _logit_bounds(resolution) if is_logit else _student_bounds()
    known = (_N > 1) & (pl.lit(is_logit) | ~equal) & ~pl.col("_shared")
    apart = (_N > 2) & ~equal & (away >= far) & (away > pl.col("_critical") * _SD)
    return table.select(
        *by, low=pl.when(known).then(low), high=pl.when(known).then(high), apart=apart.fill_null(value=False)
    )


def _by_count(counts: pl.Series, of: Callable[[int], float], *, least: int) -> pl.Series:
    """Return what `of` gives for each count, asked once for each that is not below `least`; null for those."""
    known = {n: of(n) for n in counts.unique() if n >= least}
    return counts.replace_strict(known, default=None, return_dtype=pl.Float64)


def _logit(share: pl.Expr, resolution: float) -> pl.Expr:
    half = resolution / 2
    inside = share.clip(half, 1 - half)
    return (inside / (1 - inside)).log()


def _student_bounds() -> tuple[pl.Expr, pl.Expr]:
    reach = pl.col("_quantile") * _SD / _N.sqrt()
    return _MEAN - reach, _MEAN + reach


def _logit_bounds(resolution: float) -> tuple[pl.Expr, pl.Expr]:
    half = resolution / 2
    inside = _MEAN.clip(half, 1 - half)
    rounding = resolution / 12**0.5 / (inside * (1 - inside))
    reach = pl.col("_quantile") * pl.max_horizontal("_spread", rounding) / _N.sqrt()
    low, high = (1 / (1 + (-(_logit(_MEAN, resolution) + end)).exp()) for end in (-reach, reach))
    # A mean within half a step of 0 or 1 lies beyond the one that the interval lies around.
    return pl.min_horizontal(low, _MEAN), pl.max_horizontal(high, _MEAN)
