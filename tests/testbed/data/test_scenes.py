import math
from itertools import permutations

import numpy as np
import pytest

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.datasets import HALF_LAYOUTS, SAMPLE_SIZE, splits
from tests.small_trials import small
from tests.textbook import true_sentences

SCENES = small().scenes
EVERY = np.arange(sc.n_single_scenes(SCENES) + 7 * 6 * SCENES.n_layouts)


def described(tokens):
    """Labels of a scene from left to right, read off its pixels."""
    return [int(t) for t in tokens[1:] if t != 0]


def test_every_scene_has_another_picture():
    tokens = sc.scene_tokens(SCENES, EVERY)
    assert len({tuple(row) for row in tokens.tolist()}) == len(EVERY) == 35 + 42 * 10


def test_scenes_begin_with_cls_and_show_one_or_two_labels():
    tokens = sc.scene_tokens(SCENES, EVERY)
    assert (tokens[:, 0] == sc.cls_token(SCENES)).all()
    assert {len(described(row)) for row in tokens} == {1, 2}
    assert (np.array([len(described(row)) == 2 for row in tokens]) == sc.has_several_objects(SCENES, EVERY)).all()


@pytest.mark.parametrize("kind", [{}, {"scenes__n_objects": 3}, {"scenes__n_rows": 2, "scenes__captions": "above"}])
def test_a_scene_of_several_objects_is_found_by_its_picture(kind):
    scenes = small(**kind).scenes
    numbers = sc.n_single_scenes(scenes) + np.arange(0, 7 * 6 * scenes.n_layouts, 11)
    assert [sc.scene_number(scenes, tokens) for tokens in sc.scene_tokens(scenes, numbers)] == numbers.tolist()


def test_the_caption_of_a_scene_names_its_labels_from_left_to_right():
    labels = sc.caption_labels(SCENES, sc.scene_captions(SCENES, EVERY)[:, 0])
    for row, named in zip(sc.scene_tokens(SCENES, EVERY), labels, strict=True):
        assert described(row) == [label for label in named.tolist() if label]


def test_captions_are_four_tokens_that_end_in_eot_and_differ():
    tokens = sc.caption_tokens(SCENES)
    assert tokens.shape == (7 + 42, 4)
    assert (tokens[:, sc.EOT_POSITION] == sc.eot_token(SCENES)).all()
    assert len({tuple(row) for row in tokens.tolist()}) == 49


def test_caption_text_reads_as_a_sentence():
    number = 7 + sc.pair_number(SCENES, np.array([2]), np.array([5]))[0]
    assert sc.caption_text(SCENES, int(number)) == "2 is on the left of 5"
    assert sc.caption_text(SCENES, 3) == "4 is in the image"


def test_mirroring_a_scene_twice_changes_nothing_and_once_swaps_its_labels():
    tokens = sc.scene_tokens(SCENES, EVERY)
    assert (sc.mirror(SCENES, sc.mirror(SCENES, tokens)) == tokens).all()
    assert [described(r) for r in sc.mirror(SCENES, tokens)] == [described(r)[::-1] for r in tokens]


def test_swapping_a_caption_twice_changes_nothing_and_once_exchanges_its_labels():
    captions = np.arange(sc.n_captions(SCENES))
    swapped = sc.swap(SCENES, captions)
    assert (sc.swap(SCENES, swapped) == captions).all()
    before, after = sc.caption_labels(SCENES, captions), sc.caption_labels(SCENES, swapped)
    pair = before[:, 1] != 0
    assert (after[pair] == before[pair][:, ::-1]).all()
    assert (swapped[~pair] == captions[~pair]).all()


def test_the_mirrored_scene_is_described_by_the_swapped_caption():
    pairs = EVERY[sc.has_several_objects(SCENES, EVERY)]
    number = {tuple(row): n for n, row in zip(EVERY, sc.scene_tokens(SCENES, EVERY).tolist(), strict=True)}
    mirrored = np.array([number[tuple(row)] for row in sc.mirror(SCENES, sc.scene_tokens(SCENES, pairs)).tolist()])
    captions = sc.scene_captions(SCENES, pairs)[:, 0]
    assert (sc.scene_captions(SCENES, mirrored)[:, 0] == sc.swap(SCENES, captions)).all()


