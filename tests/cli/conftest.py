"""What tests of several verbs start from."""

import pytest

from tests.running import lrsym
from tests.small_trials import write_sweep


@pytest.fixture(scope="package")
def trained(tmp_path_factory):
    """A sweep of 8 small trials and the results of it, trained once for the tests of this folder."""
    folder = tmp_path_factory.mktemp("trained")
    path = write_sweep(folder, steps=12)
    lrsym("sweep", path, "--results", folder / "results", "--workers", 1, "--pack", 4)
    return path, folder / "results"
