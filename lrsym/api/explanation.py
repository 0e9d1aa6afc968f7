"""One trial taken apart on a page, from Python; which trial of a sweep that is."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lrsym.api.arguments import AnySweep, as_file, as_folder, as_grid
from lrsym.config.trial import Trial
from lrsym.errors import UsageError, counted
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep

if TYPE_CHECKING:
    from lrsym.explain.frames import Explanation

Report = Callable[[float], None]
"""What is told the fraction of steps that are done where a trial is trained again."""


@dataclass(frozen=True)
class Chosen:
    """A done trial, its `row` of the table trials, what the page is called, and in a sentence why it is this one."""

    trial: Trial
    row: pl.DataFrame
    heading: str
    sentence: str


def explain(
    trial: AnySweep | Trial,
    path: str | Path,
    *,
    results: str | Path = "results",
    where: str | None = None,
    best: str | None = None,
    minimise: bool = False,
    theme: str = "light",
    device: str = "auto",
) -> Path:
    """Write one trial on one HTML page that works offline, as `lrsym explain`, and as PNG beside it; return its path.

    `trial` is a Trial, a trial_id or its first digits, or a sweep, of whose done trials in the folder `results` that
    meet the SQL condition `where` the one with the highest (lowest, if `minimise`) value in the column `best` is taken.
    Where its weights were not kept it is trained again on `device`, and they are kept. Raise UsageError where there is
    no such trial, or none that is a model of two encoders, and where the page cannot be written.
    """
    from lrsym.api.execution import make_settings
    from lrsym.explain.page import save_page
    from lrsym.results.plots.palette import check_theme
    from lrsym.results.plots.save import prove_file

    check_theme(theme)
    root, file = as_folder(results), as_file(path)
    if file.suffix != ".html":
        raise UsageError(f"path must end in .html, got {file}; write for example {file.stem}.html")
    settings = make_settings(engine="local", device=device, workers=1, pack=1)
    chosen = choose_trial(trial, root, where=where, best=best, minimise=minimise)
    prove_file(file)
    warn = partial(warnings.warn, stacklevel=3)
    explanation = take_apart(chosen, root, device=settings.device, report=lambda fraction: None, on_message=warn)
    page, _ = save_page(explanation, file, heading=chosen.heading, sentence=chosen.sentence, theme=theme)
    return page


def take_apart(
    chosen: Chosen, root: str, *, device: str, report: Report, on_message: Callable[[str], None]
) -> "Explanation":
    """Return everything that the page of the trial shows; it is trained again where its weights were not kept."""
    import torch

    from lrsym.explain import compute
    from lrsym.sweep.execution.retrain import trained_model

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker
    try:
        model = trained_model(root, chosen.trial, device=device, report=report, on_message=on_message)
        return compute.explain(model, chosen.row)
    finally:
        torch.set_num_threads(threads)


def choose_trial(
    asked: AnySweep | Trial,
    results: str,
    *,
    where: str | None = None,
    best: str | None = None,
    minimise: bool = False,
    changes: Sequence[str] = (),
) -> Chosen:
    """Return the trial that is asked for, as `explain`, `changes` being to the file of a sweep.

    Raise UsageError where it is not to be explained, before anything is trained.
    """
    from lrsym.explain.compute import check_kind

    if isinstance(asked, Sweep | Search | Path) or (isinstance(asked, str) and asked.lower().endswith(".toml")):
        chosen = _of_sweep(as_grid(asked, results, changes), results, where=where, best=best, minimise=minimise)
    else:
        given = {"--where": where, "--best": best, "--minimise": minimise, "--set": changes}
        if wrong := [option for option, value in given.items() if value]:
            raise UsageError(f"{wrong[0]} chooses among the trials of a sweep, one trial is named; leave it out")
        chosen = _named(asked, results)
    check_kind(chosen.trial)
    return chosen


def _named(asked: object, results: str) -> Chosen:
    from lrsym.results.store.lookup import find_trial

    if not isinstance(asked, Trial | str):
        raise UsageError(f"trial must be a Trial, a trial_id or a sweep, got {type(asked).__name__}")
    trial, row = find_trial(results, asked.trial_id if isinstance(asked, Trial) else asked)
    return Chosen(trial, row, _heading(row), f"Trial {trial.trial_id}.")


def _heading(row: pl.DataFrame, axes: Sequence[str] = ()) -> str:
    """Return the configuration of a trial: its values on `axes`, or where it differs from the defaults; its seed."""
    from lrsym.explain.sections import changed_axes
    from lrsym.results.plots.theme import format_cell

    changed = {key.rpartition(".")[2]: value for key, value in changed_axes(row).items()}
    values = {axis: row[axis].item() for axis in axes} or changed
    left = len(values) - _MAX_NAMED
    more = f", and {left} more {'axis' if left == 1 else 'axes'}" if left > 0 else ""
    shown = dict([*values.items()][:_MAX_NAMED])
    return f"{format_cell(shown) or 'the defaults'}{more}, seed {row['seed'].item()}"


_MAX_NAMED = 6
"""Axes that a heading names."""


def _of_sweep(sweep: Sweep, results: str, *, where: str | None, best: str | None, minimise: bool) -> Chosen:
    from lrsym.results.analysis.varied_axes import axis_groups
    from lrsym.results.plots.sweep_rows import SweepRows
    from lrsym.results.store.place import require_results
    from lrsym.results.store.trial_row import trial_from_row

    require_results(results)
    rows = SweepRows(sweep, results, where)
    if rows.trials.is_empty():
        raise UsageError(rows.why_nothing("trials"))
    those = "" if where is None else f" where {where}"
    done = rows.trials.filter(status="done")
    if done.is_empty():
        statuses = ", ".join(sorted({*rows.trials["status"]}))
        raise UsageError(
            f"no trial of {sweep.name} in {results}{those} is done, so there is no trained model to explain; "
            f"they are {statuses}"
        )
    row, why = _best(done, sweep.name, best, minimise=minimise)
    trial = trial_from_row(row.row(0, named=True))
    axes = [axis for axis in dict.fromkeys([*rows.prefer, *axis_groups(rows.stored)]) if axis in row.columns]
    return Chosen(trial, row, _heading(row, axes), f"Trial {trial.trial_id} of {sweep.name}, {why}{those}.")


def _best(done: pl.DataFrame, name: str, best: str | None, *, minimise: bool) -> tuple[pl.DataFrame, str]:
    """Return the row of the best trial among `done`, and why it is that one."""
    from lrsym.sweep.search.objective import wrong_column

    if best is None:
        if minimise:
            raise UsageError("--minimise goes with --best, which names a column of trials; add it")
        if done.height > 1:
            raise UsageError(
                f"one trial is explained, {name} has {counted(done.height, 'done trial')} here; choose one with "
                "--best unseen_order, or with --where"
            )
        return done, "the only one that is done"
    if message := wrong_column(best):
        raise UsageError(f"--best must name a column of numbers, {message}")
    value = pl.col(best).cast(pl.Float64)
    with_value = done.filter(value.is_not_null() & value.is_finite()).sort("trial_id")
    if with_value.is_empty():
        raise UsageError(f"no done trial of {name} here has a {best}; choose by another column with --best")
    top = with_value[best].cast(pl.Float64).min() if minimise else with_value[best].cast(pl.Float64).max()
    assert isinstance(top, float)
    tied = with_value.filter(value == top)
    equal = "" if tied.height == 1 else f" (the first of {tied.height} with it)"
    shown = f"{top:,.0f}" if top == round(top) else f"{top:.4g}"
    which = "lowest" if minimise else "highest"
    return tied.head(1), f"{best} {shown} in its row{equal}, the {which} of {counted(with_value.height, 'done trial')}"
