"""Checks of the tests themselves: shapes in signatures are enforced while tests run."""

import gc
import glob
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("LRSYM_RESULTS", None)
if not glob.glob("/dev/nvidia*"):
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported, by whatever test is first

from jaxtyping import install_import_hook

install_import_hook("lrsym.testbed", "beartype.beartype")


def pytest_collection_finish():
    """Spare the collector what the imports left: it stays until the end, and each full collection would visit it."""
    gc.freeze()


def pytest_unconfigure():
    """Let the collector have them again: the interpreter's end would tell what Triton's bindings then still hold."""
    gc.unfreeze()
