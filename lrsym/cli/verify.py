"""The verb `lrsym verify`: whether finished trials give their rows again."""

from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.environments import environments_in_words
from lrsym.cli.errors import FAILED, stopped_code
from lrsym.cli.options import RESULTS, Device, File, Json, Quiet, Results, Set, Tolerance, Where, Workers, number
from lrsym.cli.output import Output
from lrsym.errors import counted
from lrsym.vocabulary import DEFAULT_TOLERANCE

if TYPE_CHECKING:
    from lrsym.sweep.verify import Sample, Verification

MAX_LISTED = 10
"""Trials that drifted and are told one by one; more of them say no more."""

SampleSize = Annotated[int, number("sample", help="Trials to train again, drawn at random, in whole packs.")]
Seed = Annotated[int, number("seed", help="Draws another sample.")]
Pack = Annotated[
    str, number("pack", help="Number of trials to train together; auto is the packs that they were trained in.")
]


def verify(
    file: File,
    set_: Set = None,
    results: Results = RESULTS,
    sample: SampleSize = 20,
    seed: Seed = 0,
    tolerance: Tolerance = DEFAULT_TOLERANCE,
    where: Where = None,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train some finished trials again, in a folder of their own, and say whether they give their rows again."""
    from lrsym.api.arguments import as_grid
    from lrsym.api.verification import verify_sample

    output = Output(as_json=json, quiet=quiet)
    drawn, found = verify_sample(
        as_grid(file, results, set_ or ()), results, sample=sample, seed=seed, tolerance=tolerance, where=where,
        workers=workers, pack=pack, device=device, display=output.display,
    )  # fmt: skip
    output.result(_as_data(drawn, found, tolerance), _in_words(drawn, found, tolerance))
    if found.outcome.stopped_by and found.outcome.interrupted:
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
        lines.append(f"stopped with {counted(drawn.packs.n_trials - n, 'trial')} left")
    return lines


def _row_in_words(row: dict[str, object]) -> str:
    if row["status_before"] != row["status_after"]:
        return f"  {row['trial_id']}: {row['status_before']} before, {row['status_after']} now"
    values = f"{row['value_before']:.4f} before, {row['value_after']:.4f} now"
    return f"  {row['trial_id']}: {row['metric']} {values}, at step {row['step']}"
