"""Rooms that share their name with a verb of the Python interface."""

import sys
from types import ModuleType
from typing import Any


class _CallableRoom(ModuleType):
    """A package that can be called: the import of any of its modules puts it in place of the function of its name."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return what the function of that name in the Python interface returns."""
        import lrsym

        return lrsym.__getattr__(self.__name__.rpartition(".")[2])(*args, **options)


def make_callable(package: str) -> None:
    """Let the package of that name, such as `lrsym.claims`, be called as the function of its name."""
    sys.modules[package].__class__ = _CallableRoom
