"""The surface of an accuracy over the cells of a grid: a Gaussian process on logits of cell means.

Matern 5/2 with a length scale for each axis. Positions are ranks: from one value of an axis to the next is a step,
however far, because an axis is spaced as it is expected to matter. Sources: Rasmussen & Williams, Gaussian Processes
for Machine Learning (2006), chapters 2 and 5; Haldane (Annals of Human Genetics 1956) for the logit of 0 and 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from lrsym.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

Z = 1.96
"""Standard deviations on either side of a mean that hold 95 % of a normal distribution."""

OUTCOMES = 50
"""Outcomes that an accuracy counts as in its logit: accuracies 0 and 1 are then -4.6 and 4.6, and not infinite."""

PRIOR_NOISE, PRIOR_WEIGHT = 0.6, 4.0
"""Standard deviation [logit] of replicates before any cell has two, near the 0.64 of the committed phase diagram, and
the number of further replicates that this guess weighs as much as."""

MAX_LENGTH = 0.5
"""Longest length scale, as share of an axis: with longer ones a small island passes for noise."""

MIN_LENGTH = 0.5
"""Shortest length scale, in steps: with a shorter one a cell says nothing about its neighbours."""

MAX_FITTED = 200
"""Cells that length scales and amplitude are fitted to: of more, every second or third, so that it takes a moment."""

_AMPLITUDE = (0.3, 30.0)
"""Bounds of the standard deviation of a surface [logit]: from nearly flat to twice the range of the logits."""


def to_logit(accuracy: Any) -> Any:
    """Return the log odds of `accuracy` (0..1) among OUTCOMES, half an outcome added on either side."""
    import numpy as np

    share = np.asarray(accuracy, dtype=float)
    return np.log((share * OUTCOMES + 0.5) / ((1 - share) * OUTCOMES + 0.5))


def to_accuracy(logit: Any) -> Any:
    """Return the accuracy, 0..1, with that `logit`: the inverse of `to_logit`, and 0 and 1 beyond its ends."""
    import numpy as np

    share = 1 / (1 + np.exp(-np.asarray(logit, dtype=float)))
    return np.clip((share * (OUTCOMES + 1) - 0.5) / OUTCOMES, 0, 1)


@dataclass(frozen=True)
class Surface:
    """The logit of every cell as far as it is known: `mean` [cell] and `covariance` [cell, cell].

    `noise` is the variance of one replicate [logit^2]. `predict` gives mean and standard deviation at any positions
    [point, axis], in ranks.
    """

    mean: "np.ndarray"
    covariance: "np.ndarray"
    noise: float
    predict: Callable[["np.ndarray"], tuple["np.ndarray", "np.ndarray"]]

    @property
    def sd(self) -> "np.ndarray":
        """Standard deviation of the logit of each cell [cell]."""
        import numpy as np

        return np.sqrt(np.clip(np.diagonal(self.covariance), 1e-12, None))

    def expecting(self, cell: int) -> "Surface":
        """Return the surface as it will be known after one more replicate of `cell` that gives what is expected."""
        column = self.covariance[:, cell]
        gain = column / (column[cell] + self.noise)
        return replace(self, covariance=self.covariance - gain[:, None] * column[None, :])


def fit_surface(positions: "np.ndarray", cells: Sequence[int], accuracies: Sequence[float]) -> Surface:
    """Return the surface over `positions` [cell, axis], in ranks, from one accuracy for each entry of `cells`.

    The variance of replicates is pooled over the cells; that of a cell's mean is smaller by their number. Raises
    UsageError without scikit-learn, ValueError without an accuracy.
    """
    import numpy as np

    if not len(cells):
        raise ValueError("a surface takes at least one accuracy, got none")
    places, inverse, counts = np.unique(np.asarray(cells), return_inverse=True, return_counts=True)
    logits = to_logit(np.bincount(inverse, weights=np.asarray(accuracies, dtype=float)) / counts)
    noise = _pooled_variance(to_logit(accuracies), inverse, counts)
    centre = float(logits.mean())
    process = _fit_process(positions, places, logits - centre, variance=noise / counts)

    def predict(at: "np.ndarray") -> tuple["np.ndarray", "np.ndarray"]:
        mean, sd = process.predict(at, return_std=True)
        return mean + centre, sd

    mean, covariance = process.predict(positions, return_cov=True)
    return Surface(mean + centre, covariance, noise, predict)


def _pooled_variance(logits: "np.ndarray", cell: "np.ndarray", counts: "np.ndarray") -> float:
    """Return the variance of replicates around the mean of their `cell`, drawn to PRIOR_NOISE where they are few."""
    import numpy as np

    means = np.bincount(cell, weights=logits) / counts
    squares = float(((logits - means[cell]) ** 2).sum()) + PRIOR_WEIGHT * PRIOR_NOISE**2
    return squares / (float((counts - 1).sum()) + PRIOR_WEIGHT)


def _fit_process(positions: "np.ndarray", places: "np.ndarray", logits: "np.ndarray", *, variance: Any) -> Any:
    """Return the process of scikit-learn, fitted to the `logits`, each with its `variance`, of the cells `places`."""
    import warnings

    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern
    except ImportError:
        raise UsageError('a boundary needs scikit-learn, which is missing; pip install "lrsym[refine]"') from None
    extent = positions.max(axis=0) - positions.min(axis=0)
    longest = (MAX_LENGTH * extent).clip(min=2 * MIN_LENGTH)
    kernel = ConstantKernel(4.0, (_AMPLITUDE[0] ** 2, _AMPLITUDE[1] ** 2)) * Matern(
        (longest * MIN_LENGTH) ** 0.5, [(MIN_LENGTH, length) for length in longest], nu=2.5
    )
    some = slice(None, None, ceil(len(places) / MAX_FITTED))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound is as meant
        fitted = GaussianProcessRegressor(kernel, alpha=variance[some]).fit(positions[places[some]], logits[some])
    if len(places) <= MAX_FITTED:
        return fitted
    fixed = fitted.set_params(kernel=fitted.kernel_, alpha=variance, optimizer=None)
    return fixed.fit(positions[places], logits)
