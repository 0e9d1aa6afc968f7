"""docs/boundaries.md says what the committed rows say."""

import json

import pytest

from tests.pages import ROOT
from tests.running import lrsym

PAGE = " ".join((ROOT / "docs/boundaries.md").read_text().split())


@pytest.fixture(scope="module")
def by_layouts():
    """The boundaries in labels, by layouts."""
    words = ("boundary", ROOT / "sweeps/labels_by_layouts.toml", "--results", ROOT / "results/reference", "--json")
    return {row["layouts_per_pair"]: row for row in json.loads(lrsym(*words))["boundaries"]}


@pytest.mark.slow
def test_the_boundaries_by_layouts(by_layouts):
    ten, two, one = (by_layouts[layouts] for layouts in (10, 2, 1))
    assert f"With 10 layouts it lies at {ten['at']:.3g} labels, below {ten['high']:.3g}," in PAGE
    assert f"with 2 layouts at {two['at']:.3g}, above {two['low']:.3g}" in PAGE
    assert ten["high"] < two["low"]
    assert by_layouts[5]["low"] is None
    assert by_layouts[40]["direction"] == "above"
    assert "no more than half of the seeds at 5" in by_layouts[40]["told"]
    assert f"such as with 1 layout above ({one['at']:.1f} and {one['isotonic']:.3g})" in PAGE
    assert "the curve fits badly" in one["told"]


@pytest.mark.slow
def test_the_distances_in_the_atlas():
    axes = ("--x", "n_pair_labels", "--by", "init_position_std", "--color", "layouts_per_pair")
    where = "embedding_scale = 1 and n_pair_labels < 15 and init_position_std = 0.4 and layouts_per_pair < 20"
    words = (*axes, "--where", where, "--results", ROOT / "results/atlas", "--json")
    two, five = json.loads(lrsym("boundary", ROOT / "sweeps/atlas.toml", *words))["differences"]
    assert f"by {-two['estimate']:.2f} labels ({-two['high']:.2f} to {-two['low']:.2f})" in PAGE
    assert f"5 layouts by {-five['estimate']:.2f} ({-five['high']:.2f} to {-five['low']:.2f})" in PAGE
    assert two["n_shared"] == 20
