"""docs/stopping.md says what the committed curves, the table of benchmarks and the code say."""

import polars as pl
import pytest

from benchmarks.stopping import CEILINGS, committed_curves, replay
from lrsym.sweep.execution.grid_stop_rules import Decided
from lrsym.sweep.execution.train_pack import MIN_STEPS_TO_SHRINK
from lrsym.sweep.search import search_stop_rules as rules
from tests import pages
from tests.committed import ids
from tests.pages import ROOT

PAGE = "docs/stopping.md"
HEADING = "| ceiling | stopped | wrong in order | wrong in phase | steps saved, mean over trials | over stopped ones |"


@pytest.fixture(scope="module")
def curves():
    return [*committed_curves()]


@pytest.mark.slow
def test_the_table_of_ceilings_replays_the_rule_on_the_committed_curves(curves):
    shown = pages.table(PAGE, HEADING)
    assert [float(row[0]) for row in shown] == [*CEILINGS]
    for ceiling, *cells in shown:
        done = replay(Decided(ceiling=float(ceiling)), curves)
        saved = sum(done.saved)
        found = [str(n) for n in (done.stopped, done.wrong_order, done.wrong_phase)]
        assert cells == [*found, f"{100 * saved / done.n:.1f} %", f"{100 * saved / done.stopped:.0f} %"]


def shares(curves):
    done = replay(Decided(), curves)
    return [
        f"on the {done.n} committed trials",
        f"At {Decided().ceiling} the rule is wrong about {100 * done.wrong_order / done.n:.1f} % of all trials, which "
        f"are {100 * done.wrong_order / done.stopped:.0f} % of those it stops",
    ]


LATER = (
    "pytorch_start", "pytorch_start_layouts", "pytorch_start_steps", "pytorch_start_full_model", "dropout_recipe",
    "recipe_fresh_seeds", "coverage_fresh_seeds", "embedding_scale_fresh_seeds", "grid_fresh_seeds",
)  # fmt: skip
"""Sweeps whose rows came after the rule had its numbers."""


def later(curves):
    fresh, others = (
        replay(
            Decided(), [*committed_curves([i for name in LATER if name.endswith("_seeds") is of for i in {*ids(name)}])]
        )
        for of in (True, False)
    )
    chosen = len(curves) - fresh.n - others.n
    assert (others.stopped, fresh.wrong_order, fresh.wrong_phase) == (0, 0, 0)
    return [
        f"Its numbers were chosen on {chosen} trials",
        f"Of these {fresh.n + others.n} it stops {fresh.stopped}, all on fresh seeds, and is wrong about none",
    ]


def settings(curves):
    rule = Decided()
    assert rule.growth == 1.5
    return [
        f"in its last {rule.evaluations} evaluations, over which its steps have grown by half or more",
        f"Ceiling is {rule.ceiling} or more. Chance is 0.5 for order and 0 for labelset, the limit for many captions, "
        f"each give or take {rule.margin}",
        f"order on some split is more than {rule.margin} another at the end",
    ]


def leaving(curves):
    taken = pl.read_parquet(ROOT / "benchmarks/results.parquet").filter(part="stopping")

    def value(batch, variant):
        return taken.filter(benchmark=f"leaving, batch {batch}", variant=variant)["value"].item()

    gains = [value(batch, "gain of a step by one member fewer") for batch in (256, 50)]
    (cost,) = {f"{value(batch, 'going on without a member'):.0f}" for batch in (256, 50)}
    steps = [f"{value(batch, 'pays after'):.0f}" for batch in (256, 50)]
    return [
        f"A step gets cheaper by {gains[0]:.1f} ms at batch 256 and {gains[1]:.1f} ms at batch 50",
        f"going on without it takes {cost} ms, which is {steps[0]} and {steps[1]} such steps",
        f"fewer than {MIN_STEPS_TO_SHRINK} steps are left",
    ]


PARAGRAPHS = [shares, later, settings, leaving]


@pytest.mark.parametrize("paragraph", PARAGRAPHS, ids=lambda p: p.__name__)
def test_a_sentence_says_what_was_measured(paragraph, curves):
    for fragment in paragraph(curves):
        assert fragment in pages.text(PAGE)


def test_no_committed_trial_is_stopped_at_chance(curves):
    assert replay(Decided(margin=-1), curves) == replay(Decided(), curves)


def test_the_numbers_of_the_rules_of_searches_are_those_of_the_code():
    text = pages.text(PAGE)
    assert (rules.ETA, rules.RUNGS, rules.WARM_UP) == (3, 1, 0.1)
    assert f"from {rules.MIN_EARLIER_CELLS} earlier cells and a tenth of the steps on" in text
    assert f"has p below {rules.ALPHA}, from a tenth of the steps on. It needs {rules.MIN_WILCOXON} replicates" in text


def test_no_figure_of_the_page_is_left_unchecked(curves):
    fragments = [fragment for paragraph in PARAGRAPHS for fragment in paragraph(curves)]
    assert pages.unchecked(PAGE, sentences=fragments, settings=()) == []
