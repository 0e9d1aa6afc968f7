"""Captions of one label for scenes of several objects, and held-out labels with a partner: what is trained on what."""

import numpy as np
import pytest
import torch

from lrsym.config.scene import HALF_LAYOUTS
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.datasets import partner_scenes, splits
from lrsym.testbed.data.pack_data import PackData
from lrsym.vocabulary import SPLITS
from tests.fitted import CPU
from tests.small_trials import small


def trained_on(trial, data=None, row=0):
    """Scene, as tokens, and caption, as a sentence, of every example of a trial, in their order."""
    data = data or PackData.of([trial], device=CPU)
    entries = data.training_sets[row]
    tokens, captions = data.examples(torch.from_numpy(entries))
    return [
        (tuple(t), sc.caption_text(trial.scenes, int(c)))
        for t, c in zip(tokens.tolist(), captions.tolist(), strict=True)
    ]


def labels_of(tokens):
    return [token for token in tokens[1:] if token]


KINDS = {"left": {}, "both": {"scenes__captions": "both"}, "three": {"scenes__n_objects": 3}}


@pytest.mark.parametrize("kind", KINDS)
def test_with_captions_of_one_label_each_scene_of_several_objects_has_one_for_each_label_besides(kind):
    plain, labelled = small(**KINDS[kind]), small(**KINDS[kind], scenes__label_captions=True)
    before, after = trained_on(plain), trained_on(labelled)
    assert {*before} < {*after}
    assert len(after) == labelled.scenes.n_examples == len({*after})
    scenes = {tokens for tokens, _ in before}
    wanted = {(t, f"{label} is in the image") for t in scenes if len(labels_of(t)) > 1 for label in labels_of(t)}
    assert {*after} - {*before} == wanted


def test_a_held_out_label_stands_beside_a_pair_label_under_its_own_caption_alone():
    trial = small(scenes__heldout_partners=4)
    pairs = trained_on(trial)[len(trained_on(small())) :]
    assert len(pairs) == 3 * 4
    assert len(trained_on(trial)) == trial.scenes.n_examples
    for tokens, caption in pairs:
        (heldout,) = [label for label in labels_of(tokens) if label > 3]
        assert len(labels_of(tokens)) == 2
        assert 4 <= heldout <= 6
        assert caption == f"{heldout} is in the image"
    assert all(sum(caption.startswith(str(label)) for _, caption in pairs) == 4 for label in (4, 5, 6))


def test_partners_are_in_no_split_differ_and_more_of_them_contain_fewer():
    scenes = small(scenes__heldout_partners=20).scenes
    numbers = partner_scenes(scenes, seed=3)
    assert numbers.shape == (3, 20)
    assert len(np.unique(numbers)) == 60
    assert np.isin(numbers, np.concatenate([*splits(scenes, seed=3).values()])).sum() == 0
    fewer = partner_scenes(small(scenes__heldout_partners=5).scenes, seed=3)
    assert (numbers[:, :5] == fewer).all()
    assert (numbers != partner_scenes(scenes, seed=4)).any()


def test_all_partners_there_are_can_be_trained():
    most = 2 * 3 * (10 - HALF_LAYOUTS)
    trial = small(scenes__heldout_partners=most)
    assert len(trained_on(trial)) == 38 + 3 * most


def test_what_is_tested_is_the_same_with_and_without_them():
    plain, other = (
        PackData.of([trial], device=CPU)
        for trial in (small(), small(scenes__label_captions=True, scenes__heldout_partners=4))
    )
    assert {*other.splits[0]} == {*SPLITS}
    for split, numbers in plain.splits[0].items():
        mine, theirs = ((d.scenes[n], d.captions_of[n]) for d, n in ((plain, numbers), (other, other.splits[0][split])))
        assert all((a == b).all() for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_in_a_pack_each_member_trains_on_what_it_trains_on_alone(order):
    each = [small(), small(scenes__label_captions=True, seed=1), small(scenes__heldout_partners=4, seed=2)]
    trials = [each[place] for place in order]
    data = PackData.of(trials, device=CPU)
    for row, trial in enumerate(trials):
        assert trained_on(trial, data, row) == trained_on(trial)
        assert trained_on(trial, data.select([row])) == trained_on(trial)


def test_every_caption_that_is_true_of_a_scene_is_told():
    trial = small(scenes__captions="both", scenes__label_captions=True)
    data = PackData.of([trial], device=CPU)
    batch = torch.from_numpy(data.training_sets[0])[None]
    every = torch.arange(sc.n_captions(trial.scenes))[None]
    told = data.is_true(batch, every)[0]
    tokens, captions = data.examples(batch[0])
    assert told[torch.arange(len(captions)), captions].all()
    assert {*told.sum(dim=1).tolist()} == {1, 4}  # one label; two relations and two labels
    assert (told.sum(dim=1) == 4).equal((tokens[:, 1:] > 0).sum(dim=1) == 2)
