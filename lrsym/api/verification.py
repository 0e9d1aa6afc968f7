"""Train finished trials again from Python, as `lrsym verify`."""

from pathlib import Path
from typing import TYPE_CHECKING

from lrsym.api.arguments import AnySweep, Count, as_grid, as_trained_folder, make_settings, with_one_error
from lrsym.api.training import require_main_process, show_progress
from lrsym.errors import UsageError
from lrsym.results.analysis.drift import DEFAULT_TOLERANCE
from lrsym.results.store.store import Store

if TYPE_CHECKING:
    import polars as pl


@with_one_error
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
    from lrsym.sweep import verify as verifying

    require_main_process("verify")
    for name, value, least, most in (("sample", sample, 1, None), ("tolerance", tolerance, 0, 1)):
        if isinstance(value, bool) or not value >= least or (most is not None and value > most):
            bounds = f"from {least} on" if most is None else f"from {least} to {most}"
            raise UsageError(f"{name} must be a number {bounds}, got {value!r}")
    root = as_trained_folder(results)
    settings = make_settings(
        workers=workers, pack=pack, device=device, engine="local", no_pilot=True, max_core_hours=None,
        max_gpu_hours=None,
    )  # fmt: skip
    store = Store(root)
    drawn = verifying.draw_sample(
        as_grid(sweep, root), store, n=sample, seed=seed, where=where, pack_size=settings.pack_size
    )
    found = verifying.verify(drawn, store, settings, tolerance=tolerance, display=show_progress)
    if found.outcome.stopped_by:
        raise KeyboardInterrupt
    return found.compared
