"""What tests of exports start from: a sweep whose rows are made up, one of its trials crashed."""

import pytest

from tests.reports import made_up


@pytest.fixture
def made(tmp_path):
    """A sweep of 4 cells and 2 seeds, and the folder of its rows."""
    found = made_up.sweep(seeds=2)
    crashed = found.trials[3].trial_id
    made_up.write(
        tmp_path / "r",
        found.trials,
        status=lambda trial: "crashed" if trial.trial_id == crashed else "done",
        message=lambda trial: 'it said "no", and\nleft' if trial.trial_id == crashed else None,
    )
    return found, str(tmp_path / "r")
