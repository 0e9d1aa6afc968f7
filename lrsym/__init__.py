"""Sweeps of CLIP-style models that learn 'left of': train a grid of trials, read the rows, draw the phases.

`load_trials`, `load_sweep`, `plot_phase` and `load_weights` are the Python interface; they are imported when first
used, so that `import lrsym` costs nothing. `load_weights` alone needs torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrsym.results.plots.phase_diagram import plot_phase
    from lrsym.results.store.store import load, load_trials
    from lrsym.sweep.execution.weights import load_weights
    from lrsym.sweep.spec.sweep_file import load as load_sweep

__all__ = ["load", "load_sweep", "load_trials", "load_weights", "plot_phase"]


def __getattr__(name: str) -> Any:
    if name == "plot_phase":
        from lrsym.results.plots import phase_diagram as module
    elif name in ("load", "load_trials"):
        from lrsym.results.store import store as module
    elif name == "load_sweep":
        from lrsym.sweep.spec.sweep_file import load as load_sweep

        return load_sweep
    elif name == "load_weights":
        from lrsym.sweep.execution import weights as module
    else:
        raise AttributeError(f"module lrsym has no attribute {name!r}")
    return getattr(module, name)
