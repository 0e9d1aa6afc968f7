"""A claims file as a program asks it: checked as a whole, trained where rows are missing, judged."""

import pytest

from lrsym.claims.check import check
from lrsym.claims.judging import judge_claims, train_missing
from lrsym.claims.pictures import draw_pictures
from lrsym.errors import UsageError
from lrsym.results.plots.sweep_rows import NothingToDrawError
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from tests.small_trials import write_sweep

CLAIM = """[[claim]]
id = "{id}"
sentence = "Accuracies are accuracies."
source = "here"
minimum_n = 2
[claim.sweeps]
"one" = "small.toml"
"other spelling" = "../{folder}/small.toml"
[[claim.part]]
name = "order in training"
estimate = "select train_order as value from trials"
at_least = 0
resolution = 0.01
"""


@pytest.fixture
def path(tmp_path):
    write_sweep(tmp_path, steps=5, seeds=2)
    path = tmp_path / "claims.toml"
    path.write_text('name = "small"\n' + "".join(CLAIM.format(id=name, folder=tmp_path.name) for name in ("A", "B")))
    return path


def pretend_to_train(root):
    """Return a training that writes rows without training, and the sweeps that it was asked for."""
    trained = []

    def train(sweep):
        trained.append(sweep.name)
        rows = [{"trial_id": t.trial_id, "status": "done", "train_order": 1.0} for t in sweep.trials]
        Store(root).write("part", {"trials": TABLES["trials"].build(rows)})
        return len(rows)

    return train, trained


def test_a_sweep_that_lacks_rows_is_trained_once_however_often_and_however_it_is_named(path, tmp_path):
    train, trained = pretend_to_train(tmp_path / "r")
    checked = check(path)
    assert train_missing(checked, tmp_path / "r", train) == [4]
    assert train_missing(checked, tmp_path / "r", train) == []
    assert trained == ["small"]


def test_each_arm_of_each_chosen_claim_is_judged_on_the_rows_of_its_sweep(path, tmp_path):
    train, _ = pretend_to_train(tmp_path / "r")
    checked = check(path, ["B"])
    train_missing(checked, tmp_path / "r", train)
    (judged,) = judge_claims(checked, tmp_path / "r")
    assert (judged.claim.id, [arm.name for arm in judged.arms]) == ("B", ["one", "other spelling"])
    assert [(arm.verdict, arm.n, arm.results.missing) for arm in judged.arms] == [("supported", (4, 4), 0)] * 2


def test_a_mistake_in_a_claim_that_was_not_chosen_is_told_too(path):
    first, second = path.read_text().split('id = "B"')
    path.write_text(f'{first}id = "B"{second.replace("train_order", "train_ordr")}')
    with pytest.raises(UsageError, match="claim B: estimate of part 'order in training' fails"):
        check(path, ["A"])


def test_an_arm_without_rows_has_a_reason_where_its_picture_would_be(path, tmp_path):
    text = path.read_text().replace("[[claim.part]]", '[claim.picture]\nkind = "curves"\n[[claim.part]]')
    path.write_text(text)
    checked = check(path, ["A"])
    pictures = draw_pictures(checked, checked.claims[0], tmp_path / "r")
    assert [*pictures] == ["one", "other spelling"]
    assert all(isinstance(p, NothingToDrawError) and "train first" in str(p) for p in pictures.values())


def test_a_claim_without_a_picture_has_none(path, tmp_path):
    checked = check(path, ["A"])
    assert draw_pictures(checked, checked.claims[0], tmp_path / "r") == {}
