"""The tables of docs/decisions that are made from committed rows say what the rows say."""

import polars as pl
import pytest

from tests import pages
from tests.committed import order_on_unseen, rows, spread, trials

RECIPE, AUTOREGRESSIVE = "docs/decisions/recipe.md", "docs/decisions/autoregressive.md"


def labelset(sweep, step, **where):
    kept = rows("curves", sweep).filter(split="unseen", metric="labelset", step=step, **where)
    return kept["value"]


@pytest.mark.slow
def test_recognition_along_training_by_epsilon():
    for step, *cells in pages.table(RECIPE, "| step | epsilon 1e-6 | epsilon 1e-8 |"):
        assert cells == [spread(labelset("epsilon", int(step), epsilon=e)) for e in (1e-6, 1e-8)]


def test_recognition_along_the_papers_training():
    for step, mean, extent in pages.table(RECIPE, "| step | mean | lowest to highest |"):
        values = labelset("paper_recipe", int(step.replace(",", "")), n_pair_labels=15)
        assert len(values) == 5
        assert f"{mean} ({extent})" == spread(values)


SWEEPS = {
    "paper: 1e-4": ("paper_recipe", {}),
    "1e-3, batch 256, 1,000 epochs": ("cheaper", {"learning_rate": 1e-3}),
    "1e-3, batch 256, 3,000 steps": ("recipe", {}),
    "3e-3, batch 256": ("cheaper", {"learning_rate": 3e-3, "batch_size": 256}),
    "3e-3, batch 50": ("cheaper", {"batch_size": 50}),
}


def test_the_recipes_that_were_compared():
    heading = "| recipe | labels | steps | unseen order | unseen global | order without EP | without EP+PP+BP |"
    for recipe, labels, _, *cells in pages.table(RECIPE, heading):
        ((sweep, where),) = (value for name, value in SWEEPS.items() if recipe.startswith(name))
        kept = trials(sweep, n_pair_labels=int(labels), **where)
        cut = order_on_unseen().filter(pl.col("trial_id").is_in(kept["trial_id"].implode()))
        columns = (kept["unseen_order"], kept["unseen_global"], cut["EP"], cut["EP+PP+BP"])
        assert cells == [spread(values) for values in columns]


@pytest.mark.parametrize(("column", "coverage"), [(1, 1.0), (2, 0.5)])
def test_accuracies_of_the_autoregressive_model(column, coverage):
    kept = trials("autoregressive", coverage=coverage)
    for name, *cells in pages.table(AUTOREGRESSIVE, "| | coverage 1 | coverage 0.5 |"):
        split, _, metrics = name.partition(" ")
        columns = [kept[f"{split}_{metric}"] for metric in metrics.split(", ")]
        found = "" if columns[0].null_count() else ", ".join(spread(values) for values in columns)
        assert cells[column - 1] == found


def test_ablations_of_the_autoregressive_model():
    found = rows("ablations", "autoregressive").filter(coverage=1.0)
    heading = "| left out (coverage 1) | unseen order | seen order | seen label set |"
    for term, *cells in pages.table(AUTOREGRESSIVE, heading):
        asked = (("unseen", "order"), ("seen", "order"), ("seen", "labelset"))
        assert cells == [spread(found.filter(term=term, split=s, metric=m)["value"]) for s, m in asked]


def test_sentences_about_the_autoregressive_model():
    half = trials("autoregressive", coverage=1.0)
    kept = rows("ablations", "autoregressive").filter(coverage=0.5, term="EP+PP+BP", split="seen", metric="order")
    slopes = rows("terms", "autoregressive").filter(term="EP")
    assert (slopes["slope"] < 0).all()
    steepest = slopes.group_by("trial_id").agg(pl.col("slope").abs().max())["slope"]
    for fragment in (
        f"seen order keeps {spread(kept['value'])} without EP+PP+BP",
        f"in the steepest by {steepest.min():.1f} to {steepest.max():.1f} logits a pixel",
        f"`half_global` {half['half_global'].mean():.2f}",
        f"`half_order` ({half['half_order'].mean():.2f})",
    ):
        assert fragment in pages.text(AUTOREGRESSIVE)


def test_sentences_about_the_recipe():
    late = [labelset("epsilon", 3000, epsilon=e).mean() for e in (1e-6, 1e-8)]
    order = trials("paper_recipe", n_pair_labels=15)["unseen_order"]
    for fragment in (
        f"at 3,000 steps the two values differ by {late[0] - late[1]:.2f}",
        f"order on unseen pairs ends at {order.min():.2f} to {order.max():.2f} in every one",
    ):
        assert fragment in pages.text(RECIPE)
