"""What wins on the scenes, against a loop that reads the captions' words."""

import pytest
import torch

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.mechanism.confusions import confusions
from lrsym.testbed.model.pack_model import PackModel
from lrsym.vocabulary import WINNERS
from tests.fitted import Fitted
from tests.small_trials import small
from tests.testbed.test_evaluation import OTHER_SCENES, TRIALS, cosines
from tests.textbook import TextbookClip, winners_by_hand


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHER_SCENES)
def test_every_share_agrees_with_a_loop_over_scenes_and_words(kind):
    changes = OTHER_SCENES[kind]
    trials = [small(seed=9, optim__steps=12, **changes)] if changes else TRIALS
    fitted = Fitted(trials)
    pack = fitted.model.map(torch.Tensor.double)
    found = confusions(pack, fitted.data, fitted.candidates)
    for row, trial in enumerate(trials):
        sizes, n_relations = (7, trial.scenes.n_pixels, 12, 3), len(sc.relations(trial.scenes))
        model = TextbookClip(*sizes, scale=trial.model.embedding_scale, temperature=0.07, n_relations=n_relations)
        wanted = winners_by_hand(trial, cosines(model.double().load(pack.weights, row), trial.scenes))
        assert found[row] == pytest.approx(wanted)


@pytest.mark.slow
def test_each_kind_is_met_in_these_trials_and_shares_of_a_split_add_up_to_one():
    members = []
    for steps in (5, 60):
        fitted = Fitted([small(seed=3, optim__steps=steps)])
        members += confusions(fitted.model, fitted.data, fitted.candidates)
    assert {kind for shares in members for (_, kind), share in shares.items() if share} == {*WINNERS}
    for shares in members:
        for split in {split for split, _ in shares}:
            assert sum(shares[split, kind] for kind in WINNERS) == pytest.approx(1)


@pytest.mark.slow
def test_true_winners_are_the_hits_among_all_captions():
    fitted = Fitted(TRIALS)
    accuracies = fitted.evaluate()
    for row, shares in enumerate(confusions(fitted.model, fitted.data, fitted.candidates)):
        for (split, kind), share in shares.items():
            if kind == "true":
                assert share == pytest.approx(accuracies[split, "global"][row].item())


def test_a_model_has_a_member_for_each_row_and_empty_splits_have_none():
    trials = [small(seed=seed, scenes__positions_per_label=5) for seed in (0, 1)]
    fitted = Fitted(trials)
    model = PackModel.initial(trials)
    found = confusions(model, fitted.data, fitted.candidates)
    assert len(found) == 2
    assert all("single" not in {split for split, _ in shares} for shares in found)
