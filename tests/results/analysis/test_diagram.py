"""The phase diagram in letters."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.analysis.diagram import text_diagram


def cells(*rows):
    """Trials from label diversity, layout diversity, seed and order."""
    columns = ("n_pair_labels", "layouts_per_pair", "seed", "unseen_order")
    shared = {"status": "done", "stop_rule": None}
    return pl.DataFrame([{**dict(zip(columns, row, strict=True)), **shared} for row in rows])


def test_means_stand_in_their_cells_with_the_number_of_seeds():
    table = text_diagram(cells((5, 1, 0, 0.5), (5, 1, 1, 0.7), (8, 1, 0, 0.9), (5, 4, 0, 1.0)))
    assert table.to_dict(as_series=False) == {
        "layouts_per_pair": [1, 4],
        "n_pair_labels 5": ["0.60 (2)", "1.00 (1)"],
        "n_pair_labels 8": ["0.90 (1)", "-"],
    }


def test_with_one_axis_there_is_one_row():
    table = text_diagram(cells((5, 1, 0, 0.5), (8, 1, 0, 0.9)))
    assert table.rows() == [("unseen_order", "0.50 (1)", "0.90 (1)")]


def test_more_axes_than_there_is_room_for_are_refused():
    rows = cells((5, 1, 0, 0.5), (8, 1, 0, 0.9), (5, 2, 0, 0.5), (8, 2, 0, 0.9))
    varied = [rows.with_columns(n_heads=heads, d_model=width) for heads in (1, 2) for width in (8, 16)]
    with pytest.raises(UsageError, match="may hold several seeds but nothing else"):
        text_diagram(pl.concat(varied))


def test_an_axis_that_is_absent_in_some_cells_has_a_column():
    rows = cells((5, 1, 0, 0.5), (8, 1, 0, 0.9)).with_columns(steps=pl.Series([None, 100]))
    assert "n_pair_labels 5" in text_diagram(rows.drop("steps")).columns
    only = rows.with_columns(n_pair_labels=5)
    assert {*text_diagram(only).columns} == {"metric", "steps absent", "steps 100"}
