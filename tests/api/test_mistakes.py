"""What a user gives of the wrong kind is one line, whatever the function."""

import numpy as np
import polars as pl
import pytest

import lrsym
from tests.small_trials import SMALL, small

SWEEP = lrsym.Sweep.grid("mine", base=SMALL, grid={"optim.weight_decay": [0.1, 0.2]}, replicates=2)

MISTAKES = {
    "a table that is no text": (lambda root: lrsym.load(root, ["trials"]), "table must be one of"),
    "a folder that is no text": (lambda root: lrsym.load(["trials"]), "results must be the name of a folder"),
    "ids in one text": (lambda root: lrsym.load(root, trial_ids="abc"), "trial_ids must be a list of ids, got 'abc'"),
    "ids that are a number": (lambda root: lrsym.load(root, trial_ids=3), "trial_ids must be a list of ids"),
    "a budget in words": (lambda root: lrsym.refine(SWEEP, root, budget="3"), "budget must be a whole number"),
    "half a trial": (lambda root: lrsym.refine(SWEEP, root, budget=2.5), "budget must be a whole number .*, got 2.5"),
    "a budget that is true": (lambda root: lrsym.refine(SWEEP, root, budget=True), "budget must be a whole number"),
    "a level in words": (
        lambda root: lrsym.refine(SWEEP, root, budget=4, level="x"),
        "level must be an accuracy above 0",
    ),
    "a metric that is a number": (lambda root: lrsym.best(SWEEP, root, metric=3), "metric must be a text"),
    "metrics where one is taken": (lambda root: lrsym.best(SWEEP, root, metric=["seconds"]), "metric must be a text"),
    "metrics that are numbers": (lambda root: lrsym.plot_line(SWEEP, metric=[3], results=root), "or a list of them"),
    "a condition that is a number": (lambda root: lrsym.plot_phase(SWEEP, results=root, where=3), "where must be a"),
    "a threshold in words": (lambda root: lrsym.plot_phase(SWEEP, results=root, threshold="0.9"), "threshold must be"),
    "a query that is a number": (lambda root: lrsym.query(root, 3), "sql must be a text"),
    "no query": (lambda root: lrsym.query(root, None), "sql must be a text, got None"),
    "no file": (lambda root: lrsym.load_sweep(None), "path must be the name of a file, got None"),
    "a grid without a metric": (lambda root: lrsym.best(SWEEP, root), "^mine is a grid, .* metric='unseen_order'"),
    "a shard that is a number": (lambda root: lrsym.plan(SWEEP, root, shard=3), "shard must be a text, got 3"),
    "a shard beyond the last": (lambda root: lrsym.run_sweep(SWEEP, root, shard="4/3"), "^shard must be I/N"),
    "a shard of a status": (lambda root: lrsym.status(SWEEP, root, shard="x"), "^shard must be I/N"),
    "statuses that are numbers": (lambda root: lrsym.plan(SWEEP, root, retry=[3]), "retry must be a text, or a list"),
    "a status that is a result": (lambda root: lrsym.plan(SWEEP, root, retry="done"), "^retry must be one of"),
    "a sample in words": (lambda root: lrsym.verify(SWEEP, root, sample="3"), "sample must be a number of trials"),
    "an empty sample": (
        lambda root: lrsym.verify(SWEEP, root, sample=0),
        "sample must be a number of trials from 1 to",
    ),
    "a tolerance above 1": (
        lambda root: lrsym.verify(SWEEP, root, tolerance=2),
        "tolerance must be a difference of accuracies from 0 to 1, got 2",
    ),
    "claims that are a number": (lambda root: lrsym.claims(3, root), "file must be the name of a file"),
}


@pytest.mark.parametrize(("call", "words"), MISTAKES.values(), ids=MISTAKES)
def test_an_argument_of_the_wrong_kind_is_one_line(tmp_path, call, words):
    with pytest.raises(lrsym.UsageError, match=words) as caught:
        call(str(tmp_path))
    assert "\n" not in str(caught.value)
    assert not [*tmp_path.iterdir()]


def test_rows_that_lack_columns_are_told_so():
    rows = pl.DataFrame({"trial_id": ["a"], "status": ["done"]})
    with pytest.raises(lrsym.UsageError, match="the rows lack a column"):
        lrsym.plot_phase(rows)


def test_one_trial_is_a_sweep_of_one():
    trial = small()
    assert lrsym.Sweep.of(trial, name="one").trial_ids() == [trial.trial_id]


def test_the_seed_of_a_search_is_named_as_it_was_given():
    space = {"optim.weight_decay": [0.1, 0.2]}
    with pytest.raises(lrsym.UsageError, match=r"^Sweep\.search: seed: "):
        lrsym.Sweep.search("mine", space=space, base=SMALL, budget=2, maximise="train_order", seed=-1)


def test_numbers_of_numpy_are_numbers(tmp_path):
    plan = lrsym.plan(SWEEP, tmp_path / "r", workers=np.int64(2), pack=np.int32(4), no_pilot=True)
    assert (plan.pack_size, plan.plan.workers) == (4, 2)
    with pytest.raises(lrsym.UsageError, match="pack must be auto or a number of trials"):
        lrsym.plan(SWEEP, tmp_path / "r", pack=np.float64(4), no_pilot=True)
