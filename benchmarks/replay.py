"""Trials that refinement needs for the boundary error of a full grid: replayed on grids whose trials are all known.

The error is the share of cells on the wrong side of 0.9. Of made-up surfaces, 3 replicates a cell, the truth is the
expected accuracy; of the committed phase diagram (5) it is the boundary by all rows, and cells that these leave
undecided are left out. Every strategy is read through the same Gaussian process, but `adaptive`, which interpolates. A
number of trials is where the mean error over n seeds is down to that of the full grid; lowest to highest is its 95 %
bootstrap interval over seeds, inf is never in the trials replayed. Of an error they are median and range.
`benchmarks/replay_picture.py` draws the curves.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.figures import Figure
from benchmarks.surfaces import KINDS, LEVEL, NOISES, FullGrid, committed, make_up
from lrsym.results.analysis.surface import Surface, fit_surface, to_logit
from lrsym.sweep.search.next_cells import coarse_start, next_cells

WORKERS = 2
"""Processes that replay, a surface each: figures are counts, not times."""

CURVES = Path(__file__).with_name("replay.parquet")
BATCHES = {"2 axes": 8, "3 axes": 16, "labels_by_layouts": 8}
"""Trials of a batch; another one is always in training while a batch is chosen."""

HORIZONS = {"2 axes": 198, "3 axes": 256, "labels_by_layouts": 198}
BUDGET_SHARE = {"2 axes": 4, "3 axes": 10}
"""One in so many trials of the full grid, after which it is asked whether an island is missed."""

Reading = tuple[int, np.ndarray]
"""After so many trials, which cells are read as above the level."""

Strategy = Callable[..., Iterator[Reading]]


def measure(
    *, seeds: int, grids: Sequence[str] = ("2 axes", "3 axes", "labels_by_layouts"), path: Path = CURVES
) -> list[Figure]:
    """Figures of every surface of every grid; the curves are written to `path`."""
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        curves = pl.concat(pool.map(partial(replay, seeds=seeds), scenes(grids)))
    path.parent.mkdir(parents=True, exist_ok=True)
    curves.write_parquet(path)
    return [
        figure
        for _, rows in curves.group_by("grid", "kind", "noise", maintain_order=True)
        for figure in summarise(rows)
    ]


def scenes(grids: Sequence[str]) -> list[tuple[str, str, float]]:
    """Return grid, kind and noise of each surface."""
    made_up = [(grid, kind, noise) for grid in grids if grid in BUDGET_SHARE for kind in KINDS for noise in NOISES]
    return made_up + [("labels_by_layouts", "committed", 0.0)] * ("labels_by_layouts" in grids)


def replay(scene: tuple[str, str, float], *, seeds: int) -> pl.DataFrame:
    """Return the error after each reading of each strategy, and of the full grid, one seed after the other."""
    grid, kind, noise = scene
    rows = []
    for seed in range(seeds):
        full = committed(seed=seed) if kind == "committed" else make_up(grid, kind, noise, seed=seed)
        for name, strategy in STRATEGIES.items():
            for trials, above in strategy(full, batch=BATCHES[grid], horizon=HORIZONS[grid], seed=seed):
                missed = full.misread(above, among=full.island) > 0.5
                rows.append([grid, kind, noise, name, seed, trials, full.misread(above), missed])
    names = ["grid", "kind", "noise", "strategy", "seed", "trials", "error", "missed"]
    return pl.DataFrame(rows, schema=names, orient="row")


def refine(full: FullGrid, *, batch: int, horizon: int, seed: int) -> Iterator[Reading]:
    """Yield readings of refinement, from the end of its coarse start on."""
    replicates = full.accuracies.shape[1]
    coarse = coarse_start(full.ranks, replicates=replicates)
    given: list[int] = []
    surface, n_known = None, 0
    while n_known < horizon:
        while len(given) < min(n_known + 2 * batch, full.accuracies.size):
            expected = surface
            for cell in given[n_known:]:
                expected = expected and expected.expecting(cell)
            given += coarse[len(given) : len(given) + batch] or next_cells(
                full.ranks, given, expected, level=float(to_logit(LEVEL)), n=batch, replicates=replicates
            )
        n_known = min(n_known + batch, len(given))
        surface = _fit(full, given[:n_known])
        if n_known >= len(coarse):
            yield n_known, surface.mean >= to_logit(LEVEL)


def random_order(full: FullGrid, *, batch: int, horizon: int, seed: int) -> Iterator[Reading]:
    """Yield readings of trials in random order."""
    cells = np.repeat(np.arange(len(full.ranks)), full.accuracies.shape[1])
    order = np.random.default_rng(seed).permutation(cells).tolist()
    for n in range(4 * batch, horizon + 1, 2 * batch):
        yield n, _fit(full, order[:n]).mean >= to_logit(LEVEL)


def full_grid(full: FullGrid, *, batch: int, horizon: int, seed: int) -> Iterator[Reading]:
    """Yield the one reading of the full grid: the mean of each cell."""
    yield full.accuracies.size, full.accuracies.mean(axis=1) >= LEVEL


def smoothed_grid(full: FullGrid, *, batch: int, horizon: int, seed: int) -> Iterator[Reading]:
    """Yield the one reading of the full grid through the same process."""
    cells = np.repeat(np.arange(len(full.ranks)), full.accuracies.shape[1]).tolist()
    yield full.accuracies.size, _fit(full, cells).mean >= to_logit(LEVEL)


def by_adaptive(full: FullGrid, *, batch: int, horizon: int, seed: int) -> Iterator[Reading]:
    """Yield readings of `adaptive` (PyPI): simplices that the level crosses are divided first, by their volume."""
    from adaptive import LearnerND
    from adaptive.learner.learnerND import uniform_loss
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

    def crossed_first(simplex: Any, values: Any, value_scale: Any) -> float:
        signs = np.sign(values)
        return uniform_loss(simplex, values, value_scale) * (1.0 if signs.min() != signs.max() else 0.1)

    learner = LearnerND(None, [(0, high) for high in full.ranks.max(axis=0)], loss_per_simplex=crossed_first)
    counts, level = np.zeros(len(full.ranks), dtype=int), float(to_logit(LEVEL))
    means = np.cumsum(full.accuracies, axis=1) / np.arange(1, full.accuracies.shape[1] + 1)
    for _ in range(3 * horizon):  # what it asks of a cell with all replicates is answered from them
        (point,), _ = learner.ask(1)
        cell = int(((full.ranks - np.array(point)) ** 2).sum(axis=1).argmin())
        new = counts[cell] < full.accuracies.shape[1]
        counts[cell] += new
        learner.tell(point, float(to_logit(means[cell, counts[cell] - 1])) - level)
        if new and counts.sum() % (2 * batch) == 0:
            cells = np.flatnonzero(counts)
            data = full.ranks[cells], to_logit(means[cells, counts[cells] - 1])
            found = LinearNDInterpolator(*data)(full.ranks)
            near = NearestNDInterpolator(*data)(full.ranks)
            yield int(counts.sum()), np.where(np.isnan(found), near, found) >= level
        if counts.sum() >= horizon:
            return


STRATEGIES: dict[str, Strategy] = {
    "full grid": full_grid, "full grid, smoothed": smoothed_grid, "refine": refine, "random order": random_order,
    "adaptive": by_adaptive,
}  # fmt: skip


def summarise(rows: pl.DataFrame) -> list[Figure]:
    """Return the figures of one surface from its curves."""
    grid, kind, noise = rows.select("grid", "kind", "noise").row(0)
    size = rows.filter(strategy="full grid")["trials"][0]
    name = f"{grid}, {kind}" + (f", noise {noise:g}" if noise else "")
    figures = []
    for target in ("full grid", "full grid, smoothed"):
        errors = rows.filter(strategy=target)["error"].to_numpy()
        figures.append(
            Figure.of(errors.tolist(), benchmark=name, variant=f"error of the {target}", unit="share of cells")
        )
        for strategy in ("refine", "random order", "adaptive"):
            value, low, high = _bootstrapped(rows.filter(strategy=strategy), errors)
            reaches = f"{strategy}, to the error of the {target}"
            figures.append(Figure(name, reaches, value, "trials", low, high, len(errors)))
            if strategy == "refine" and np.isfinite(value):
                times = [size / trials for trials in (value, high, low)]
                fewer = Figure(name, reaches, times[0], "times fewer trials", times[1], times[2], len(errors))
                figures.append(fewer)
    if kind == "island":
        enough = size / BUDGET_SHARE[grid]
        last = rows.filter(pl.col("trials") <= enough, strategy="refine").group_by("seed").agg(pl.col("missed").last())
        missed = last["missed"].cast(pl.Float64).to_list()
        share = sum(missed) / len(missed)
        figures.append(
            Figure(
                name,
                f"refine: islands missed after {enough:.0f} trials",
                share,
                "share of seeds",
                min(missed),
                max(missed),
                len(missed),
            )
        )
    return figures


def _bootstrapped(rows: pl.DataFrame, errors: np.ndarray) -> tuple[float, float, float]:
    """Return the trials after which the mean curve of a strategy is down to the mean of `errors`, and its interval."""
    curves = rows.pivot("trials", index="seed", values="error").drop("seed")
    trials, values = np.array([int(name) for name in curves.columns]), curves.to_numpy().astype(float)
    kept = [i for i in np.argsort(trials) if np.isfinite(values[:, i]).all()]
    trials, values = trials[kept], values[:, kept]

    def reached(seeds: np.ndarray) -> float:
        down = values[seeds].mean(axis=0) <= errors[seeds].mean() + 1e-9
        return float(trials[down.argmax()]) if down.any() else np.inf

    everyone, rng = np.arange(len(values)), np.random.default_rng(0)
    again = [reached(rng.choice(everyone, len(everyone))) for _ in range(400)]
    low, high = np.quantile(again, [0.025, 0.975], method="nearest")
    return reached(everyone), float(low), float(high)


def _fit(full: FullGrid, cells: Sequence[int]) -> Surface:
    """Return the surface after a replicate of each of `cells`, the replicates of a cell in their order."""
    seen: dict[int, int] = {}
    accuracies = []
    for cell in cells:
        accuracies.append(float(full.accuracies[cell, seen.get(cell, 0)]))
        seen[cell] = seen.get(cell, 0) + 1
    return fit_surface(full.ranks, cells, accuracies)
