"""Metrics: columns of numbers that are no axes, told with the nearest where one is none."""

import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.metrics import as_metrics, metric_columns


def test_metrics_are_columns_of_numbers_and_no_axes():
    assert {"unseen_order", "steps_to_unseen_order", "seconds"} <= {*metric_columns()}
    assert not {"seed", "n_pair_labels", "learning_rate", "status", "path", "trial_id", "finished_at"} & {
        *metric_columns()
    }


def test_a_text_with_commas_is_as_good_as_a_list():
    assert as_metrics("seen_inset, unseen_inset") == as_metrics(["seen_inset", "unseen_inset"])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("unseen_insets", "got unseen_insets; did you mean unseen_inset"),
        ("seen_order,", "got nothing; write for example unseen_order"),
        ("status", "a column of numbers of the table trials"),
        (["seconds", "seconds"], "metrics must differ, got seconds twice"),
        ([], "got none"),
    ],
)
def test_what_is_no_metric_is_refused(metric, message):
    with pytest.raises(UsageError, match=message):
        as_metrics(metric)
