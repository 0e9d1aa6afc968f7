"""Dropout: how its bits fall, and the bare block under it."""

import itertools
import os

import numpy as np
import pytest
import torch

from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.blocks import encode_blocks
from lrsym.testbed.model.drop import Site, dropped
from lrsym.testbed.model.dropped_block import encode_dropped
from lrsym.testbed.training.dropout import SITES_AT_A_TIME, Dropout, draw
from lrsym.testbed.training.training import Training, fit
from tests.fitted import CPU, noisy_model
from tests.small_trials import small


def begun(*trials, step=1):
    drop = Dropout.of(trials, device=CPU)
    assert drop
    drop.begin(torch.tensor(step))
    return drop


def bits(rate=0.5, *, seed=0, step=1, sites=1, shape=(64, 50, 32)):
    """What falls out at each of the first sites, [site, ...], as numbers 0 and 1."""
    drop = begun(small(seed=seed, model__dropout=rate), step=step)
    return np.stack([drop((1, *shape)).mask[0].numpy() == 0 for _ in range(sites)]).astype(float)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    n, drop = 200 * 301, begun(small(model__dropout=rate), small(model__dropout=0.0))
    one, kept = dropped(torch.ones(2, 200, 301), drop)
    share = (one == 0).double().mean().item()
    assert share == pytest.approx(rate, abs=5 * (rate * (1 - rate) / n) ** 0.5)
    assert one.max().item() == pytest.approx(1 / (1 - rate))
    assert torch.equal(kept, torch.ones(200, 301))


