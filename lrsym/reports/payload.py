"""What a page carries for its script: frames as columns in JSON, rounded, compressed and spelt in letters."""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from lrsym.reports.cells import COUNTS, cell_counts, cell_means, cell_phases, map_metrics
from lrsym.reports.details import Details
from lrsym.reports.planned import CELL, Planned
from lrsym.results.analysis.phases import NESTED
from lrsym.results.plots import theme
from lrsym.vocabulary import CHANCE, METRICS, PATHS, PHASES, SPLITS

DIGITS, DRAWN_DIGITS = 6, 4
"""Significant digits of trials, and of what is only drawn; the store has all of them."""

MAX_TRIALS = 150_000
"""Trials whose rows are encoded at all: of more they could not be small enough, and would take gigabytes on the way."""

_LEVEL = 6
"""Of compression: the highest takes three times as long for a hundredth."""


def encode(value: Any) -> str:
    """Return `value`, as JSON holds it, compressed (gzip) and in letters of base 64: no text in it can end a script."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), _LEVEL, mtime=0)).decode()


def sweep_parts(
    planned: Planned, trials: pl.DataFrame, details: Details, *, metric: str, threshold: float, seeds: range
) -> dict[str, Any]:
    """Return what the views of one sweep show, by part; `trials` are its rows with the column cell."""
    return {
        "map": _map(planned, trials, metric=metric, threshold=threshold, seeds=seeds),
        "trials": _unrepeated(trials.sort(CELL, "seed")) if trials.height <= MAX_TRIALS else None,
        "curves": _series(details.curves, by=("metric", "split")),
        "seed_curves": _series(details.seed_curves, by=("seed", "metric", "split")),
        "ablations": _series(details.ablations, by=("split", "metric")),
        "seed_ablations": _series(details.seed_ablations, by=("seed", "split", "metric")),
        "profiles": _series(details.profiles, by=("term", "seed", "head")),
    }


def essential(trials: dict[str, list[Any]], planned: Planned, *, metric: str) -> dict[str, list[Any]]:
    """Return the columns of the part `trials` that the table of seeds shows, and the axes that vary."""
    accuracy = metric.partition("_")[2]
    kept = {
        "trial_id", CELL, "seed", "status", "message", "stop_rule", *planned.axes, *planned.followers, metric,
        *(f"{split}_{accuracy}" for split in NESTED), f"steps_to_{metric}", "path", "seconds",
    }  # fmt: skip
    return {name: column for name, column in trials.items() if name in kept}


def _map(planned: Planned, trials: pl.DataFrame, *, metric: str, threshold: float, seeds: range) -> dict[str, Any]:
    """Return what the map of the cells shows."""
    counts = cell_counts(trials, planned, replicates=len(seeds))
    means = cell_means(trials, metrics=map_metrics(trials, metric=metric, n_cells=planned.cells.height))
    by_metric = means.partition_by("metric", as_dict=True, include_key=False, maintain_order=True)
    return {
        "metric": metric,
        "seeds": [seeds.start, seeds.stop],
        "axes": [
            {"name": axis, "title": theme.axis_title(axis), "values": planned.values(axis), "at": planned.places(axis)}
            for axis in planned.axes
        ],
        "cells": planned.names(),
        "counts": {name: counts[name].to_list() for name in ("n_trials", *COUNTS)},
        "paths": {name: counts[name].to_list() for name in PATHS},
        "means": {name: {**_about(name), **_columns(frame)} for (name,), frame in by_metric.items()},
        "phases": {
            accuracy: _columns(_phase_numbers(trials, accuracy, threshold=threshold))
            for accuracy in METRICS
            if any(name.endswith(f"_{accuracy}") for (name,) in by_metric)
        },
    }


def _about(metric: str) -> dict[str, Any]:
    """Return what an accuracy such as unseen_order is, in a sentence, and that of guessing."""
    split, _, accuracy = metric.partition("_")
    return {"about": f"{split}: {SPLITS[split]}. {accuracy}: {METRICS[accuracy]}.", "chance": CHANCE.get(accuracy, 0)}


def _phase_numbers(trials: pl.DataFrame, accuracy: str, *, threshold: float) -> pl.DataFrame:
    frame = cell_phases(trials, accuracy=accuracy, threshold=threshold).drop_nulls()
    return frame.with_columns(phase=pl.col("phase").cast(pl.Enum([*PHASES])).to_physical())


def _columns(frame: pl.DataFrame) -> dict[str, list[Any]]:
    """Return the columns of `frame` by name, as JSON holds them."""
    texts = [pl.col(name).dt.to_string("iso:strict") for name, kind in frame.schema.items() if kind.is_temporal()]
    return _rounded(frame, digits=DIGITS).with_columns(texts).to_dict(as_series=False)


def _rounded(frame: pl.DataFrame, *, digits: int) -> pl.DataFrame:
    """Return `frame` with numbers of so many significant digits, and null in place of those that are not finite."""
    floats = [pl.col(name) for name, kind in frame.schema.items() if kind.is_float()]
    return frame.with_columns(pl.when(number.is_finite()).then(number.round_sig_figs(digits)) for number in floats)


def _unrepeated(frame: pl.DataFrame) -> dict[str, list[Any]]:
    """Return the columns that have any value; of one that has the same in every row a list of that one."""
    known = frame.select(name for name in frame.columns if frame[name].null_count() < frame.height)
    columns = _columns(known)
    return {name: values[:1] if known[name].n_unique() == 1 else values for name, values in columns.items()}


def _series(frame: pl.DataFrame | None, *, by: Sequence[str]) -> dict[str, list[Any]] | None:
    """Return a row for each cell and combination of `by`, ascending by cell, with the other columns as lists.

    The rows of `frame` stand in the order of these lists already.
    """
    if frame is None:
        return None
    if "n" in frame.columns and frame["n"].max() == 1:
        frame = frame.drop("lowest", "highest")  # of one seed they say nothing more
    along = [name for name in frame.columns if name not in (CELL, *by)]
    grouped = _rounded(frame, digits=DRAWN_DIGITS).group_by(CELL, *by, maintain_order=True).agg(along)
    return grouped.sort(CELL, maintain_order=True).to_dict(as_series=False)
