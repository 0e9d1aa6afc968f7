"""The Ray engine: `engine` runs the packs, `connection` finds or starts a Ray. Only here is Ray imported."""

from importlib import import_module

from lrsym.sweep.workers.processes import environment

with environment({}):  # Ray leaves a variable there when it is imported
    import_module("ray")
