import pytest

from lrsym.errors import UsageError
from lrsym.results.store.trial_row import axis_values, trial_from_row
from tests.small_trials import small


@pytest.mark.parametrize("changes", [{}, {"optim__epochs": 3, "optim__steps": None}, {"model__kind": "autoregressive"}])
def test_a_trial_comes_back_from_the_columns_of_its_row(changes):
    trial = small(**changes)
    assert trial_from_row({**axis_values(trial), "status": "done", "seconds": 1.0}) == trial


@pytest.mark.parametrize("change", [{"trial_id": "0" * 32}, {"seed": 7}, {"d_model": -1}])
def test_a_row_whose_axes_give_another_trial_is_refused(change):
    with pytest.raises(UsageError, match="another version of lrsym; run its sweep again"):
        trial_from_row({**axis_values(small()), **change})
