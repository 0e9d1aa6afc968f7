"""Draw from Python how trials tell order: ablations, profiles, paths, their onset, and left-right symmetry."""

from collections.abc import Sequence
from pathlib import Path

from lrsym.api.drawn import draw_any
from lrsym.api.rows import Rows
from lrsym.results.plots.theme import Chart, in_theme


def plot_ablation(
    trials: Rows,
    *,
    split: str = "unseen",
    results: str | Path = "results",
    where: str | None = None,
    theme: str = "light",
) -> Chart:
    """Return the accuracies on `split` with each score term left out at inference.

    `trials` are a sweep or rows of that table; their ablations are read from the folder `results`. Raise UsageError as
    `plot_phase`.
    """
    return in_theme(draw_any("ablation", trials, results, where, split=split), theme)


def plot_mechanism(
    trials: Rows,
    *,
    x: str | None = None,
    y: str | None = None,
    facet: str | None = None,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
    theme: str = "light",
) -> Chart:
    """Return by which path the seeds of each cell read order on unseen pairs, a panel a facet value.

    `trials`, `results`, `where`, the axes and errors as of `plot_phase`.
    """
    return in_theme(draw_any("mechanism", trials, results, where, x=x, y=y, facet=facet, prefer=prefer), theme)


def plot_onset(
    trials: Rows, *, results: str | Path = "results", where: str | None = None, theme: str = "light"
) -> Chart:
    """Return when order on unseen pairs, attention by side and path come along training, a row of panels a cell.

    `trials` are a sweep or rows of that table, with `eval.mechanism = "points"`; what they have along training is read
    from the folder `results`. Raise UsageError as `plot_phase`.
    """
    return in_theme(draw_any("onset", trials, results, where), theme)


def plot_symmetry(
    trials: Rows,
    *,
    x: str | None = None,
    color: str | None = None,
    prefer: Sequence[str] = (),
    results: str | Path = "results",
    where: str | None = None,
    theme: str = "light",
) -> Chart:
    """Return the moments over seeds of the slope of the position-key terms along `x`, a colour for each size `color`.

    `trials` are a sweep or rows of that table; their terms are read from the folder `results`. `where`, the axes and
    errors as of `plot_phase`.
    """
    return in_theme(draw_any("symmetry", trials, results, where, x=x, color=color, prefer=prefer), theme)


def plot_profile(
    trials: Rows, *, results: str | Path = "results", where: str | None = None, theme: str = "light"
) -> Chart:
    """Return what each head adds to the logit along the pixels, term by term, for trials of one cell.

    `trials` are a sweep or rows of that table; their terms are read from the folder `results`. Raise UsageError as
    `plot_phase`.
    """
    return in_theme(draw_any("profile", trials, results, where), theme)
