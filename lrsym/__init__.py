"""Sweeps of CLIP-style models that learn 'left of': train a grid of trials, read the rows, draw the phases.

The names below are the Python interface. Each is imported when it is first used, so that `import lrsym` costs nothing
and reading needs no torch; `load_weights` alone does.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrsym.results.plots.phase_diagram import plot_phase
    from lrsym.results.store.query import query
    from lrsym.results.store.store import load, load_trials
    from lrsym.sweep.execution.weights import load_weights
    from lrsym.sweep.spec.sweep_file import load as load_sweep

    __version__: str

__all__ = ["__version__", "load", "load_sweep", "load_trials", "load_weights", "plot_phase", "query"]

_SOURCES = {
    "load": "lrsym.results.store.store:load",
    "load_sweep": "lrsym.sweep.spec.sweep_file:load",
    "load_trials": "lrsym.results.store.store:load_trials",
    "load_weights": "lrsym.sweep.execution.weights:load_weights",
    "plot_phase": "lrsym.results.plots.phase_diagram:plot_phase",
    "query": "lrsym.results.store.query:query",
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
