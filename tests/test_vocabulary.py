"""Words that belong together."""

from lrsym.vocabulary import FAILED_STATUSES, FINAL_STATUSES, STATUSES


def test_each_status_is_final_or_failed_or_stopped():
    assert sorted([*FINAL_STATUSES, *FAILED_STATUSES, "stopped"]) == sorted(STATUSES)
