"""Sweeps of CLIP-style models that learn 'left of': train a grid of trials, read the rows, draw the phases.

The names below are the Python interface, docs/python.md lists them. Each is imported when it is first used, so that
`import lrsym` costs nothing and reading needs no torch; `load_weights` alone does.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrsym.api.boundaries import boundary, phase_probabilities, plot_boundary, plot_probabilities, plot_refined
    from lrsym.api.exchange import export, import_trials
    from lrsym.api.explanation import explain
    from lrsym.api.mechanism_pictures import plot_ablation, plot_mechanism, plot_onset, plot_profile, plot_symmetry
    from lrsym.api.page import report
    from lrsym.api.pictures import plot_contrast, plot_cost, plot_curves, plot_line, plot_phase, plot_search, save
    from lrsym.api.reading import best, claims, contrast, load, load_trials, query, seeds_until, status
    from lrsym.api.reading import trials_frame as trials_frame  # what the methods of that name call
    from lrsym.api.training import plan, refine, run_sweep
    from lrsym.api.verification import verify
    from lrsym.config.trial import Trial
    from lrsym.errors import UsageError
    from lrsym.sweep.execution.weights import load_weights
    from lrsym.sweep.spec.sweep import Sweep
    from lrsym.sweep.spec.sweep_file import load_any as load_sweep

    __version__: str

__all__ = [
    "Sweep", "Trial", "UsageError", "__version__", "best", "boundary", "claims", "contrast", "explain",
    "export", "import_trials", "load", "load_sweep", "load_trials", "load_weights", "phase_probabilities", "plan",
    "plot_ablation", "plot_boundary", "plot_contrast", "plot_cost", "plot_curves", "plot_line", "plot_mechanism",
    "plot_onset", "plot_phase", "plot_probabilities", "plot_profile", "plot_refined", "plot_search", "plot_symmetry",
    "query", "refine", "report", "run_sweep", "save", "seeds_until", "status", "verify",
]  # fmt: skip

_FUNCTIONS = {
    "reading": ("best", "claims", "contrast", "load", "load_trials", "query", "seeds_until", "status", "trials_frame"),
    "training": ("plan", "refine", "run_sweep"),
    "verification": ("verify",),
    "page": ("report",),
    "explanation": ("explain",),
    "exchange": ("export", "import_trials"),
    "boundaries": ("boundary", "phase_probabilities", "plot_boundary", "plot_probabilities", "plot_refined"),
    "mechanism_pictures": ("plot_ablation", "plot_mechanism", "plot_onset", "plot_profile", "plot_symmetry"),
    "pictures": ("plot_contrast", "plot_cost", "plot_curves", "plot_line", "plot_phase", "plot_search", "save"),
}  # fmt: skip
"""Functions by their module in `lrsym.api`."""

_OTHERS = {
    "Sweep": "lrsym.sweep.spec.sweep:Sweep",
    "Trial": "lrsym.config.trial:Trial",
    "UsageError": "lrsym.errors:UsageError",
    "load_sweep": "lrsym.sweep.spec.sweep_file:load_any",
    "load_weights": "lrsym.sweep.execution.weights:load_weights",
}
"""Module and name there of what lies elsewhere."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("lrsym")
    return _named(name)


@cache
def _named(name: str) -> Any:
    """Return what is shown under `name`. Not kept as an attribute: `claims` and `explain` are rooms as well."""
    if name in _OTHERS:
        module, _, attribute = _OTHERS[name].partition(":")
        shown = getattr(import_module(module), attribute)
        return shown if isinstance(shown, type) else _with_one_error(shown)
    for module, names in _FUNCTIONS.items():
        if name in names:
            return _with_one_error(getattr(import_module(f"lrsym.api.{module}"), name))
    raise AttributeError(f"module lrsym has no attribute {name!r}")


def _with_one_error(function: Any) -> Any:
    from lrsym.api.arguments import with_one_error

    return with_one_error(function)


def __dir__() -> list[str]:
    return __all__
