"""docs/refine.md says what the table of benchmarks says of the replay."""

import math

import polars as pl

from tests import pages
from tests.pages import ROOT

HEAD = (
    "| surface | full grid misreads (median) | refine | random order | smoothed grid misreads | refine | random order |"
)


def found():
    """The rows of the page's table, from the figures."""
    table = pl.read_parquet(ROOT / "benchmarks/results.parquet").filter(part="refine")
    for name in table["benchmark"].unique(maintain_order=True):
        figures = {(row["variant"], row["unit"]): row for row in table.filter(benchmark=name).to_dicts()}
        cells = [name]
        for target in ("full grid", "full grid, smoothed"):
            cells.append(f"{100 * figures[f'error of the {target}', 'share of cells']['value']:.1f} %")
            refine, random = (f"{strategy}, to the error of the {target}" for strategy in ("refine", "random order"))
            fewer = figures.get((refine, "times fewer trials"))
            times = f", {fewer['value']:.1f} times fewer" if fewer else ""
            cells += [in_words(figures[refine, "trials"]) + times, in_words(figures[random, "trials"])]
        yield cells


def in_words(figure):
    value, low, high = (
        "not reached" if math.isinf(figure[name]) else f"{figure[name]:.0f}" for name in ("value", "lowest", "highest")
    )
    return value if value == low == high else f"{value} ({low} to {high})"


def test_the_table_of_the_replay():
    assert pages.table("docs/refine.md", HEAD) == [*found()]


def test_no_island_was_missed():
    table = pl.read_parquet(ROOT / "benchmarks/results.parquet").filter(
        pl.col("variant").str.contains("islands missed")
    )
    assert table.height == 4
    assert table["value"].sum() == 0
    assert table["n"].sum() == 48
