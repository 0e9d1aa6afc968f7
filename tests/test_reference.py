"""The committed rows belong to the shipped sweeps, and the paper's mechanism is in them."""

import polars as pl
import pytest

from lrsym.results.store.store import load, load_trials
from tests.committed import REFERENCE, ids
from tests.pages import ROOT

ELSEWHERE = (
    "atlas",
    "dropout",
    "equal_data",
    "onset",
    "pytorch_start_dropout",
    "pytorch_start_full",
    "rates",
    "recognition",
    "recognition_captions",
    "symmetry",
    "symmetry_positions",
)
"""Sweeps whose rows have a store of their own."""

NOT_COMMITTED = (*ELSEWHERE, "demo", "threshold", "pytorch_start_layouts", "dropout_recipe")
SHIPPED = [path.stem for path in sorted((ROOT / "sweeps").glob("*.toml")) if path.stem not in NOT_COMMITTED]


def without(term, *, metric, sweep="recipe"):
    """Values on unseen pairs with `term` left out, one for each trial."""
    rows = load(REFERENCE, "ablations", trial_ids=ids(sweep)).filter(term=term, metric=metric, split="unseen").collect()
    return rows["value"]


@pytest.mark.parametrize("sweep", SHIPPED)
def test_every_trial_of_a_shipped_sweep_is_in_the_reference(sweep):
    wanted = ids(sweep)
    assert set(load_trials(REFERENCE, trial_ids=wanted).filter(status="done").collect()["trial_id"]) == set(wanted)


def test_the_recipe_generalises_to_unseen_pairs():
    assert without("none", metric="order").mean() >= 0.88
    assert without("none", metric="global").mean() >= 0.88


def test_ep_carries_the_relation_and_all_position_keys_together_carry_all_of_it():
    assert without("EP", metric="order").mean() <= 0.62
    assert without("EP+PP+BP", metric="order").mean() == pytest.approx(0.5, abs=0.01)
    for term in ("PE", "PP", "BP", "VP"):
        assert without(term, metric="order").mean() == pytest.approx(without("none", metric="order").mean(), abs=0.05)


def test_with_multiplier_one_either_of_ep_and_pp_matters_little_and_together_they_are_all():
    rows = load(REFERENCE, "ablations", trial_ids=ids("embedding_scale")).filter(split="unseen", metric="order")
    one = load_trials(REFERENCE).filter(pl.col("embedding_scale") == 1.0).select("trial_id")
    means = dict(rows.join(one, on="trial_id").group_by("term").agg(pl.col("value").mean()).collect().iter_rows())
    assert means["EP"] > 0.85
    assert means["PP"] > 0.85
    assert means["EP+PP+BP"] == pytest.approx(0.5, abs=0.01)
