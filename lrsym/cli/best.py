"""The verb `lrsym best`: the best cells of a search, or of a grid by one column."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, File, Json, Results, Set, number
from lrsym.cli.output import Output, command_line
from lrsym.cli.table_text import as_text
from lrsym.errors import counted

if TYPE_CHECKING:
    from lrsym.sweep.search.best import Best, BestCell

Number = Annotated[int, number("n", "-n", help="Cells to show, at most.")]
Metric = Annotated[
    str | None,
    typer.Option(help="Of a grid: the column of trials whose mean is maximised; a search says itself what it seeks."),
]
Write = Annotated[
    Path | None,
    typer.Option(
        help="Write a sweep file that trains the best cell under fresh seeds, such as best.toml.", show_default=False
    ),
]
Minimise = Annotated[bool, typer.Option("--minimise", help="Of a grid: look for the lowest mean.")]


def best(
    file: File,
    set_: Set = None,
    n: Number = 5,
    metric: Metric = None,
    minimise: Minimise = False,
    write: Write = None,
    results: Results = RESULTS,
    json: Json = False,
) -> None:
    """Show the best cells of a search or a grid: mean, 95 % interval, and the lines that train them again."""
    from lrsym.api import reading
    from lrsym.api.arguments import as_sweep

    found = as_sweep(file, set_ or ())
    name, best = found.name, reading.best(found, results, n=n, metric=metric, minimise=minimise)
    data, lines = {"sweep": name, **_as_data(best)}, _in_words(name, best)
    if write is None:
        again = command_line(
            "best", file, results, {"set": set_, "metric": metric, "minimise": minimise, "write": f"{name}-best.toml"}
        )
        lines.append(f"a sweep file that does: {again}")
    else:
        _write_best(write, name, best, results)
        data["written"] = str(write)
        lines.append(f"{write} written, which does: {command_line('sweep', write, results)}")
    Output(as_json=json).result(data, lines)


def _write_best(path: Path, name: str, best: "Best", results: str) -> None:
    """Write a sweep file of the first cell, under seeds that did not choose it."""
    from lrsym.cli.new import write_new
    from lrsym.results.store.store import load_trials
    from lrsym.results.store.trial_row import trial_from_row
    from lrsym.sweep.spec.cell_file import cell_file

    trial = trial_from_row(load_trials(results, trial_ids=best.cells[0].trial_ids).collect().row(0, named=True))
    which = "the best" if (best.n_tied or 1) == 1 else f"one of {best.n_tied} equally good best"
    question = f"does {which} of {best.n_cells} cells of {name} hold under fresh seeds?"
    text = cell_file(trial, path=path, question=question, replicates=best.replicates, first=best.fresh_seed)
    write_new(path, text)


def _as_data(best: "Best") -> dict[str, Any]:
    return {
        "objectives": [{"sql": o.sql, "maximise": o.maximise} for o in best.objectives], "cells": best.n_cells,
        "cells_without_objective": best.n_without, "pareto_front": best.n_front, "tied_first": best.n_tied,
        "replicates": best.replicates, "fresh_seed": best.fresh_seed, "warning": _warning(best),
        "best": [
            {**vars(cell), "estimates": [e and vars(e) for e in cell.estimates], "base": cell.base}
            for cell in best.cells
        ],
    }  # fmt: skip


def _in_words(name: str, best: "Best") -> list[str]:
    import polars as pl

    sought = ", ".join(objective.words for objective in best.objectives)
    without = f"; {best.n_without} without a value are left out" if best.n_without else ""
    front = "" if best.n_front is None else f"Pareto front of {best.n_front} among "
    table = pl.DataFrame([_table_row(best, cell) for cell in best.cells])
    return [
        f"{name}: {sought}; {front}{counted(best.n_cells, 'cell')} of {counted(best.replicates, 'replicate')}{without}",
        as_text(table if any(table["remarks"]) else table.drop("remarks")),
        *_tie(best),
        *(["the first, to paste under [base]:", *best.cells[0].base] if best.cells[0].base else []),
        _warning(best),
    ]


def _tie(best: "Best") -> list[str]:
    if (best.n_tied or 1) == 1:
        return []
    shown = sum(cell.rank == 1 for cell in best.cells)
    part = "" if shown == best.n_tied else f", {shown} of them shown"
    return [f"{best.n_tied} of {best.n_cells} cells tie for the first place{part}: that one stands first says nothing"]


def _warning(best: "Best") -> str:
    if best.n_cells == 1:
        return "There is one cell, so none was chosen."
    told = any(estimate is not None and estimate.low is not None for estimate in best.cells[0].estimates)
    interval = ", and the interval, of the seeds that it was chosen by, leaves that out" if told else ""
    rely = "train it on fresh seeds before you rely on it"
    return f"The best of {best.n_cells} is chosen by its luck too{interval}: {rely}."


def _table_row(best: "Best", cell: "BestCell") -> dict[str, str]:
    marks = [cell.origin] if cell.origin in ("reused", "repeated") else []
    marks += [f"{cell.n_stopped} stopped early"] if cell.n_stopped else []
    marks += [f"{cell.n_diverged} diverged"] if cell.n_diverged else []
    shown = {objective.sql: _value(cell, place) for place, objective in enumerate(best.objectives)}
    axes = {key.rpartition(".")[2]: _short(value) for key, value in cell.point.items()}
    rank = {"rank": str(cell.rank or "-")} if best.n_front is None else {}
    return {**rank, **shown, "n": str(cell.n), **axes, "remarks": ", ".join(marks)}


def _value(cell: "BestCell", place: int) -> str:
    value, estimate = cell.objective[place], cell.estimates[place]
    if estimate is None or estimate.low is None:
        return f"{value:.4g}"
    return f"{value:.4g} ({estimate.low:.4g} to {estimate.high:.4g})"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
