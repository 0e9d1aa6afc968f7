"""Sweeps and packs of given trials. Loads no torch."""

from types import SimpleNamespace

from lrsym.sweep.planning.pack import Pack


def sweep_of(trials, *, name="small"):
    """What planning reads of a sweep of these trials, each a cell of its own."""
    return SimpleNamespace(
        name=name,
        trials=trials,
        trial_ids=lambda: [trial.trial_id for trial in trials],
        shape_numbers=lambda: [trial.static_shape for trial in trials],
    )


def pack_of(*trials, completed=0.0):
    """A pack of these trials."""
    return Pack(tuple(trials), completed)
