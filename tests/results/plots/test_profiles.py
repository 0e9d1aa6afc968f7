"""Profiles of the position-key terms, read from the specification of their picture."""

import itertools

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.plots.profiles import plot_profile
from tests.charts import marks, rows, subtitle


def term_rows(*, seeds=1, **axes):
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return pl.DataFrame(
        [
            {**cell, "seed": seed, "encoder": "vision", "head": head, "term": term, "profile": [9.0, 1.0, 2.0]}
            for cell, seed, head, term in itertools.product(cells, range(seeds), (0, 1), ("EP+PP+BP", "EP", "EE"))
        ]
    )


def test_profiles_have_a_line_for_each_head_and_a_panel_for_each_term_and_seed():
    spec = plot_profile(term_rows(seeds=2)).to_dict()
    (line,) = marks(spec, "line")
    assert line["encoding"]["color"]["field"] == "head"
    assert spec["vconcat"][0]["facet"]["column"]["sort"] == ["EP", "EP+PP+BP"]
    assert {row["panel_row"] for row in rows(spec, spec)} == {"seed 0", "seed 1"}


def facet_rows(chart):
    spec = chart.to_dict()
    return rows(spec, spec)


def test_profiles_run_over_the_pixels_without_cls():
    assert {(row["pixel"], row["value"]) for row in facet_rows(plot_profile(term_rows()))} == {(1, 1.0), (2, 2.0)}


def test_profiles_show_the_first_five_seeds_and_say_so():
    chart = plot_profile(term_rows(seeds=7))
    assert {row["seed"] for row in facet_rows(chart)} == {0, 1, 2, 3, 4}
    assert "first 5 of 7 seeds" in subtitle(chart)


def test_profiles_of_several_cells_are_refused():
    with pytest.raises(UsageError, match=r"2 cells to draw, a picture has room for 1; these axes vary: n_heads"):
        plot_profile(term_rows(n_heads=[1, 2]))
