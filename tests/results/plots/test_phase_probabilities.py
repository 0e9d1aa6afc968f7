"""The picture of the probability of each phase."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots import theme
from lrsym.results.plots.phase_probabilities import plot_probabilities
from tests.charts import marks, panels, rows, subtitle
from tests.results.analysis.test_class_shares import cell


def test_a_cell_is_filled_by_the_phases_of_its_seeds_and_says_the_commonest_one():
    chart = plot_probabilities(cell("memorisation", "confusion", "memorisation", None))
    spec = chart.to_dict()
    parts = rows(spec, marks(panels(chart)[0], "rect")[1])
    assert [(part["phase"], round(part["share"], 2)) for part in parts] == [("confusion", 0.33), ("memorisation", 0.67)]
    (texts,) = marks(panels(chart)[0], "text")
    assert [row["text"] for row in rows(spec, texts)] == [f"67 %\n21{theme.EN_DASH}94"]
    assert "1 trial has none" in subtitle(chart)


def test_a_number_stands_on_the_colour_of_its_phase_or_is_left_out():
    phases = ["confusion"] * 3 + ["memorisation"] * 2
    even = ["confusion", "memorisation", "layout generalisation", "relational generalisation"]
    few = pl.concat(
        [cell(*phases), cell(*even, labels=6), cell("memorisation", labels=7), cell(*even, *even, *even, labels=8)]
    )
    chart = plot_probabilities(few)
    spec, panel = chart.to_dict(), panels(chart)[0]
    parts = rows(spec, marks(panel, "rect")[1])
    texts = rows(spec, marks(panel, "text")[0])
    line = 12 / panel["height"]
    written = {row["n_pair_labels"]: row for row in texts if row["text"]}
    assert {labels: row["text"].count("\n") + 1 for labels, row in written.items()} == {5: 1, 8: 1}
    for labels, row in written.items():
        (own,) = (p for p in parts if p["n_pair_labels"] == labels and p["phase"] == "confusion")
        bottom = row["top"] + line * (row["text"].count("\n") + 1)
        assert own["y2"] - 1e-9 <= row["top"] < bottom <= own["y"] + 1e-9


def test_a_cell_without_an_outcome_says_so():
    chart = plot_probabilities(pl.concat([cell("confusion"), cell(None, labels=6)]))
    (texts,) = marks(panels(chart)[0], "text")
    assert [row["text"] for row in rows(chart.to_dict(), texts)][1] == "no outcome"


def test_where_no_seed_has_a_phase_it_says_what_it_takes():
    with pytest.raises(UsageError, match="none of 2 trials has a phase, which takes a value of train_order"):
        plot_probabilities(cell(None, None))
