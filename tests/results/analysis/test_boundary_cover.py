"""How often intervals of boundaries, and of their distances, hold what made-up seeds are drawn around.

Boundaries are drawn too, between the second and the last but one of nine values, so that the cover is one averaged over
them. Seeds are independent, or share a part of their luck: then a threshold of their own moves with them.
"""

import numpy as np
import pytest

from lrsym.results.analysis.boundary_line import HAS_DIRECTION, Line
from lrsym.results.analysis.boundary_shift import Shift
from lrsym.results.analysis.outcomes import Outcomes

PLACES = np.arange(9.0)

SPREADS = {"sharp": 0.15, "a value wide": 0.5, "several values wide": 1.2}
"""Standard deviation, in values of the axis, of the thresholds of outcomes; the width is 2.4 times of it."""


def draw(rng, boundary, *, spread, shared, luck):
    """The line of seeds with this boundary; `luck`, a number each, is a `shared` part of their thresholds."""
    noise = rng.logistic(size=(len(luck), len(PLACES))) * np.sqrt(3) / np.pi
    thresholds = boundary + spread * (np.sqrt(shared) * luck[:, None] + np.sqrt(1 - shared) * noise)
    return line_of(thresholds < PLACES)


def line_of(hits):
    """The line of these successes, a row a seed and a column a place."""
    seeds = np.broadcast_to(np.arange(len(hits))[:, None], hits.shape)
    places = np.broadcast_to(PLACES, hits.shape)
    return Line({}, Outcomes.of(places.ravel().tolist(), seeds.ravel().tolist(), hits.ravel().tolist()), (0.0, 8.0), {})


def lucky(rng, seeds):
    return rng.logistic(size=seeds) * np.sqrt(3) / np.pi


def holds(interval, value):
    low = -np.inf if interval.low is None else interval.low
    high = np.inf if interval.high is None else interval.high
    return low - 1e-9 <= value <= high + 1e-9


def cover(*, seeds, spread, shared, lines, fit="boundary"):
    """The share of lines whose interval holds the boundary."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(lines):
        boundary = rng.uniform(1, 7)
        line = draw(rng, boundary, spread=spread, shared=shared, luck=lucky(rng, seeds))
        held += holds(getattr(line, fit), boundary) or not line.is_crossed
    return held / lines


def cover_of_distances(*, seeds, spread, shared, lines):
    """The same of the distance of two lines whose seeds have the same luck."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(lines):
        first = rng.uniform(2, 6)
        second, luck = first + rng.uniform(-1, 1), lucky(rng, seeds)
        both = [draw(rng, at, spread=spread, shared=shared, luck=luck) for at in (second, first)]
        held += holds(Shift(*both).interval, second - first)
    return held / lines


@pytest.mark.slow
def test_a_few_lines_of_five_seeds_are_covered():
    assert cover(seeds=5, spread=SPREADS["a value wide"], shared=0.5, lines=60) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 20])
@pytest.mark.parametrize("shared", [0.0, 0.2])
def test_intervals_of_boundaries_cover(seeds, shared):
    wide = ("a value wide", "several values wide")
    found = {name: cover(seeds=seeds, spread=SPREADS[name], shared=shared, lines=800) for name in wide}
    assert 0.93 <= sum(found.values()) / 2 <= 0.97, found


@pytest.mark.slow
def test_a_step_sharper_than_the_grid_is_covered_by_its_gap():
    assert cover(seeds=5, spread=SPREADS["sharp"], shared=0.2, lines=200) >= 0.98


@pytest.mark.slow
def test_intervals_of_the_monotone_line_cover_more():
    assert cover(seeds=5, spread=SPREADS["several values wide"], shared=0.2, lines=200, fit="isotonic_boundary") >= 0.97


def plateau(rng, *, boundary, height, seeds):
    """The line of seeds whose share rises to `height` instead of 1, and is a half at `boundary`."""
    odds = np.log(0.5 / (height - 0.5)) + (PLACES - boundary) / 0.3
    return line_of(rng.uniform(size=(seeds, len(PLACES))) < height / (1 + np.exp(-odds)))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 20])
def test_the_monotone_line_covers_a_boundary_that_a_plateau_hides_from_the_curve(seeds):
    rng, told, held = np.random.default_rng(0), 0, 0
    for _ in range(150):
        boundary = rng.uniform(0.2, 2)
        line = plateau(rng, boundary=boundary, height=0.75, seeds=seeds)
        if not line.is_crossed and line.isotonic_boundary.at is not None:
            told, held = told + 1, held + holds(line.isotonic_boundary, boundary)
    assert told >= 20
    assert held / told >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "share"), [(5, 0.7), (20, 0.5)])
def test_a_line_that_neither_rises_nor_falls_is_seldom_told_a_direction(seeds, share):
    rng = np.random.default_rng(0)
    levels = [line_of(rng.uniform(size=(seeds, len(PLACES))) < share).isotonic.direction_level() for _ in range(200)]
    assert 0.02 <= np.mean(np.array(levels) <= HAS_DIRECTION) <= 0.09


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_intervals_of_distances_cover(shared):
    assert 0.93 <= cover_of_distances(seeds=10, spread=SPREADS["several values wide"], shared=shared, lines=200) <= 0.99
