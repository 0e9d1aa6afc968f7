"""The column mirror_pairs against batches as they are drawn."""

import itertools

import numpy as np
import polars as pl
import pytest
import torch

from lrsym.results.store.mirror_pairs import expected_mirror_pairs
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.batches import batches
from lrsym.testbed.data.pack_data import PackData
from tests.fitted import CPU
from tests.small_trials import small

N_BATCHES = 40


def expected(trial):
    """The column mirror_pairs of a trial."""
    values = {key.rpartition(".")[2]: [value] for key, value in trial.values().items()}
    return pl.DataFrame(values).select(expected_mirror_pairs()).item()


def counted(trial):
    """The mirror pairs of every batch, by looking at each two of its examples."""
    data = PackData.of([trial], device=CPU)
    for batch in itertools.islice(batches([trial], data.training_sets, device=CPU), N_BATCHES):
        tokens, captions = data.examples(batch[0])
        of_two = (sc.caption_labels(trial.scenes, captions.numpy()) > 0).all(axis=1)
        shown = [tuple(token for token in row[1:] if token) for row in tokens[torch.from_numpy(of_two)].tolist()]
        yield sum(one == other[::-1] for one, other in itertools.combinations(shown, 2))


KINDS = {
    "all pairs": {},
    "a part of them": {"scenes__coverage": 0.4},
    "captions in both directions": {"scenes__captions": "both"},
    "captions of one label": {"scenes__label_captions": True},
    "partners of held-out labels": {"scenes__heldout_partners": 8},
    "without replacement": {"optim__replacement": False, "optim__batch_size": 9},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_mean_of_what_batches_have(kind):
    trials = [small(**{"scenes__n_pair_labels": 4, **KINDS[kind]}, seed=seed) for seed in range(25)]
    means = np.array([np.mean([*counted(trial)]) for trial in trials])  # seeds are independent, batches of one are not
    wanted = expected(trials[0])
    assert wanted > 0.3
    assert abs(means.mean() - wanted) < 4 * means.std(ddof=1) / len(means) ** 0.5


def test_pairs_in_one_order_have_none():
    trial = small(scenes__pair_orders="one")
    assert expected(trial) == 0
    assert not any(counted(trial))


def test_the_recipe_at_batch_2_by_hand():
    # 105 pairs of labels in both orders, 10 x 10 ways to meet, either first: of 2,200 x 2,200 draws of two examples.
    trial = small(
        scenes__n_positions=10, scenes__n_labels=20, scenes__n_pair_labels=15, scenes__n_heldout_labels=5,
        scenes__positions_per_label=5, scenes__layouts_per_pair=10, optim__batch_size=2,
    )  # fmt: skip
    assert expected(trial) == pytest.approx(2 * 105 * 100 / 2200**2)


@pytest.mark.parametrize(
    "kind",
    [{"scenes__n_objects": 3}, {"scenes__n_rows": 2, "scenes__n_positions": 3, "scenes__captions": "left+above"}],
    ids=["three objects", "left and above"],
)
def test_it_is_null_where_it_is_not_defined(kind):
    assert expected(small(**kind)) is None
