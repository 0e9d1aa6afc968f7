"""Claims: sentences about the tables, each with an estimate, an interval and a verdict. Knows no torch and no Ray."""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """This package, which can be called: the import of any of its modules puts it in place of `lrsym.claims`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return what the function of that name in the Python interface returns."""
        import lrsym

        return lrsym.__getattr__("claims")(*args, **options)


sys.modules[__name__].__class__ = _Room
