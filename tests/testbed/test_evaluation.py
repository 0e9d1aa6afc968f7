"""Accuracies against an oracle that loops over scenes and compares captions one by one."""

import math

import numpy as np
import pytest
import torch

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.datasets import splits
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, evaluate, grade
from lrsym.vocabulary import METRICS, SPLITS
from tests.small_trials import CPU, Fitted, small, true_sentences
from tests.textbook import TextbookClip

TRIALS = [
    small(seed=0, optim__steps=25),
    small(seed=1, optim__steps=25, scenes__layouts_per_pair=1),
    small(seed=2, optim__steps=25, scenes__n_pair_labels=4, scenes__positions_per_label=1, scenes__coverage=0.5),
]


def by_hand(trial, scores):
    """Every accuracy of one trial by explicit loops over scenes and captions; `scores` rates captions by scene."""
    scenes = trial.scenes
    every = np.arange(sc.n_captions(scenes))
    named = [sc.caption_text(scenes, int(n)) for n in every]
    labels = [{word for word in text.split() if word.isdigit()} for text in named]
    result = {}
    for split, numbers in splits(scenes, seed=trial.seed).items():
        if not len(numbers):
            result |= {(split, m): math.nan for m in METRICS}
            continue
        tokens = sc.scene_tokens(scenes, numbers)
        own = [{named.index(text) for text in true_sentences(scenes, row)} for row in tokens]
        credit = {metric: [] for metric in METRICS}
        for score, mine in zip(scores(torch.from_numpy(tokens)), own, strict=True):
            best = max(range(len(score)), key=score.__getitem__)
            best_of_split = max(set().union(*own), key=score.__getitem__)
            credit["global"].append(best in mine)
            credit["inset"].append(best_of_split in mine)
            credit["labelset"].append(any(labels[best] == labels[n] for n in mine))
            ahead = [score[n] > score[named.index(exchanged(named[n]))] for n in mine if len(labels[n]) == 2]
            if ahead:
                credit["order"].append(np.mean(ahead))
        result |= {(split, m): float(np.mean(c)) if c else math.nan for m, c in credit.items()}
    return result


def cosines(model, scenes):
    """A function from token rows to the cosine of each scene with each caption, for a textbook model."""
    with torch.no_grad():
        texts = torch.nn.functional.normalize(model.text(torch.from_numpy(sc.caption_tokens(scenes))), dim=1)

    def scores(tokens):
        with torch.no_grad():
            images = torch.nn.functional.normalize(model.vision(tokens), dim=1)
        return [[float(image @ text) for text in texts] for image in images]

    return scores


def exchanged(text):
    """The sentence with its two labels exchanged."""
    first, *words, second = text.split()
    return " ".join([second, *words, first])


OTHER_SCENES = {
    "as in the paper": {},
    "both": {"scenes__captions": "both"},
    "grid": {"scenes__captions": "left+above", "scenes__n_rows": 2, "scenes__n_positions": 3},
    "three objects": {"scenes__n_objects": 3, "scenes__layouts_per_pair": 2},
}


@pytest.mark.parametrize("kind", OTHER_SCENES)
def test_every_accuracy_agrees_with_a_loop_over_scenes_and_captions(kind):
    changes = OTHER_SCENES[kind]
    trials = [small(seed=9, optim__steps=25, **changes)] if changes else TRIALS
    fitted = Fitted(trials)
    flat = fitted.flat.double()  # so that rounding decides between no two captions
    with torch.no_grad():
        accuracies = evaluate(fitted.layout, flat, fitted.data, fitted.candidates, scale=fitted.scale.double())
    assert set(accuracies) == {(s, m) for s in SPLITS for m in METRICS}
    for row, trial in enumerate(trials):
        sizes = (7, trial.scenes.n_cells, 12, 3)
        n_relations = len(sc.relations(trial.scenes))
        model = TextbookClip(*sizes, scale=trial.model.embedding_scale, temperature=0.07, n_relations=n_relations)
        wanted = by_hand(trial, cosines(model.double().load(fitted.layout.views(flat), row), trial.scenes))
        found = {key: value[row].item() for key, value in accuracies.items()}
        assert found == pytest.approx(wanted, abs=1e-6, nan_ok=True)
        assert any(0 < v < 1 for v in wanted.values())  # a model that is neither blank nor perfect


