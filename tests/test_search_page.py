"""docs/search.md says what the table of benchmarks says of the samplers, and what the committed search found."""

import polars as pl

import lrsym
from benchmarks.search_quality import SAMPLERS
from lrsym.results.store.store import Store
from lrsym.sweep.search.importance import search_frames
from lrsym.sweep.spec.sweep_file import load_any
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


def test_what_the_committed_search_found():
    search, results = load_any(ROOT / "sweeps/rates.toml"), ROOT / "results/search"
    best = lrsym.best(search, results, n=10)
    ends = {key: (min(v), max(v)) for key in search.space.keys if (v := [cell.point[key] for cell in best.cells])}
    importance = search_frames(search, Store(str(results))).importance
    share = importance.filter(axis="learning_rate")["share"].item()
    rates, heads, layouts = (ends[key] for key in ("optim.learning_rate", "model.n_heads", "scenes.layouts_per_pair"))
    told = (
        f"learning rate decides ({share:.0%} of the importance): the ten best of {best.n_cells} cells have rates from "
        f"{rates[0]:.5f} to {rates[1]:.5f}, at {heads[0]} to {heads[1]} heads and {layouts[0]} to {layouts[1]} layouts."
    ).replace("%", " %")
    assert told in " ".join((ROOT / "docs/search.md").read_text().split())
