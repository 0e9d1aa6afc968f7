"""Accuracies against an oracle that loops over scenes and compares captions one by one."""

import numpy as np
import pytest
import torch

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Accuracies, Candidates, evaluate, scene_credit
from lrsym.vocabulary import METRICS
from tests.fitted import CPU, Fitted
from tests.small_trials import small
from tests.textbook import TextbookClip, by_hand

TRIALS = [
    small(seed=0, optim__steps=25),
    small(seed=1, optim__steps=25, scenes__layouts_per_pair=1),
    small(seed=2, optim__steps=25, scenes__n_pair_labels=4, scenes__positions_per_label=1, scenes__coverage=0.5),
]


def cosines(model, scenes):
    """A function from token rows to the cosine of each scene with each caption, for a textbook model."""
    with torch.no_grad():
        texts = torch.nn.functional.normalize(model.text(torch.from_numpy(sc.caption_tokens(scenes))), dim=1)

    def scores(tokens):
        with torch.no_grad():
            images = torch.nn.functional.normalize(model.vision(tokens), dim=1)
        return [[float(image @ text) for text in texts] for image in images]

    return scores


OTHER_SCENES = {
    "as in the paper": {},
    "both": {"scenes__captions": "both"},
    "grid": {"scenes__captions": "left+above", "scenes__n_rows": 2, "scenes__n_positions": 3},
    "three objects": {"scenes__n_objects": 3, "scenes__layouts_per_pair": 2},
}


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("kind", OTHER_SCENES)
def test_every_accuracy_agrees_with_a_loop_over_scenes_and_captions(kind):
    changes = OTHER_SCENES[kind]
    trials = [small(seed=9, optim__steps=25, **changes)] if changes else TRIALS
    fitted = Fitted(trials)
    pack = fitted.model.map(torch.Tensor.double)  # so that rounding decides between no two captions
    accuracies = evaluate(pack, fitted.data, fitted.candidates).members()
    for row, trial in enumerate(trials):
        sizes = (7, trial.scenes.n_pixels, 12, 3)
        n_relations = len(sc.relations(trial.scenes))
        model = TextbookClip(*sizes, scale=trial.model.embedding_scale, temperature=0.07, n_relations=n_relations)
        wanted = by_hand(trial, cosines(model.double().load(pack.weights, row), trial.scenes))
        assert accuracies[row] == pytest.approx(wanted, abs=1e-6)
        assert any(v is not None and 0 < v < 1 for v in wanted.values())  # a model that is neither blank nor perfect


def test_order_is_undefined_for_single_objects_and_empty_splits_are_undefined():
    fitted = Fitted([small(scenes__positions_per_label=5)])
    accuracies = fitted.evaluate()
    assert all(accuracies["single", m].isnan().all() for m in METRICS)
    fitted = Fitted([small()])
    accuracies = fitted.evaluate()
    assert all(accuracies["single", m].isnan().all() for m in ("order", "pairs"))
    assert not accuracies["single", "global"].isnan().any()


def grades(scores, own, trial=None):
    """Grades of hand-made scores [scene, caption] on the unseen split of a small trial."""
    trial = trial or small()
    candidates = Candidates.of(PackData.of([trial], device=CPU))
    credit, defined = scene_credit(scores.clone()[None], own[None], candidates, candidates.outside["unseen"])
    return {metric: (credit[0, 0, i].item(), defined[0, 0, i].item()) for i, metric in enumerate(METRICS)}


def number(left, right):
    return 7 + int(sc.pair_number(small().scenes, np.array([left]), np.array([right]))[0])


def test_credit_by_hand_for_one_scene_of_an_unseen_pair():
    own = torch.tensor([[number(4, 5)]])
    scores = torch.zeros(1, 49)
    scores[0, number(4, 5)] = 0.5
    scores[0, number(5, 4)] = 0.4
    scores[0, number(1, 2)] = 0.9  # a caption of a trained pair wins over all, but is not in the set
    found = {metric: credit for metric, (credit, _) in grades(scores, own).items()}
    assert found == {"order": 1, "inset": 1, "pairs": 0, "global": 0, "labelset": 0}
    scores[0, number(1, 2)] = 0.0
    scores[0, number(5, 4)] = 0.6  # right labels, wrong order
    found = {metric: credit for metric, (credit, _) in grades(scores, own).items()}
    assert found == {"order": 0, "inset": 0, "pairs": 0, "global": 0, "labelset": 1}