def test_order_is_undefined_for_single_objects_and_empty_splits_are_undefined():
    fitted = Fitted([small(scenes__positions_per_label=5)])
    accuracies = evaluate(*fitted.arguments(), scale=fitted.scale)
    assert all(accuracies["single", m].isnan().all() for m in METRICS)
    fitted = Fitted([small()])
    accuracies = evaluate(*fitted.arguments(), scale=fitted.scale)
    assert accuracies["single", "order"].isnan().all()
    assert not accuracies["single", "global"].isnan().any()


def grades(scores, own, trial=None):
    """Grades of hand-made scores [scene, caption] on the unseen split of a small trial."""
    trial = trial or small()
    candidates = Candidates.of(trial.scenes, PackData.of([trial], device=CPU))
    credit, defined = grade(scores.clone()[None], own[None], candidates, candidates.outside["unseen"])
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
    assert found == {"order": 1, "inset": 1, "global": 0, "labelset": 0}
    scores[0, number(1, 2)] = 0.0
    scores[0, number(5, 4)] = 0.6  # right labels, wrong order
    found = {metric: credit for metric, (credit, _) in grades(scores, own).items()}
    assert found == {"order": 0, "inset": 0, "global": 0, "labelset": 1}


def test_a_tie_between_a_caption_and_its_swap_is_half_right_in_order():
    own = torch.tensor([[number(4, 5)]])
    found = grades(torch.zeros(1, 49), own)
    assert found["order"] == (0.5, True)
    assert [found[metric][0] for metric in ("inset", "global", "labelset")] == [0, 0, 0]  # above no other


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


def test_a_global_hit_is_a_hit_of_the_label_set_and_within_the_split():
    fitted = Fitted([small(optim__steps=60)])
    accuracies = evaluate(*fitted.arguments(), scale=fitted.scale)
    for split in ("seen", "unseen"):
        assert accuracies[split, "global"] <= accuracies[split, "labelset"]
        assert accuracies[split, "global"] <= accuracies[split, "inset"]


def test_only_the_splits_asked_for_come_back_and_equal_the_whole():
    fitted = Fitted([small()])
    whole = evaluate(*fitted.arguments(), scale=fitted.scale)
    part = evaluate(*fitted.arguments(), scale=fitted.scale, splits=("seen",))
    assert set(part) == {("seen", m) for m in METRICS}
    assert all(torch.equal(part[key], whole[key]) for key in part)


NORMED = [small(seed=s, optim__steps=25, model__layer_norm="pre") for s in range(3)]


@pytest.mark.parametrize(("chunk", "tables"), [(1, 1 << 26), (3 * 7 * 49, 1 << 26), (3 * 7 * 49, 1)])
@pytest.mark.parametrize("trials", [TRIALS, NORMED])
def test_accuracies_do_not_depend_on_how_many_scenes_and_members_are_looked_at_together(
    monkeypatch, trials, chunk, tables
):
    fitted = Fitted(trials)
    whole = evaluate(*fitted.arguments(), scale=fitted.scale)
    monkeypatch.setattr("lrsym.testbed.evaluation.CHUNK_CELLS", {"cpu": chunk})
    monkeypatch.setattr("lrsym.testbed.evaluation.TABLE_CELLS", tables)
    found = evaluate(*fitted.arguments(), scale=fitted.scale)
    assert list(found) == list(whole)
    for key, value in found.items():
        torch.testing.assert_close(value, whole[key], equal_nan=True)


def test_an_encoder_that_cannot_see_positions_orders_unseen_pairs_at_chance():
    fitted = Fitted([small(optim__steps=40)])
    blind = ("EP", "PP", "BP", "VP")
    accuracies = evaluate(*fitted.arguments(), scale=fitted.scale, left_out=blind)
    assert accuracies["unseen", "order"].item() == 0.5
