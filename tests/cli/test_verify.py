"""`lrsym verify` as a user meets it."""

import json

import polars as pl
import pytest

from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep import verify as verifying
from lrsym.sweep.driver import Outcome
from tests.running import lrsym
from tests.small_trials import write_sweep


@pytest.fixture
def again(monkeypatch, trained):
    """Lets what is trained again come from the rows of before, changed as it is told."""

    def tell(change=lambda tables: tables, *, stopped_by=None):
        def run(plan, store, settings, **_):
            wanted = pl.Series([t for pack in plan.packs for t in pack.trial_ids])
            before = Store(str(trained[1]))
            frames = {
                name: before.scan(name, trial_ids=None if name == "runs" else wanted).collect()
                for name in ("runs", "trials", "curves")
            }
            frames = change(frames)
            store.write("again", {name: frame.to_arrow().select(written(name)) for name, frame in frames.items()})
            return Outcome("r", frames["trials"]["status"], pending=0, stopped_by=stopped_by, seconds=1.0)

        monkeypatch.setattr(verifying, "run", run)

    return tell


def written(name):
    return TABLES[name].arrow.names


@pytest.mark.slow
def test_trials_that_give_their_rows_again_are_told_by_environment_with_code_0(trained, again):
    again()
    words = ("verify", trained[0], "--results", trained[1], "--sample", 8)
    text = lrsym(*words)
    assert text.startswith(
        "small: 8 of 8 finished trials trained again: 8 identical, 0 within tolerance, 0 grown apart, "
        "0 drifted, 0 failed (0.05)\n"
    )
    assert "  device cpu, pack_size 4: 8 identical; last accuracies differ by 0 at most" in text
    report = json.loads(lrsym(*words, "--json"))
    assert (report["counts"], report["reproduced"], report["trials"]) == ({"identical": 8}, True, 8)
    assert report["environments"][0]["n"] == 8


def drift(tables):
    last = pl.col("step") == pl.col("step").max()
    moved = pl.when(last & (pl.col("metric") == "order")).then(1 - pl.col("value") + 0.3).otherwise("value")
    return tables | {"curves": tables["curves"].with_columns(value=moved)}


@pytest.mark.slow
def test_drift_is_code_1_with_trial_metric_and_both_values(trained, again):
    again(drift)
    text = lrsym("verify", trained[0], "--results", trained[1], "--tolerance", 0.01, code=1)
    odd = [line for line in text.splitlines() if " before, " in line]
    assert odd
    assert all("_order " in line and " now, at step 12" in line for line in odd)
    everything = json.loads(lrsym("verify", trained[0], "--results", trained[1], "--tolerance", 1, "--json"))
    assert everything["reproduced"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sample", 0), "--sample must be a number of trials from 1 to 2,000,000, got 0"),
        (("--tolerance", 2), "--tolerance must be a difference of accuracies from 0 to 1, got 2; the usual"),
        (("--tolerance", "nan"), "--tolerance must be a difference of accuracies from 0 to 1, got nan"),
        (("--pack", 0), "--pack must be auto or a number of trials from 1 to 999,999, got 0"),
        (("--where", "seed = 99"), "small has no finished trials in "),
    ],
)
def test_what_cannot_be_verified_is_one_line(trained, words, said):
    text = lrsym("verify", trained[0], "--results", trained[1], *words, code=2)
    assert text.startswith(f"error: {said}")
    assert len(text.splitlines()) == 1


def test_where_nothing_is_trained_there_is_nothing_to_verify(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    assert "there are no results in" in lrsym("verify", path, "--results", tmp_path / "r", code=2)
    assert not (tmp_path / "r").exists()
