"""A cost in words: what a limit of hours leaves out, by seed."""

import pytest

from lrsym.sweep.pilot.choice import Choice
from lrsym.sweep.pilot.summary import in_words
from lrsym.sweep.planning.hour_limit import LeftOut
from lrsym.sweep.planning.plan import make_plan
from lrsym.sweep.spec.sweep import Sweep


@pytest.mark.parametrize(
    ("by_seed", "said"),
    [
        ({2: 3, 4: 3}, "seed 2 of 3 cells, seed 4 of 3 cells"),  # seed 3 is trained
        ({1: 2, 2: 3, 3: 3, 4: 1}, "seed 1 of 2 cells, seeds 2-3 of 3 cells, seed 4 of 1 cell"),
    ],
)
def test_only_seeds_that_follow_each_other_are_told_as_a_range(by_seed, said):
    plan = make_plan(Sweep.grid("a", grid={"scenes.n_pair_labels": [5, 8]}), {}, workers=1, device="cpu")
    choice = Choice(plan, "why", 1, left_out=LeftOut(by_seed, 1.0, True, "--max-core-hours 1"))
    assert f"leaves out {sum(by_seed.values())} trials, {said}: " in in_words(choice, device="cpu")[-1]