KINDS = {
    "both": {"scenes__captions": "both"},
    "three objects": {"scenes__n_objects": 3},
    "three objects, both": {"scenes__n_objects": 3, "scenes__captions": "both"},
    "grid, left": {"scenes__n_rows": 3, "scenes__n_positions": 2},
    "grid, above": {"scenes__n_rows": 3, "scenes__n_positions": 2, "scenes__captions": "above"},
    "grid, left and above": {"scenes__n_rows": 2, "scenes__n_positions": 3, "scenes__captions": "left+above"},
    "grid, three objects": {
        "scenes__n_rows": 2, "scenes__n_positions": 3, "scenes__captions": "left+above", "scenes__n_objects": 3,
    },
}  # fmt: skip


@pytest.mark.slow_after(2)
@pytest.mark.parametrize("kind", KINDS)
def test_scenes_of_every_kind_differ_and_have_exactly_their_true_captions(kind):
    scenes = small(**KINDS[kind], scenes__n_labels=4, scenes__n_heldout_labels=1).scenes
    groups = math.perm(scenes.n_labels, scenes.n_objects)
    every = np.arange(sc.n_single_scenes(scenes) + groups * scenes.n_layouts)
    tokens, captions = sc.scene_tokens(scenes, every), sc.scene_captions(scenes, every)
    assert len({tuple(row) for row in tokens.tolist()}) == len(every)
    for row, own in zip(tokens, captions, strict=True):
        named = [sc.caption_text(scenes, int(n)) for n in own if n >= 0]
        assert len(named) == len(set(named))
        assert set(named) == true_sentences(scenes, row)


@pytest.mark.parametrize("kind", KINDS)
def test_splits_of_every_kind_are_disjoint_and_the_training_set_has_the_counted_examples(kind):
    scenes = small(**KINDS[kind]).scenes
    drawn = splits(scenes, seed=4)
    together = np.concatenate(list(drawn.values()))
    assert len(np.unique(together)) == len(together)
    assert all(len(numbers) for name, numbers in drawn.items() if name != "uncovered")
    examples = (sc.scene_captions(scenes, drawn["train"]) >= 0).sum()
    if scenes.captions != "left+above":  # there the count is a mean over layouts
        assert examples == scenes.n_examples
    shown = [{t for t in row[1:].tolist() if t} for row in sc.scene_tokens(scenes, drawn["unseen"])]
    assert all(labels <= {4, 5, 6} and len(labels) == scenes.n_objects for labels in shown)


def test_a_grid_of_4_by_4_has_as_many_layouts_as_a_person_counts():
    grid = {"scenes__n_rows": 4, "scenes__n_positions": 4}
    assert small(**grid).scenes.n_layouts == 16 * 12 // 2  # two pixels in different columns
    assert small(**grid, scenes__captions="above").scenes.n_layouts == 16 * 12 // 2
    assert small(**grid, scenes__captions="left+above").scenes.n_layouts == 16 * 15 // 2
    assert small(scenes__n_objects=3, scenes__n_positions=10).scenes.n_layouts == 120


def test_a_split_of_too_many_scenes_is_a_sample():
    many = small(scenes__n_objects=3, scenes__n_pair_labels=9, scenes__n_labels=12, scenes__n_positions=10).scenes
    drawn = splits(many, seed=0)
    assert len(drawn["seen"]) == SAMPLE_SIZE
    assert set(drawn["seen"]).isdisjoint(drawn["train"])


def test_splits_are_disjoint_and_have_the_sizes_of_the_paper():
    drawn = splits(small().scenes, seed=0)
    assert {name: len(numbers) for name, numbers in drawn.items()} == {
        "train": 7 * 2 + 6 * 4,
        "single": 7 * 3,
        "seen": 6 * 6,
        "unseen": 6 * 10,
        "half": 2 * 9 * HALF_LAYOUTS,
        "uncovered": 0,
    }
    together = np.concatenate(list(drawn.values()))
    assert len(np.unique(together)) == len(together)


