"""Two mirrored scenes under a trained model, held against dense attention."""

import numpy as np
import pytest
import torch

from lrsym.config.geometry import holds
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.mechanism.inspection import contributions, mirror_image, mirrored_scenes, readout_attention
from lrsym.vocabulary import SCORE_TERMS
from tests.fitted import Fitted
from tests.small_trials import small
from tests.textbook import dense_logits, true_sentences

MODEL = Fitted([small(optim__steps=30)]).model
GRID = {"scenes__n_rows": 3, "scenes__n_positions": 4}
KINDS = [
    {},
    {"scenes__captions": "both"},
    {"scenes__n_objects": 3},
    {**GRID, "scenes__captions": "above"},
    {**GRID, "scenes__captions": "left+above", "scenes__n_objects": 3},
    {"scenes__n_heldout_labels": 0},
]


def read(model, tokens, function):
    return function(model.weights["vision"], model.shape.vision, model.embedding_scale, torch.from_numpy(tokens))


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_scene_is_the_mirror_image_of_the_first(kind):
    scenes = small(**kind).scenes
    tokens = mirrored_scenes(scenes)
    image = tokens[:, 1:].reshape(2, scenes.n_rows, scenes.n_positions)
    axis = 0 if scenes.captions == "above" else 1
    np.testing.assert_array_equal(image[1], np.flip(image[0], axis))
    assert (tokens[:, 0] == sc.cls_token(scenes)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_mirrored_scene_makes_the_swap_of_some_true_caption_true(kind):
    scenes = small(**kind).scenes
    here, there = (true_sentences(scenes, tokens) for tokens in mirrored_scenes(scenes))
    swapped = {" ".join([w[-1], *w[1:-1], w[0]]) for w in map(str.split, here)}
    assert swapped & there


@pytest.mark.parametrize("kind", KINDS)
def test_the_scenes_show_held_out_labels_where_there_are_enough(kind):
    scenes = small(**kind).scenes
    labels = {*mirrored_scenes(scenes)[:, 1:].ravel().tolist()} - {0}
    first = scenes.n_pair_labels + 1 if scenes.n_heldout_labels else 1
    assert labels == set(range(first, first + scenes.n_objects))


def test_mirrored_twice_is_the_scene_itself():
    scenes = small(**GRID, scenes__captions="above").scenes
    tokens = mirrored_scenes(scenes)
    np.testing.assert_array_equal(mirror_image(scenes, mirror_image(scenes, tokens)), tokens)


def test_the_objects_of_a_scene_stand_in_the_relation_that_captions_name():
    scenes = small(**GRID, scenes__captions="above").scenes
    first, second = np.flatnonzero(mirrored_scenes(scenes)[0, 1:])
    assert holds("above", first, second, n_columns=4)


@pytest.mark.slow
def test_terms_of_all_kinds_add_up_to_the_logits_of_dense_attention():
    tokens = mirrored_scenes(MODEL.trial.scenes)
    terms = read(MODEL, tokens, contributions)
    assert {*terms} == {*SCORE_TERMS}
    torch.testing.assert_close(sum(terms.values())[0], dense_logits(MODEL, tokens), atol=1e-5, rtol=1e-4)


def test_the_attention_of_one_block_is_the_softmax_of_the_logits():
    tokens = mirrored_scenes(MODEL.trial.scenes)
    (attention,) = read(MODEL, tokens, readout_attention)
    torch.testing.assert_close(attention[0], dense_logits(MODEL, tokens).softmax(-1), atol=1e-5, rtol=1e-4)


def test_each_block_application_has_the_attention_of_the_read_out_token():
    trial = small(model__vision_blocks=2, model__repeats=2)
    model = Fitted([trial]).model
    tokens = mirrored_scenes(trial.scenes)
    applications = read(model, tokens, readout_attention)
    assert [a.shape for a in applications] == [(1, 2, 3, 6)] * 4
    torch.testing.assert_close(applications[0][0], dense_logits(model, tokens).softmax(-1), atol=1e-5, rtol=1e-4)