def test_bits_do_not_depend_on_each_other():
    """Neighbours in place, at a distance, in step, site, seed and in the halves of a word: correlations of n bits each
    within five standard deviations of none."""
    base = bits(sites=4)
    flat = base[0].ravel()
    pairs = [(flat[:-gap], flat[gap:]) for gap in (1, 2, 3, 16, 31, 32, 33, 256, 32 * 50, 32 * 50 + 1)]
    pairs += [(flat[: len(flat) // 2], flat[len(flat) // 2 :])]  # the halves of words
    pairs += [(a.ravel(), b.ravel()) for a, b in itertools.combinations(base, 2)]
    pairs += [(flat, bits(step=step).ravel()) for step in (2, 3, 17, 65537)]
    pairs += [(flat, bits(seed=seed).ravel()) for seed in (1, 2, 3)]
    for one, other in pairs:
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / len(one) ** 0.5
    three = flat[:-2] == flat[1:-1], flat[1:-1] == flat[2:]
    assert abs(np.corrcoef(*three)[0, 1]) < 5 / len(flat) ** 0.5


def test_counts_spread_as_those_of_a_fair_coin_along_every_direction():
    """Sums over places, channels, examples and steps vary as sums of independent draws do, no more and no less."""
    rate = 0.1
    drawn = np.concatenate([bits(rate, step=step) for step in range(1, 41)])
    for axes in ((0,), (1, 2), (1, 3), (2, 3), (0, 1, 2), (0, 2, 3), (1, 2, 3)):
        n = np.prod([drawn.shape[axis] for axis in axes])
        z = (drawn.sum(axis=axes).ravel() - n * rate) / (n * rate * (1 - rate)) ** 0.5
        assert (z**2).mean() == pytest.approx(1, abs=6 * (2 / len(z)) ** 0.5), axes


def test_a_member_drops_the_same_in_any_pack_and_at_any_rate_no_less_than_at_a_lower_one():
    trials = [small(seed=7, model__dropout=rate) for rate in (0.1, 0.4)] + [small(seed=8, model__dropout=0.1)]
    together = begun(*trials)((3, 20, 15)).mask
    for row, trial in enumerate(trials):
        assert torch.equal(begun(trial)((1, 20, 15)).mask[0], together[row])
    assert ((together[0] == 0) <= (together[1] == 0)).all()


def test_the_stream_of_this_version_stays_as_it_is():
    """Other numbers need another `version` of the axis: rows of old stores were trained with these."""
    mask = begun(small(seed=3, model__dropout=0.5), step=2)((1, 40)).mask
    assert "".join("01"[entry == 0] for entry in mask[0].tolist()) == PINNED


PINNED = "0000110010110010001011111110001110000100"


@pytest.mark.skipif("TRITON_INTERPRET" not in os.environ, reason="a GPU is here, see tests/test_gpu.py")
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("half", [1, 1024, 3001])
def test_the_kernel_draws_the_same_bits(half):
    from lrsym.testbed.training import dropout_kernels

    keys = torch.tensor([[1, -5, 2**31 - 1], [-(2**31), 77, 12345]], dtype=torch.int32)
    least = torch.tensor([0, 6554, 65536], dtype=torch.int32)
    masks = draw(keys, least, half)
    assert torch.equal(dropout_kernels.draw(keys, least, half), masks)
    assert (masks[0] == -1).all()
    assert (masks[2] == 0).all()


def draws(trials, sites):
    """The same sites each time they are asked for from the start, in the precision of a test."""
    drop = begun(*trials)

    def draw(shape, *, attention=False):
        site = drop(shape, attention=attention)
        sites.append(site is not None)
        return site and Site(site.mask, site.factors.double())

    return draw


RATES = [(0.2, 0.0), (0.0, 0.3), (0.2, 0.3)]


@pytest.mark.parametrize("encoder", ["vision", "text"])
@pytest.mark.parametrize(("stream", "attention"), RATES)
def test_the_bare_block_under_dropout_is_the_general_one_and_so_are_its_gradients(encoder, stream, attention):
    rates = {"model__dropout": stream, "model__attention_dropout": attention}
    trials = [small(seed=0, **rates), small(seed=1, **rates)]
    model = noisy_model(trials, dtype=torch.float64)
    shape, weights = getattr(model.shape, encoder), {n: w.requires_grad_() for n, w in model.weights[encoder].items()}
    tokens = torch.randint(shape.n_tokens, (2, 9, shape.length), generator=torch.Generator().manual_seed(1))
    scale, seen = model.embedding_scale.double(), [[], []]
    wanted, of_all = encode_blocks(weights, shape, tokens, scale=scale, left_out=(), drop=draws(trials, seen[0]))
    ours, attended = encode_dropped(weights, shape, tokens, scale=scale, drop=draws(trials, seen[1]))
    torch.testing.assert_close(ours, wanted[:, :, 0])
    torch.testing.assert_close(attended, of_all[0][:, :, :, 0])
    assert seen[0] == seen[1] == [bool(stream), bool(attention), bool(stream)]
    upstream = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    trained = [weight for name, weight in weights.items() if name != "projection"]
    found, right = (torch.autograd.grad(out, trained, upstream) for out in (ours, wanted[:, :, 0]))
    for a, b in zip(found, right, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.slow
def test_sites_beyond_those_whose_keys_are_made_together_are_sites_as_well():
    drop = begun(small(model__dropout=0.5))
    masks = [drop((1, 400)).mask.numpy() for _ in range(2 * SITES_AT_A_TIME + 2)]
    assert len({mask.tobytes() for mask in masks}) == len(masks)
    deep = small(model__dropout=0.2, model__attention_dropout=0.1, model__text_blocks=12, model__repeats=4)
    training = Training([deep], PackData.of([deep], device=CPU), device=CPU)
    training.advance()
    assert training.snapshot().loss.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [{}, {"model__repeats": 2, "model__d_mlp": 8, "model__layer_norm": "pre"}])
def test_a_training_under_dropout_goes_on_as_if_it_had_never_stopped(kind):
    trials = [small(seed=s, model__dropout=0.2, model__attention_dropout=0.1, optim__steps=6, **kind) for s in (0, 1)]
    data = PackData.of(trials, device=CPU)
    training = Training(trials, data, device=CPU)
    for _ in range(3):
        training.advance()
    later = training.select([1])
    for each in (training, later):
        while each.step < each.n_steps:
            each.advance()
    of_both = (x.model.parameters() for x in (training.snapshot().select([1]), later.snapshot()))
    for whole, resumed in zip(*of_both, strict=True):
        torch.testing.assert_close(resumed, whole)
    *_, uncut = fit(trials, data, device=CPU)
    for whole, other in zip(training.snapshot().model.parameters(), uncut.model.parameters(), strict=True):
        assert torch.equal(whole, other)
