"""Sweeps on one page, from Python."""

from collections.abc import Sequence
from pathlib import Path

from lrsym.api.arguments import AnySweep, as_file, as_folder, as_grids
from lrsym.errors import UsageError
from lrsym.vocabulary import PHASE_METRIC, PHASE_THRESHOLD


def report(
    sweeps: AnySweep | Sequence[AnySweep],
    path: str | Path,
    *,
    results: str | Path = "results",
    metric: str = PHASE_METRIC,
    threshold: float = PHASE_THRESHOLD,
    claims: str | Path | None = None,
    where: str | None = None,
    theme: str = "light",
) -> Path:
    """Write a sweep, or several, on one HTML page that works offline; return its path, which is `path`.

    The page has the state, a map of the cells to click through, failures, cost, origin and data of the rows in the
    folder `results`; its map shows `metric` first, and phases at `threshold`. `claims` is a claims file whose verdicts
    on these sweeps are shown, `where` an SQL condition on axes that keeps some cells or seeds; `theme` is light or
    dark. Raise UsageError where a sweep has no rows, and where the page cannot be written.
    """
    from lrsym.reports.page import make_page
    from lrsym.results.plots.save import write_file

    root, file = as_folder(results), as_file(path)
    if file.suffix != ".html":
        raise UsageError(f"path must end in .html, got {file}; write for example {file.stem}.html")
    grids = as_grids(sweeps, root)
    about = None if claims is None else Path(claims)
    page = make_page(grids, root, metric=metric, threshold=threshold, claims=about, where=where, theme=theme)
    return write_file(file, page.html.encode())
