"""Sweeps of CLIP-style models that learn 'left of': train a grid of trials, read the rows, draw the phases.

The names below are the Python interface, docs/python.md lists them. Each is imported when it is first used, so that
`import lrsym` costs nothing and reading needs no torch; `load_weights` alone does.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrsym.api.boundaries import boundary, phase_probabilities, plot_boundary, plot_probabilities, plot_refined
    from lrsym.api.exchange import export, import_trials
    from lrsym.api.page import report
    from lrsym.api.pictures import (
        plot_ablation,
        plot_contrast,
        plot_cost,
        plot_curves,
        plot_line,
        plot_mechanism,
        plot_onset,
        plot_phase,
        plot_profile,
        plot_search,
        plot_symmetry,
        save,
    )
    from lrsym.api.reading import best, claims, contrast, load, load_trials, query, seeds_until, status
    from lrsym.api.training import plan, refine, run_sweep
    from lrsym.api.verification import verify
    from lrsym.config.trial import Trial
    from lrsym.errors import UsageError
    from lrsym.sweep.execution.weights import load_weights
    from lrsym.sweep.spec.sweep import Sweep
    from lrsym.sweep.spec.sweep_file import load_any as load_sweep

    __version__: str

__all__ = [
    "Sweep", "Trial", "UsageError", "__version__", "best", "boundary", "claims", "contrast", "export",
    "import_trials", "load", "load_sweep", "load_trials", "load_weights", "phase_probabilities", "plan",
    "plot_ablation", "plot_boundary", "plot_contrast", "plot_cost", "plot_curves", "plot_line", "plot_mechanism",
    "plot_onset", "plot_phase", "plot_probabilities", "plot_profile", "plot_refined", "plot_search", "plot_symmetry",
    "query", "refine", "report", "run_sweep", "save", "seeds_until", "status", "verify",
]  # fmt: skip

_SOURCES = {
    "Sweep": "lrsym.sweep.spec.sweep:Sweep",
    "Trial": "lrsym.config.trial:Trial",
    "UsageError": "lrsym.errors:UsageError",
    "load_sweep": "lrsym.sweep.spec.sweep_file:load_any",
    "load_weights": "lrsym.sweep.execution.weights:load_weights",
    **{
        name: f"lrsym.api.reading:{name}"
        for name in ("best", "claims", "contrast", "load", "load_trials", "query", "seeds_until", "status")
    },
    **{name: f"lrsym.api.training:{name}" for name in ("plan", "refine", "run_sweep")},
    "verify": "lrsym.api.verification:verify",
    "report": "lrsym.api.page:report",
    **{name: f"lrsym.api.exchange:{name}" for name in ("export", "import_trials")},
    **{name: f"lrsym.api.pictures:{name}" for name in __all__ if name.startswith("plot_") or name == "save"},
    **{
        name: f"lrsym.api.boundaries:{name}"
        for name in ("boundary", "phase_probabilities", "plot_boundary", "plot_probabilities", "plot_refined")
    },
}
"""Module and name there of each public function."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("lrsym")
    if name not in _SOURCES:
        raise AttributeError(f"module lrsym has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _SOURCES[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
