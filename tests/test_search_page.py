"""docs/search.md says what the table of benchmarks says of the samplers."""

import polars as pl

from benchmarks.search_quality import SAMPLERS
from tests import pages
from tests.pages import ROOT


def test_the_table_of_what_a_sampler_gains():
    table = pl.read_parquet(ROOT / "benchmarks/results.parquet").filter(part="search_quality")
    figures = {(row["benchmark"], row["variant"]): row for row in table.to_dicts()}
    wanted = [
        [f"{cells}"]
        + [
            f"{f['value']:.3g} ({f['lowest']:.3g} to {f['highest']:.3g})"
            for f in (figures[f"best of {cells} cells, 300 steps", sampler] for sampler in SAMPLERS)
        ]
        for cells in (10, 20, 30, 40)
    ]
    assert {row["n"] for row in figures.values()} == {10}
    assert pages.table("docs/search.md", "| cells | tpe | gp | random |") == wanted