def test_heldout_labels_are_trained_alone_and_never_in_a_pair():
    drawn = splits(SCENES, seed=3)
    shown = [described(row) for row in sc.scene_tokens(SCENES, drawn["train"])]
    assert {label for labels in shown if len(labels) == 1 for label in labels} == set(range(1, 8))
    assert {label for labels in shown if len(labels) == 2 for label in labels} == {1, 2, 3}
    unseen = [described(row) for row in sc.scene_tokens(SCENES, drawn["unseen"])]
    assert {label for labels in unseen for label in labels} == {4, 5, 6}


def test_more_layouts_contain_the_fewer_of_the_same_seed():
    few = splits(small(scenes__layouts_per_pair=2).scenes, seed=1)["train"]
    many = splits(small(scenes__layouts_per_pair=5).scenes, seed=1)["train"]
    assert set(few) < set(many)


def pairs_of(numbers):
    """Ordered pairs of labels that the scenes with two objects show."""
    shown = (described(row) for row in sc.scene_tokens(SCENES, numbers))
    return {tuple(labels) for labels in shown if len(labels) == 2}


def test_half_seen_pairs_mix_a_pair_label_and_a_heldout_label_in_either_order():
    assert pairs_of(splits(SCENES, seed=1)["half"]) == {
        pair for a in (1, 2, 3) for b in (4, 5, 6) for pair in ((a, b), (b, a))
    }


def test_coverage_trains_its_share_of_pairs_and_leaves_the_others_to_their_own_split():
    drawn = splits(small(scenes__coverage=0.5).scenes, seed=1)
    trained, left_out = pairs_of(drawn["train"]), pairs_of(drawn["uncovered"])
    assert len(trained) == len(left_out) == 3
    assert trained | left_out == set(permutations((1, 2, 3), 2))
    assert len(drawn["uncovered"]) == 3 * SCENES.n_layouts
    assert pairs_of(drawn["seen"]) == trained


def test_more_coverage_contains_the_less_of_the_same_seed_and_draws_the_same_layouts():
    half, full = (set(splits(small(scenes__coverage=c).scenes, seed=1)["train"]) for c in (0.5, 1.0))
    assert half < full


def test_with_pairs_in_one_order_the_mirrored_pairs_are_not_trained():
    drawn = splits(small(scenes__pair_orders="one").scenes, seed=1)
    trained = pairs_of(drawn["train"])
    assert len(trained) == 3
    assert pairs_of(drawn["uncovered"]) == {(b, a) for a, b in trained}


def test_both_orders_occur_among_pairs_trained_in_one_order():
    many = small(scenes__pair_orders="one", scenes__n_pair_labels=15, scenes__n_labels=20).scenes
    train = sc.scene_captions(many, splits(many, seed=1)["train"])[:, 0]
    left, right = sc.caption_labels(many, train[train >= many.n_labels]).T
    assert 0.2 < (left < right).mean() < 0.8


def test_another_seed_draws_other_scenes():
    assert set(splits(SCENES, seed=1)["train"]) != set(splits(SCENES, seed=2)["train"])


@pytest.mark.parametrize(
    ("changes", "empty"),
    [
        ({"scenes__positions_per_label": 5}, "single"),
        ({"scenes__layouts_per_pair": 10}, "seen"),
        ({"scenes__n_heldout_labels": 1}, "unseen"),
    ],
)
def test_a_split_is_empty_when_nothing_is_held_out(changes, empty):
    assert len(splits(small(**changes).scenes, seed=0)[empty]) == 0


def test_a_large_set_of_one_row_and_two_objects_is_kept_whole():
    """Rows of older stores were taken over all of it."""
    many = small(
        scenes__n_pair_labels=18, scenes__n_labels=26, scenes__n_heldout_labels=8, scenes__n_positions=10
    ).scenes
    drawn = splits(many, seed=0)
    assert len(drawn["seen"]) == 18 * 17 * (45 - 4)
    assert len(drawn["half"]) == 2 * 18 * 8 * HALF_LAYOUTS
