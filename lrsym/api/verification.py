"""Train finished trials again from Python, as `lrsym verify`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lrsym.api.arguments import AnySweep, as_grid, as_trained_folder
from lrsym.api.execution import Count, make_settings
from lrsym.api.training import require_main_process, show_progress
from lrsym.results.store.store import Store
from lrsym.sweep import verify as verifying
from lrsym.vocabulary import DEFAULT_TOLERANCE

if TYPE_CHECKING:
    import polars as pl

    from lrsym.sweep.execution.progress import Display
    from lrsym.sweep.planning.packing import PackList


def verify(
    sweep: AnySweep,
    results: str | Path = "results",
    *,
    sample: int = 20,
    seed: int = 0,
    tolerance: float = DEFAULT_TOLERANCE,
    where: str | None = None,
    workers: Count = None,
    pack: Count = None,
    device: str = "auto",
) -> "pl.DataFrame":
    """Train about `sample` finished trials of `sweep` again, and return a row for each, with its `agreement`.

    As `lrsym verify`, with its options: identical, within tolerance, drifted or failed, the differences, and where it
    was trained before and now. Nothing is written to `results`. Raise UsageError where there are no finished trials;
    after Ctrl-C, KeyboardInterrupt.
    """
    require_main_process("verify")
    _, found = verify_sample(
        sweep, results, sample=sample, seed=seed, tolerance=tolerance, where=where, workers=workers, pack=pack,
        device=device, display=show_progress,
    )  # fmt: skip
    if found.outcome.stopped_by:
        raise KeyboardInterrupt
    return found.compared


def verify_sample(
    sweep: AnySweep,
    results: str | Path,
    *,
    sample: int,
    seed: int,
    tolerance: float,
    where: str | None,
    workers: Count,
    pack: Count,
    device: str,
    display: "Callable[[PackList], Display]",
) -> tuple[verifying.Sample, verifying.Verification]:
    """Return the trials that were drawn, and what training them again gave; arguments and errors as of `verify`."""
    root = as_trained_folder(results)
    settings = make_settings(workers=workers, pack=pack, device=device, engine="local", no_pilot=True)
    grid, store = as_grid(sweep, root), Store(root)
    drawn = verifying.draw_sample(grid, store, n=sample, seed=seed, where=where, pack_size=settings.pack_size)
    return drawn, verifying.verify(drawn, store, settings, tolerance=tolerance, display=display)
