"""Measures of the mechanism against loops over scenes, and on models that a person can see through."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.mechanism import measures as measures_module
from lrsym.testbed.mechanism.decomposition import block_terms
from lrsym.testbed.mechanism.measures import measures, relational_measures, rotation
from lrsym.vocabulary import MEASURES, SCORE_TERMS
from tests.fitted import CPU, Fitted, noisy_model
from tests.small_trials import small


def measured(fitted, row=0):
    values = measures(fitted.model, fitted.data)[row]
    return {(m.encoder, m.block, m.head, m.measure): m.value for m in values}


FITTED = Fitted([small(seed=0, optim__steps=40), small(seed=1, optim__steps=40, scenes__n_pair_labels=4)])


@pytest.mark.slow
def test_every_measure_has_its_sentence_and_every_sentence_its_measure():
    assert {name for *_, name in measured(FITTED)} == {*MEASURES}


def test_measures_of_unseen_pairs_agree_with_a_loop_over_scenes():
    for row in range(2):
        model = FITTED.model[row]
        weights, shape, scale = model.weights["vision"], model.shape.vision, model.embedding_scale
        tokens = FITTED.data.scenes[FITTED.data.splits[row]["unseen"]]
        (block,) = block_terms(weights, shape, tokens, scale=scale)
        for head in range(3):
            right, relational, delta_pe, delta_label = [], [], [], []
            for n, scene in enumerate(tokens.tolist()):
                left_key, right_key = (key for key, token in enumerate(scene) if key and token)
                attention, ee, ep = (x[0, n, head] for x in (block.attention, block.terms["EE"], block.terms["EP"]))
                right.append(math.copysign(1, attention[right_key] - attention[left_key]))
                delta_label.append((ee[right_key] - ee[left_key]).item())
                delta_pe.append((ep[right_key] - ep[left_key]).item())
            towards = math.copysign(1, np.mean(delta_pe))
            relational = [abs(a) < abs(b) and b * towards > 0 for a, b in zip(delta_label, delta_pe, strict=True)]
            values = {m: v for (e, _, h, m), v in measured(FITTED, row).items() if (e, h) == ("vision", head)}
            assert values["attend_last"] == pytest.approx(np.mean(right), abs=1e-6)
            assert values["relational"] == pytest.approx(np.mean(relational), abs=1e-6)
            assert values["delta_pe"] == pytest.approx(np.mean(delta_pe), abs=1e-6)
            assert values["delta_label"] == pytest.approx(np.mean(np.abs(delta_label)), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"model__vision_blocks": 2}], ids=["one block", "two blocks"])
def test_a_member_has_the_measures_that_it_has_alone_however_many_scenes_others_have(changes, monkeypatch):
    trials = [small(seed=s, scenes__n_heldout_labels=n, **changes) for s, n in enumerate((3, 2, 3, 0, 3))]
    model, data = noisy_model(trials), PackData.of(trials, device=CPU)
    for chunk in (1, measures_module.CHUNK):
        monkeypatch.setattr(measures_module, "CHUNK", chunk)
        for row, found in enumerate(measures(model, data)):
            (alone,) = measures(model[row], data.select([row]))
            assert [m.value for m in found] == pytest.approx([m.value for m in alone], abs=1e-5)
            assert [replace(m, value=0.0) for m in found] == [replace(m, value=0.0) for m in alone]


def test_what_overflows_is_left_out_and_the_rest_stays():
    model = noisy_model([small(seed=0)])
    with torch.no_grad():
        for name in ("token", "position"):
            model.weights["vision"][name].mul_(1e15)  # finite: their product with themselves, squared, is not
    (found,) = measures(model, PackData.of(model.trials, device=CPU))
    assert all(math.isfinite(measure.value) for measure in found)
    assert "attend_last" in {measure.measure for measure in found}
    assert "weight_share" not in {measure.measure for measure in found if measure.encoder == "vision"}


def test_a_head_of_position_alone_is_relational_and_one_of_labels_alone_is_not():
    scene, head = 6, 2
    terms = {name: torch.zeros(scene, head) for name in SCORE_TERMS}
    terms["EP"][:, 0], terms["EE"][:, 1] = -2.0, torch.tensor([1.0, -1, 1, -1, 1, -1])
    values = relational_measures(terms)
    assert values["relational"].tolist() == values["relational_gauge_free"].tolist() == [1, 0]
    assert values["delta_pe"].tolist() == [-2, 0]
    assert values["delta_label"].tolist() == [0, 1]


@pytest.mark.slow
def test_gauge_free_measures_do_not_change_when_a_vector_moves_between_cls_token_and_position():
    moved = Fitted([small(seed=0, optim__steps=40)])
    before = measured(moved)
    weights = moved.model.weights["vision"]
    shift = torch.randn(1, 12, generator=torch.Generator().manual_seed(3))
    weights["token"][:, moved.model.shape.vision.readout_token] += shift / moved.model.embedding_scale[:, None]
    weights["position"][:, 0] -= shift
    after = measured(moved)
    for head in range(3):
        for name in ("delta_content", "delta_position", "relational_gauge_free", "attend_last"):
            key = ("vision", 0, head, name)
            assert after[key] == pytest.approx(before[key], abs=1e-4)
    assert any(abs(after["vision", 0, h, "delta_pe"] - before["vision", 0, h, "delta_pe"]) > 1e-3 for h in range(3))


def test_a_rotation_is_recovered_and_orthogonal_within_the_span_it_was_fitted_on():
    rng = torch.Generator().manual_seed(5)
    turn, _ = torch.linalg.qr(torch.randn(6, 6, generator=rng))
    source = torch.randn(9, 6, generator=rng)
    torch.testing.assert_close(rotation(source, source @ turn), turn, atol=1e-5, rtol=1e-5)
    few = torch.randn(2, 6, generator=rng)
    fitted = rotation(few, few @ turn)
    torch.testing.assert_close(few @ fitted, few @ turn, atol=1e-5, rtol=1e-5)
    assert torch.linalg.matrix_rank(fitted) == 2


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    "changes",
    [
        {"model__layer_norm": "pre"},
        {"model__positions": "rotary", "model__init_position_std": 0.0},
        {"model__d_mlp": 8, "model__text_blocks": 2},
    ],
    ids=["pre", "rotary", "mlp"],
)
def test_encoders_without_a_decomposition_say_where_they_look_and_no_more(changes):
    values = measured(Fitted([small(**changes)]))
    names = {name for *_, name in values}
    assert {"attend_last", "prefer_first", "cosine_rotated_heldout"} <= names
    assert not {"relational", "std_EE", "weight_share"} & names


@pytest.mark.parametrize(
    ("changes", "first", "last"),
    [
        ({}, (0, 1, 2), (3, 4, 2)),
        ({"scenes__n_rows": 2, "scenes__n_positions": 3}, (3, 1, 0), (2, 5, 5)),
        ({"scenes__n_rows": 2, "scenes__n_positions": 3, "scenes__captions": "above"}, (2, 1, 0), (3, 5, 5)),
    ],
)
def test_the_ends_of_a_scene_go_along_its_first_relation(changes, first, last):
    scenes = small(**changes).scenes
    tokens = np.zeros((3, 1 + scenes.n_pixels), dtype=np.int64)
    for n, pixels in enumerate(zip(first, last, strict=True)):
        tokens[n, 1 + np.array(pixels)] = 1
    wanted_first, wanted_last = (np.where(np.equal(first, last), -1, ends) for ends in (first, last))
    found_first, found_last = sc.ends(scenes, tokens)
    assert found_first.tolist() == wanted_first.tolist()
    assert found_last.tolist() == wanted_last.tolist()


def test_a_trial_without_unseen_pairs_has_no_measure_of_them():
    values = measured(Fitted([small(scenes__n_heldout_labels=0)]))
    assert {name for *_, name in values} >= {"prefer_first"}
    assert not {name for *_, name in values} & {"attend_last", "relational", "cosine_raw_heldout"}
