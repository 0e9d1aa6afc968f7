"""Words that belong together."""

from lrsym.vocabulary import FAILED_STATUSES, FINAL_STATUSES, STATUSES, is_accuracy


def test_each_status_is_final_or_failed_or_stopped():
    assert sorted([*FINAL_STATUSES, *FAILED_STATUSES, "stopped"]) == sorted(STATUSES)


def test_accuracies_are_named_after_split_and_metric():
    named = {name: is_accuracy(name) for name in ("unseen_order", "seconds", "steps_to_unseen_order", "unseen", "")}
    assert [name for name, accuracy in named.items() if accuracy] == ["unseen_order"]
