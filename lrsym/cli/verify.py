"""The verb `lrsym verify`: whether finished trials give their rows again."""

from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.environments import environments_in_words
from lrsym.cli.errors import FAILED, stopped_code
from lrsym.cli.options import (
    RESULTS,
    Device,
    File,
    Json,
    Quiet,
    Results,
    Set,
    Tolerance,
    Where,
    Workers,
    check_tolerance,
    load_sweep,
    resolve,
)
from lrsym.cli.output import Output
from lrsym.errors import UsageError

if TYPE_CHECKING:
    from lrsym.sweep.verify import Sample, Verification

MAX_LISTED = 10
"""Trials that drifted and are told one by one; more of them say no more."""

SampleSize = Annotated[int, typer.Option("--sample", help="Trials to train again, drawn at random, in whole packs.")]
Seed = Annotated[int, typer.Option(help="Draws another sample.")]
Pack = Annotated[
    str, typer.Option("--pack", help="Number of trials to train together; auto is the packs that they were trained in.")
]


def verify(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    sample: SampleSize = 20,
    seed: Seed = 0,
    tolerance: Tolerance = None,
    where: Where = None,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train some finished trials again, in a folder of their own, and say whether they give their rows again."""
    from lrsym.results.store.store import Store
    from lrsym.sweep import verify as verifying

    if sample < 1:
        raise UsageError(f"--sample must be a number of trials from 1 on, got {sample}; write for example --sample 20")
    limit = check_tolerance(tolerance)
    sweep, store, output = load_sweep(file, results, set_), Store(results), Output(as_json=json, quiet=quiet)
    settings = resolve(engine="local", device=device, workers=workers, pack=pack, pilot=False)
    drawn = verifying.draw_sample(sweep, store, n=sample, seed=seed, where=where, pack_size=settings.pack_size)
    found = verifying.verify(drawn, store, settings, tolerance=limit, display=output.display)
    output.result(_as_data(drawn, found, limit), _in_words(drawn, found, limit))
    if found.outcome.stopped_by:
        raise typer.Exit(stopped_code(found.outcome.stopped_by))
    if not found.reproduced:
        raise typer.Exit(FAILED)


def _as_data(drawn: "Sample", found: "Verification", tolerance: float) -> dict[str, object]:
    from lrsym.results.analysis.drift import environments

    return {
        "sweep": drawn.sweep, "finished": drawn.finished, "trials": found.compared.height, "tolerance": tolerance,
        "counts": dict(found.counts), "reproduced": found.reproduced, "interrupted": found.outcome.interrupted,
        "environments": environments(found.compared).to_dicts(), "compared": found.compared.to_dicts(),
    }  # fmt: skip


def _in_words(drawn: "Sample", found: "Verification", tolerance: float) -> list[str]:
    from lrsym.vocabulary import AGREEMENTS

    n, counts = found.compared.height, found.counts
    listed = ", ".join(f"{counts[name]} {name}" for name in AGREEMENTS)
    lines = [f"{drawn.sweep}: {n} of {drawn.finished} finished trials trained again: {listed} ({tolerance:g})"]
    lines += environments_in_words(found.compared)
    odd = found.compared.filter(found.compared["agreement"].is_in(["drifted", "failed"]))
    lines += [_row_in_words(row) for row in odd.head(MAX_LISTED).iter_rows(named=True)]
    if odd.height > MAX_LISTED:
        lines.append(f"  and {odd.height - MAX_LISTED} more")
    if found.outcome.interrupted:
        lines.append(f"stopped with {drawn.packs.n_trials - n} trials left")
    return lines


def _row_in_words(row: dict[str, object]) -> str:
    if row["status_before"] != row["status_after"]:
        return f"  {row['trial_id']}: {row['status_before']} before, {row['status_after']} now"
    values = f"{row['value_before']:.4f} before, {row['value_after']:.4f} now"
    return f"  {row['trial_id']}: {row['metric']} {values}, at step {row['step']}"