def test_a_caption_of_one_label_takes_the_global_hit_and_not_that_among_pairs():
    own = torch.tensor([[number(4, 5)]])
    scores = torch.zeros(1, 49)
    scores[0, number(4, 5)] = 0.5
    scores[0, 4 - 1] = 0.9  # "4 is in the image"
    found = {metric: credit for metric, (credit, _) in grades(scores, own).items()}
    assert {name: found[name] for name in ("inset", "pairs", "global")} == {"inset": 1, "pairs": 1, "global": 0}


def test_a_tie_between_a_caption_and_its_swap_is_half_right_in_order():
    own = torch.tensor([[number(4, 5)]])
    found = grades(torch.zeros(1, 49), own)
    assert found["order"] == (0.5, True)
    assert [found[metric][0] for metric in ("inset", "pairs", "global", "labelset")] == [0, 0, 0, 0]  # above no other


def test_any_true_caption_is_a_hit_and_order_is_the_mean_over_them():
    trial = small(scenes__captions="both")
    left, right = number(4, 5), number(5, 4) + 42  # "4 is on the left of 5", "5 is on the right of 4"
    assert [sc.caption_text(trial.scenes, n) for n in (left, right)] == [
        "4 is on the left of 5",
        "5 is on the right of 4",
    ]
    scores = torch.zeros(1, 7 + 2 * 42)
    scores[0, right] = 0.9
    scores[0, number(5, 4)] = 0.1  # the swap of the left caption beats it
    found = {metric: credit for metric, (credit, _) in grades(scores, torch.tensor([[left, right]]), trial).items()}
    assert (found["order"], found["inset"], found["global"], found["labelset"]) == (0.5, 1, 1, 1)


@pytest.mark.slow
def test_a_global_hit_is_a_hit_of_the_label_set_and_within_the_split():
    fitted = Fitted([small(optim__steps=60)])
    accuracies = fitted.evaluate()
    for split in ("seen", "unseen"):
        assert accuracies[split, "global"] <= accuracies[split, "labelset"]
        assert accuracies[split, "global"] <= accuracies[split, "pairs"]
        assert accuracies[split, "global"] <= accuracies[split, "inset"]


def test_only_the_splits_asked_for_come_back_and_equal_the_whole():
    fitted = Fitted([small()])
    whole = fitted.evaluate()
    part = fitted.evaluate(splits=("seen",))
    assert (part.splits, part.metrics) == (("seen",), tuple(METRICS))
    assert all(torch.equal(part["seen", m], whole["seen", m]) for m in METRICS)


NORMED = [small(seed=s, optim__steps=25, model__layer_norm="pre") for s in range(3)]


@pytest.mark.slow
@pytest.mark.parametrize(("chunk", "tables"), [(1, 1 << 26), (3 * 7 * 49, 1 << 26), (3 * 7 * 49, 1)])
@pytest.mark.parametrize("trials", [TRIALS, NORMED])
def test_accuracies_do_not_depend_on_how_many_scenes_and_members_are_looked_at_together(trials, chunk, tables):
    fitted = Fitted(trials)
    whole = fitted.evaluate()
    bounded = fitted.evaluate(max_chunk_numbers=chunk, max_table_numbers=tables)
    torch.testing.assert_close(bounded.values, whole.values, equal_nan=True)


def test_a_metric_that_is_not_defined_is_none_in_the_rows_of_members():
    values = torch.tensor([[[1.0, float("nan")]], [[0.5, 0.25]]])
    rows = Accuracies(values, ("seen",), ("order", "global")).members()
    assert rows == [
        {("seen", "order"): 1.0, ("seen", "global"): None},
        {("seen", "order"): 0.5, ("seen", "global"): 0.25},
    ]


@pytest.mark.slow
def test_an_encoder_that_cannot_see_positions_orders_unseen_pairs_at_chance():
    fitted = Fitted([small(optim__steps=40)])
    blind = ("EP", "PP", "BP", "VP")
    accuracies = fitted.evaluate(left_out=blind)
    assert accuracies["unseen", "order"].item() == 0.5
