"""`lrsym plan --until` as a user meets it."""

import json

import pytest

from tests.running import lrsym


def test_the_seeds_of_each_cell_and_their_sum_are_told(trained):
    words = ("plan", trained[0], "--results", trained[1], "--until", "0.01", "--metric", "train_order")
    report, text = json.loads(lrsym(*words, "--json")), lrsym(*words)
    assert [cell["layouts_per_pair"] for cell in report["cells"]] == [1, 4]
    assert report["trials"] == sum(cell["n_more"] for cell in report["cells"])
    assert text.startswith("small: seeds until the 95 % interval of train_order has half-width 0.01")
    assert f"{report['trials']:,} trials more, " in text


def test_cells_that_were_never_trained_are_counted(trained, tmp_path):
    path = tmp_path / "more.toml"
    path.write_text(trained[0].read_text().replace("= [1, 4]", "= [1, 4, 5, 6]"))
    text = lrsym("plan", path, "--results", trained[1], "--until", "0.5")
    assert "2 have fewer than two seeds, so nothing is known" in text


def test_a_condition_keeps_cells(trained):
    words = ("--until", "0.01", "--where", "layouts_per_pair = 4", "--json")
    report = json.loads(lrsym("plan", trained[0], "--results", trained[1], *words))
    assert ([cell["n"] for cell in report["cells"]], report["untrained"]) == ([4], 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--until", "0"], "--until must be a half-width above 0 and at most 1,000,000,000,000, got 0"),
        (["--until", "0.1", "--metric", "unseen_orders"], "did you mean unseen_order?"),
        (["--until", "0.1", "--metric", "seen_order,unseen_order"], "--until is about one metric"),
        (["--until", "0.1", "--limit", "3"], "--until and --limit exclude each other"),
        (["--until", "0.1", "--where", "seed = 9"], "no trial of small in"),
        (["--metric", "unseen_order"], "--metric is for --until, got unseen_order without it"),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(trained, words, message):
    text = lrsym("plan", trained[0], "--results", trained[1], *words, code=2)
    assert message in text
    assert len(text.strip().splitlines()) == 1


def test_before_training_it_says_how_to_train(trained, tmp_path):
    assert "lrsym sweep" in lrsym("plan", trained[0], "--results", tmp_path / "none", "--until", "0.1", code=2)
