"""Checks of the tests themselves: shapes in signatures are enforced while tests run."""

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

install_import_hook("lrsym.testbed", "beartype.beartype")


def pytest_collection_finish():
    """Spare the collector what the imports left: it stays until the end, and each full collection would visit it."""
    gc.freeze()
