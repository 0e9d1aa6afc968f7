"""Checks of the tests themselves: shapes in signatures are enforced while tests run."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

install_import_hook("lrsym.testbed", "beartype.beartype")
