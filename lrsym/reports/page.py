"""The page of one or several sweeps: one HTML document that needs no network, with every cell to be looked into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from lrsym.errors import UsageError
from lrsym.reports import origin
from lrsym.reports.cells import fewer_metrics
from lrsym.reports.charts import specifications
from lrsym.reports.details import Details, read_details
from lrsym.reports.fitting import fit
from lrsym.reports.payload import MAX_TRIALS, encode, essential, sweep_parts
from lrsym.reports.planned import Planned, part_of
from lrsym.reports.verdicts import Verdict, read_verdicts
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.pages.render import render
from lrsym.results.plots.curves import SPLIT_COLOURS
from lrsym.results.plots.embedding import drawing_scripts
from lrsym.results.plots.mechanism_map import PATH_COLOURS
from lrsym.results.plots.palette import check_theme, colour_in, is_dark, recoloured
from lrsym.results.plots.phase_shown import PHASE_COLOURS
from lrsym.results.plots.sweep_rows import read_trials
from lrsym.results.store.store import load
from lrsym.sweep.execution.sweep_status import SweepStatus, sweep_status
from lrsym.sweep.planning.cost import two_digits
from lrsym.sweep.spec.sweep import Sweep, command
from lrsym.vocabulary import CHANCE, METRICS, PATHS, PHASE_METRIC, PHASE_THRESHOLD, PHASES, SPLITS

COUNTED = ("trial_id", "seed", "status", "message", "stop_rule", "run_id", "finished_at", "seconds", "path")
"""Columns that a page is made of besides accuracies and rows."""


@dataclass(frozen=True)
class SweepReport:
    """What the page says of one sweep; `trials` are its rows with the column cell."""

    sweep: Sweep
    planned: Planned
    trials: pl.DataFrame
    status: SweepStatus
    details: Details
    failures: pl.DataFrame
    sources: pl.DataFrame
    seconds: dict[str, float] | None
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class Page:
    """The page as HTML, and what does not fit on it, in sentences."""

    html: str
    left_out: tuple[str, ...]


def make_page(
    sweeps: Sequence[Sweep],
    root: str,
    *,
    metric: str = PHASE_METRIC,
    threshold: float = PHASE_THRESHOLD,
    claims: Path | None = None,
    where: str | None = None,
    command: str = "",
    theme: str = "light",
) -> Page:
    """Return the page of `sweeps` on the rows of the store at `root`; `command` makes it again.

    `metric` is the accuracy that its maps show first, `threshold` that of the phases; with `claims`, a claims file, its
    verdicts on these sweeps stand there too, of all their trials. `where`, an SQL condition on axes, keeps whole cells
    or seeds; `theme` is light or dark. Raises UsageError for a metric that is none, for sweeps of one name, for a
    sweep without rows, for a condition that keeps others, for another theme, and as `read_verdicts`.
    """
    split_and_metric(metric)
    check_theme(theme)
    names = [sweep.name for sweep in sweeps]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"sweeps on one page must differ in their names, got {twice} twice; leave one out")
    verdicts = {} if claims is None else read_verdicts(claims, sweeps, root)
    parts_of = sweeps if where is None else [part_of(sweep, where) for sweep in sweeps]
    reports = [_read(sweep, root, metric, tuple(verdicts.get(sweep.name, ()))) for sweep in parts_of]
    data = {
        "charts": specifications(theme),
        "chance": CHANCE,
        "splits": recoloured(SPLIT_COLOURS, theme),
        "phases": _classes(PHASES, PHASE_COLOURS, theme),
        "paths": _classes(PATHS, PATH_COLOURS, theme),
    }
    parts, left_out = fit(
        [
            sweep_parts(one.planned, one.trials, one.details, metric=metric, threshold=threshold, seeds=one.sweep.seeds)
            for one in reports
        ],
        [partial(essential, planned=one.planned, metric=metric) for one in reports],
    )
    told = [
        [*fewer_metrics(one.trials, metric=metric, n_cells=one.planned.cells.height), *one.details.left_out, *texts]
        for one, texts in zip(reports, left_out, strict=True)
    ]
    html = render(
        "reports/page.html",
        theme=theme,
        title=f"Sweep {names[0]}" if len(names) == 1 else f"Sweeps {', '.join(names)}",
        sections=[_section(*one, root) for one in zip(reports, parts, told, strict=True)],
        claims=claims and str(claims),
        where=where,
        metric=metric,
        threshold=threshold,
        results=root,
        command=command,
        version=version("lrsym"),
        number=two_digits,
        vega=drawing_scripts(),
        data=encode(data),
    )
    return Page(html, tuple(f"{name}: {text}" for name, texts in zip(names, told, strict=True) for text in texts))


def _classes(about: Mapping[str, str], colours: Mapping[str, str], theme: str) -> list[dict[str, Any]]:
    """Return name, sentence and colour of each class, and whether a text on it is a light one."""
    own = {name: colour_in(theme, colours[name]) for name in about}
    return [{"name": name, "about": about[name], "colour": own[name], "dark": is_dark(own[name])} for name in about]


def _read(sweep: Sweep, root: str, metric: str, verdicts: tuple[Verdict, ...]) -> SweepReport:
    planned = Planned.of(sweep)
    trials = _read_rows(sweep, root).join(planned.trials, on="trial_id")
    return SweepReport(
        sweep=sweep,
        planned=planned,
        trials=trials,
        status=sweep_status(sweep, root),
        details=read_details(root, trials, accuracy=split_and_metric(metric)[1]),
        failures=origin.failures(trials),
        sources=origin.sources(root, trials),
        seconds=origin.seconds(trials),
        verdicts=verdicts,
    )


def _read_rows(sweep: Sweep, root: str) -> pl.DataFrame:
    """Return the rows of `sweep`; of very many trials only the columns that are counted, as no row is carried."""
    if len(sweep) > MAX_TRIALS:
        accuracies = [f"{split}_{metric}" for split in SPLITS for metric in METRICS]
        counted = load(root, "trials", trial_ids=sweep.trial_ids()).select(*COUNTED, *accuracies).collect()
        if not counted.is_empty():
            return counted
    return read_trials([sweep], root)[0]


def _section(report: SweepReport, parts: dict[str, str], left_out: list[str], root: str) -> dict[str, Any]:
    """Return what the template says of one sweep, which carries `parts`."""
    sweep, status = report.sweep, report.status
    file = Path(sweep.source)
    counts = {**status.statuses, "missing": status.missing}
    return {
        "name": sweep.name,
        "question": sweep.head.question,
        "cost": sweep.head.cost,
        "n_cells": len(sweep.cells),
        "replicates": sweep.replicates,
        "status": status,
        "counts": {name: n for name, n in counts.items() if n},
        "stopped": status.stopped,
        "seconds": report.seconds,
        "failures": report.failures.to_dicts(),
        "sources": report.sources.to_dicts(),
        "verdicts": report.verdicts,
        "left_out": left_out,
        "parts": parts,
        "train": sweep.command("sweep", root),
        "explain": command("explain", "TRIAL_ID", root),
        "changes": sweep.changes,
        "file": file.name if file.is_file() else "",
        "text": file.read_text(errors="replace") if file.is_file() else "",
    }
