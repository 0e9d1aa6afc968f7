"""Sweeps on one page, from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lrsym.api.arguments import AnySweep, as_file, as_grid, as_trained_folder, with_one_error
from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD


@with_one_error
def report(
    sweeps: AnySweep | Sequence[AnySweep],
    path: str | Path,
    *,
    results: str | Path = "results",
    metric: str = PHASE_METRIC,
    threshold: float = PHASE_THRESHOLD,
    claims: str | Path | None = None,
) -> Path:
    """Write a sweep, or several, on one HTML page that works offline; return its path, which is `path`.

    The page has the state, a map of the cells to click through, failures, cost, origin and data of the rows in the
    folder `results`; its map shows `metric` first, and phases at `threshold`. `claims` is a claims file whose verdicts
    on these sweeps are shown. Raise UsageError where a sweep has no rows, and where the page cannot be written.
    """
    from lrsym.reports.page import make_page
    from lrsym.results.plots.save import write_file

    listed: Sequence[Any] = sweeps if isinstance(sweeps, list | tuple) else [sweeps]
    if not listed:
        raise UsageError("sweeps must be a sweep or a list of sweeps, got an empty list; name a sweep")
    root, file = as_trained_folder(results), as_file(path)
    if file.suffix != ".html":
        raise UsageError(f"path must end in .html, got {file}; write for example {file.stem}.html")
    grids = [as_grid(sweep, root) for sweep in listed]
    page = make_page(grids, root, metric=metric, threshold=threshold, claims=None if claims is None else Path(claims))
    return write_file(file, page.html.encode())
