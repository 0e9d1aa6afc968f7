"""`lrsym contrast` as a user meets it."""

import json

import pytest

from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.spec.sweep_file import load
from tests.running import lrsym
from tests.small_trials import write_sweep

SIDES = ("--of", "layouts_per_pair=4", "--against", "scenes.layouts_per_pair=1")


def ask(trained, *words, code=0):
    return lrsym("contrast", trained[0], "--results", trained[1], *words, code=code)


def test_the_answer_has_estimate_interval_seeds_and_what_pairs_agree_in(trained):
    text = ask(trained, *SIDES, "--metric", "train_order")
    assert text.startswith("small: layouts_per_pair = 4 minus layouts_per_pair = 1\n")
    assert "estimate" in text
    assert "paired by seed; 95 % interval over seeds; p of the paired t test" in text
    assert "holm" not in text


def test_json_holds_every_number(trained):
    report = json.loads(ask(trained, *SIDES, "--metric", "train_order,train_inset", "--json"))
    assert report["paired_by"] == ["seed"]
    rows = {row["metric"]: row for row in report["contrasts"]}
    assert {*rows} == {"train_order", "train_inset"}
    row = rows["train_inset"]
    assert (row["n"], row["n_pairs"], row["n_unpaired"]) == (4, 4, 0)
    assert row["low"] <= row["estimate"] <= row["high"]
    assert row["holm"] >= row["p"]


def test_a_condition_keeps_pairs_and_what_has_lost_its_partner_is_told(trained):
    text = ask(trained, *SIDES, "--where", "seed < 2 or (seed = 2 and layouts_per_pair = 1)")
    assert "left out: 1 trial without a partner on the other side" in text


@pytest.mark.slow_after(4)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--of", "layouts_per_pair", *SIDES[2:]], "--of must be AXIS=VALUE, got layouts_per_pair; write for example"),
        (["--of", "layouts_per_pair=", *SIDES[2:]], "--of must be AXIS=VALUE"),
        ([*SIDES, "--of", "layouts_per_pair=1"], "--of names layouts_per_pair twice, with 4 and 1; leave one out"),
        (["--of", "layout_per_pair=4", *SIDES[2:]], "did you mean layouts_per_pair?"),
        (["--of", "layouts_per_pair=5", *SIDES[2:]], "no trial has layouts_per_pair = 5; values: 1, 4"),
        (["--of", "layouts_per_pair=1", *SIDES[2:]], "--of and --against must differ"),
        ([*SIDES, "--metric", "unseen_orders"], "did you mean unseen_order?"),
        ([*SIDES, "--by", "heads"], "there is no axis heads; "),
        ([*SIDES, "--where", "seed = 0"], "an interval takes two seeds or more that have a value, got one"),
        ([*SIDES, "--where", "seed = 9"], "no trial of small in"),
        (
            [*SIDES, "--where", "seed < 2 and layouts_per_pair = 1 or seed > 1 and layouts_per_pair = 4"],
            "value of seed",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(trained, words, message):
    text = ask(trained, *words, code=2)
    assert message in text
    assert len(text.strip().splitlines()) == 1


def test_before_training_it_says_how_to_train(trained, tmp_path):
    text = lrsym("contrast", trained[0], "--results", tmp_path / "none", *SIDES, code=2)
    assert "lrsym sweep" in text


def test_a_sweep_that_is_not_complete_says_so(tmp_path):
    sweep = load(write_sweep(tmp_path, steps=7))
    rows = [{**axis_values(t), "status": "done", "unseen_order": 0.5 + t.seed / 10} for t in sweep.trials[:6]]
    Store(tmp_path / "r").write("p", {"trials": TABLES["trials"].build(rows)})
    told = f"{sweep.name} has 8 trials, 6 are there."
    assert told in lrsym("contrast", sweep.source, *SIDES, "--results", tmp_path / "r")
    report = json.loads(lrsym("contrast", sweep.source, *SIDES, "--results", tmp_path / "r", "--json"))
    assert report["unfinished"] == [told]


def test_the_effect_of_each_doubling_stands_in_place_of_two_sides(trained):
    text = ask(trained, "--per-doubling", "scenes.layouts_per_pair", "--metric", "train_order")
    assert text.startswith("small: per doubling of scenes.layouts_per_pair\n")
    assert "a line by seed; 95 % interval over seeds; p of the t test" in text
    both = json.loads(ask(trained, *SIDES, "--metric", "train_order", "--json"))["contrasts"][0]["estimate"]
    each = json.loads(ask(trained, "--per-doubling", "layouts_per_pair", "--metric", "train_order", "--json"))
    assert each["contrasts"][0]["estimate"] == pytest.approx(both / 2)  # from 1 to 4
    message = "--per-doubling layouts_per_pair stands in place of --of and --against, got both"
    assert message in ask(trained, *SIDES, "--per-doubling", "layouts_per_pair", code=2)
