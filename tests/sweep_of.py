"""Sweeps and packs of given trials. Loads no torch."""

from types import SimpleNamespace

from lrsym.sweep.planning.pack import Pack


def sweep_of(trials, *, name="small"):
    """A sweep of these trials, each a cell of its own."""
    return SimpleNamespace(name=name, trials=trials, replicates=1)


def pack_of(*trials, completed=0.0):
    """A pack of these trials."""
    return Pack(tuple(trials), completed)
