"""The phases that the seeds of a cell are in, each by its own accuracies, and how well their shares are known."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.class_shares import phase_probabilities, phase_shares
from lrsym.results.analysis.intervals import estimate_mean
from lrsym.vocabulary import PHASES

SEEDS = {
    "relational generalisation": (1.0, 1.0, 0.95),
    "layout generalisation": (1.0, 0.9, 0.6),
    "memorisation": (1.0, 0.5, 0.5),
    "confusion": (0.6, 0.5, 0.5),
}
"""Train, seen and unseen of a seed in each phase."""


def cell(*phases, labels=5):
    """A trial for each of `phases`; None diverged."""
    found = []
    for seed, phase in enumerate(phases):
        train, seen, unseen = SEEDS[phase] if phase else (None, None, None)
        scores = {"train_order": train, "seen_order": seen, "unseen_order": unseen}
        status = "done" if phase else "diverged"
        found.append({"n_pair_labels": labels, "seed": seed, "status": status, "stop_rule": None, **scores})
    return pl.DataFrame(found, schema_overrides={"stop_rule": pl.String})


def test_each_seed_has_the_phase_of_its_own_accuracies():
    (row,) = phase_shares(cell(*SEEDS, "memorisation", None), x="n_pair_labels").to_dicts()
    assert (row["n_trials"], row["n"]) == (6, 5)
    assert {name: row[name] for name in PHASES} == dict.fromkeys(PHASES, 1) | {"memorisation": 2}


def test_probabilities_are_shares_with_wilsons_interval_in_the_order_of_the_phases():
    found = phase_probabilities(cell("memorisation", "memorisation", "confusion"), x="n_pair_labels")
    assert found["phase"].to_list() == [*PHASES]
    assert found["probability"].to_list() == pytest.approx([1 / 3, 2 / 3, 0, 0])
    wilson = estimate_mean([1.0, 1.0, 0.0], interval="wilson")
    assert found.filter(phase="memorisation").select("low", "high").row(0) == (wilson.low, wilson.high)


def test_a_cell_whose_mean_is_in_one_phase_may_have_seeds_in_others():
    found = phase_probabilities(
        cell("relational generalisation", "memorisation").with_columns(seen_order=pl.Series([1.0, 0.89])),
        x="n_pair_labels",
    )
    assert found.filter(pl.col("count") > 0)["phase"].to_list() == ["memorisation", "relational generalisation"]


def test_a_cell_without_an_outcome_has_no_probability():
    found = phase_probabilities(pl.concat([cell("confusion"), cell(None, labels=6)]), x="n_pair_labels")
    assert found.filter(n_pair_labels=6).select("n", "probability", "low").unique().rows() == [(0, None, None)]


def test_the_threshold_decides():
    found = phase_probabilities(cell("layout generalisation"), x="n_pair_labels", threshold=0.95)
    assert found.filter(pl.col("count") > 0)["phase"].to_list() == ["memorisation"]


def test_axes_that_vary_besides_are_named():
    trials = pl.concat([cell("confusion").with_columns(d_model=pl.lit(width)) for width in (16, 32)])
    with pytest.raises(UsageError, match="these axes vary: d_model"):
        phase_probabilities(trials, x="n_pair_labels")
