import numpy as np
import pytest
import torch

from lrsym.testbed.mechanism.mechanism import (
    ABLATION_SPLITS,
    ablations,
    along_relation,
    monotonicity,
    profiles,
    ramp,
    slope,
    term_tables,
)
from lrsym.testbed.model.scores import score_tables
from lrsym.vocabulary import ABLATIONS, SCORE_TERMS
from tests.fitted import Fitted
from tests.small_trials import small

FITTED = Fitted([small(seed=0, optim__steps=30), small(seed=1, optim__steps=30)])


@pytest.mark.slow
def test_nothing_left_out_is_the_evaluation_itself():
    by_term = dict(ablations(*FITTED.arguments()))
    assert list(by_term) == [name for name in ABLATIONS if name != "R"]
    whole = FITTED.evaluate(splits=ABLATION_SPLITS)
    assert by_term["none"].splits == whole.splits == ABLATION_SPLITS
    torch.testing.assert_close(by_term["none"].values, whole.values, atol=0, rtol=0, equal_nan=True)


@pytest.mark.slow
def test_leaving_out_all_content_or_all_position_terms_changes_what_is_recognised():
    by_term = dict(ablations(*FITTED.arguments()))
    assert not torch.equal(by_term["EE+PE+BE"]["seen", "global"], by_term["none"]["seen", "global"])
    assert not torch.equal(by_term["EP+PP+BP"]["seen", "order"], by_term["none"]["seen", "order"])


@pytest.mark.slow
def test_one_block_without_any_position_tells_no_order_at_all():
    without = dict(ablations(*FITTED.arguments()))["EP+PP+BP+VP"]["unseen", "order"]
    torch.testing.assert_close(without, torch.full_like(without, 0.5), atol=1e-6, rtol=0)
    assert not torch.equal(without, dict(ablations(*FITTED.arguments()))["none"]["unseen", "order"])


def test_moving_a_vector_between_cls_token_position_and_query_bias_renames_terms_and_keeps_the_sums():
    weights = {k: v.clone() for k, v in FITTED.model.weights["vision"].items()}
    shape, scale = FITTED.model.shape.vision, FITTED.model.embedding_scale
    before = term_tables(weights, shape, scale)
    shift = torch.randn(2, 12, generator=torch.Generator().manual_seed(3))
    # Only the query of [CLS] is moved; as a key it keeps its place through the table entries compared below.
    weights["token"][:, shape.readout_token] += shift / scale[:, None]
    weights["position"][:, 0] -= shift
    after = term_tables(weights, shape, scale)
    pixels = slice(1, None)
    torch.testing.assert_close(before["EP+PP+BP"][..., pixels], after["EP+PP+BP"][..., pixels], atol=1e-5, rtol=1e-4)
    labels = slice(0, shape.readout_token)
    torch.testing.assert_close(before["EE+PE+BE"][..., labels], after["EE+PE+BE"][..., labels], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(before["EP"][..., pixels], after["EP"][..., pixels], atol=1e-3)


def test_profiles_hold_every_term_of_every_head_of_both_encoders():
    (first, _) = profiles(FITTED.model)
    terms = [*SCORE_TERMS, "EP+PP+BP", "EE+PE+BE"]
    assert sorted((p.encoder, p.head, p.term) for p in first) == sorted(
        (encoder, head, term) for encoder in ("vision", "text") for head in range(3) for term in terms
    )
    model = FITTED.model
    tables = score_tables(model.weights["vision"], model.shape.vision, model.embedding_scale)
    (ep,) = (p for p in first if (p.encoder, p.head, p.term) == ("vision", 1, "EP"))
    np.testing.assert_allclose(ep.values, tables[1][0, 0, 1].numpy())
    assert ep.slope == pytest.approx(slope(ep.values[1:]))


def test_slope_and_monotonicity_are_for_pixels_of_the_vision_encoder_only():
    (first, _) = profiles(FITTED.model)
    for p in first:
        assert (p.slope is not None) == (p.encoder == "vision" and p.term.endswith("P"))
        assert (p.monotonicity is None) == (p.ramp is None) == (p.slope is None)


def test_rotary_positions_have_one_ablation_and_one_profile():
    fitted = Fitted([small(model__positions="rotary", model__init_position_std=0.0)])
    assert [term for term, _ in ablations(*fitted.arguments())] == ["none", "R"]
    (member,) = profiles(fitted.model)
    assert {(p.encoder, p.term) for p in member} == {("vision", "R"), ("text", "R")}
    assert all((p.slope is None) == (p.encoder == "text") for p in member)


@pytest.mark.parametrize(
    ("values", "expected_slope", "expected_monotonicity", "expected_ramp"),
    [
        ([1, 3, 5, 7], 2, 1, 1),
        ([0, -1, -2], -1, -1, 1),
        ([0, 1, 0], 0, 0, 0),
        ([4, 4, 4], 0, 0, 0),
        ([0, 2, 1, 3], 0.8, 4 / 6, 0.8**2 * 5 / 5),
    ],
)
def test_a_person_can_check_slope_monotonicity_and_ramp(values, expected_slope, expected_monotonicity, expected_ramp):
    profile = np.array(values, dtype=np.float32)
    assert ramp(profile) == pytest.approx(expected_ramp)
    assert slope(profile) == pytest.approx(expected_slope)
    assert monotonicity(profile) == pytest.approx(expected_monotonicity)


def test_on_a_grid_the_slope_is_that_of_the_columns_and_of_rows_where_captions_say_above():
    horizontal = np.tile(np.arange(3, dtype=np.float32) * 2, 2)  # two rows of three columns
    for captions, wanted in (("left", 2), ("above", 0)):
        grid = {"scenes__n_rows": 2, "scenes__n_positions": 3, "scenes__captions": captions}
        shape = Fitted([small(**grid)]).model.shape.vision
        assert slope(along_relation(horizontal, shape)) == pytest.approx(wanted)
