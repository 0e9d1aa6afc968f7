"""The written-out gradients against finite differences and against autograd, in double precision."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.model.encoder import encode, scene_projector
from lrsym.testbed.model.product_orders import HeadsFirst, RowsFirst
from lrsym.testbed.model.shape import ModelShape
from lrsym.testbed.model.table_block import TRAINED, Tables
from lrsym.testbed.model.table_encoder import TableEncoder, read_out
from lrsym.testbed.training.contrastive import contrastive_loss
from lrsym.testbed.training.training import batch_loss
from tests.fitted import CPU, noisy_model
from tests.small_trials import small


def doubles(shape):
    """Random parameters of an encoder for two members, its trained names in order, and its projection.

    Of a size with which logits are about one, so that no attention is all or nothing.
    """
    generator, size = torch.Generator().manual_seed(3), shape.d_model**-0.25
    named = {
        name: torch.randn(2, *of, dtype=torch.float64, generator=generator).mul_(size).requires_grad_()
        for name, of in shape.shapes().items()
    }
    return [named[name] for name in TRAINED], named.get("projection")


def encoded(encoder, batch, **changes):
    """What `read_out` is given for random weights, and those by name."""
    shape = ModelShape.of(small(**changes)).encoders[encoder]
    weights, projection = doubles(shape)
    scale = torch.tensor([1.5, 3.0], dtype=torch.float64)
    tokens = torch.randint(shape.n_tokens, (2, batch, shape.length), generator=torch.Generator().manual_seed(5))
    tables = Tables.of(dict(zip(TRAINED, weights, strict=True)), shape, scale)
    return tables, shape, tokens, projection, weights, scale


ORDERS = {  # encoder, batch, width; two heads
    "heads first": (0, 2, 64),
    "rows first": (0, 60, 64),
    "heads first, then the projection": (1, 2, 64),
    "rows first, then the projection": (1, 20, 256),
    "rows first with the projection folded in": (1, 60, 64),
}


@pytest.mark.parametrize("order", ORDERS)
def test_the_gradient_of_an_encoder_is_that_of_autograd_through_the_same_tables(order):
    encoder, batch, width = ORDERS[order]
    sizes = {"model__d_model": width, "model__n_heads": 2}
    tables, shape, tokens, projection, weights, scale = encoded(encoder, batch, **sizes)
    ours, _ = TableEncoder.apply(shape, scale, tokens, projection, *weights)
    wanted, cache = read_out(tables, shape, tokens, projection)
    assert isinstance(cache.product_order, HeadsFirst if "heads" in order else RowsFirst)
    assert (cache.embedding is not None) == ("then" in order)
    torch.testing.assert_close(ours, wanted, atol=1e-12, rtol=1e-12)
    upstream = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    inputs = weights if projection is None else [*weights, projection]
    found, right = (torch.autograd.grad(out, inputs, upstream) for out in (ours, wanted))
    for name, a, b in zip((*TRAINED, "projection"), found, right, strict=False):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [0, 1])
@pytest.mark.parametrize("batch", [5, 50, 300])
@pytest.mark.parametrize(("width", "heads"), [(32, 1), (128, 4), (128, 16), (512, 4)])
def test_a_batch_takes_the_order_of_products_with_the_fewest_operations(encoder, batch, width, heads):
    tables, shape, tokens, projection, *_ = encoded(encoder, batch, model__d_model=width, model__n_heads=heads)
    n_rows = tables.rows.shape[1]
    by_row = torch.rand(2, batch, n_rows, heads, dtype=torch.float64)

    def then(embedding):
        return embedding if projection is None else torch.bmm(embedding, projection)

    orders = [
        lambda: then(HeadsFirst.forward(by_row, tables)[0]),
        lambda: then(RowsFirst.forward(by_row, tables, None)[0]),
    ]
    if projection is not None:
        orders.append(lambda: RowsFirst.forward(by_row, tables, projection)[0])
    taken, *each = (operations(product) for product in (lambda: read_out(tables, shape, tokens, projection), *orders))
    assert taken <= min(each) * 1.01  # the constant row is not counted
    assert max(each) > taken * 1.05


def operations(call):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


IMAGES = {
    "two objects": {},
    "three objects": {"scenes__n_objects": 3, "scenes__n_pair_labels": 4, "scenes__layouts_per_pair": 2},
    "a grid": {"scenes__captions": "left+above", "scenes__n_rows": 2, "scenes__n_positions": 3},
    "a norm": {"model__layer_norm": "post"},
}


@pytest.mark.parametrize("left_out", [(), ("VP",), ("mean VP",), ("EP", "PE")])
@pytest.mark.parametrize("images", IMAGES)
def test_what_an_evaluation_projects_on_directions_is_the_embedding_times_them(images, left_out):
    trials = [small(seed=seed, **IMAGES[images]) for seed in range(3)]
    data, model = PackData.of(trials, device=CPU), noisy_model(trials, std=0.3, dtype=torch.float64)
    generator, shape = torch.Generator().manual_seed(7), model.shape.vision
    scale = torch.tensor([1.5, 3.0, 1.0], dtype=torch.float64)
    directions = torch.randn(3, 12, 9, dtype=torch.float64, generator=generator)
    vision = model.weights["vision"]
    project = scene_projector(vision, shape, directions, scale=scale, left_out=left_out)
    # Each member has its own scenes, single objects among them.
    number = torch.stack([torch.randperm(len(data.scenes), generator=generator) for _ in trials])
    embedding, _ = encode(vision, shape, data.scenes[number], scale=scale, left_out=left_out)
    torch.testing.assert_close(project(data.scenes[number], data.objects[number]), embedding @ directions)


def test_the_gradient_of_the_loss_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(1)
    image, text = (torch.randn(2, n, 3, dtype=torch.float64, generator=generator).requires_grad_() for n in (5, 4))
    log_scale = torch.tensor([0.3, 1.1], dtype=torch.float64, requires_grad=True)
    columns = torch.tensor([[0, 1, 1, 3, 0], [2, 2, 2, 2, 2]])
    assert torch.autograd.gradcheck(lambda *given: contrastive_loss(*given, columns), (image, text, log_scale))


def textbook_loss(image, text, scale):
    logits = scale * F.normalize(image, dim=1) @ F.normalize(text, dim=1).T
    own = torch.arange(len(image))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_a_caption_that_occurs_twice_counts_twice_and_one_that_does_not_occur_counts_nothing(scale):
    generator = torch.Generator().manual_seed(2)
    image, text = (torch.randn(1, n, 6, generator=generator) for n in (7, 5))
    columns = torch.tensor([[0, 3, 3, 1, 0, 0, 1]])  # columns 2 and 4 do not occur
    found = contrastive_loss(image, text, torch.tensor([scale]).log(), columns)
    wanted = textbook_loss(image[0].double(), text[0, columns[0]].double(), scale)
    torch.testing.assert_close(found[0].double(), wanted, atol=1e-4, rtol=1e-5)


def test_a_caption_that_is_far_below_another_costs_its_distance_and_not_infinity():
    image, text = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]]), torch.tensor([[[-1.0, 0.0], [1.0, 0.0]]])
    loss = contrastive_loss(image, text, torch.tensor([100.0]).log())
    assert loss.item() == pytest.approx(200, abs=1e-3)  # its probability, exp(-200), is below every float


@pytest.mark.parametrize("changes", [{}, {"model__layer_norm": "pre"}])
def test_encoding_each_caption_once_or_once_an_example_gives_the_same_loss_and_gradient(changes):
    trials = [small(seed=seed, **changes) for seed in (0, 1)]
    data, model = PackData.of(trials, device=CPU), noisy_model(trials, dtype=torch.float64)
    parameters = [weight.requires_grad_() for weight in model.parameters()]
    weights, scale = model.weights, model.embedding_scale
    batch = torch.stack([torch.from_numpy(s[:30]) for s in data.training_sets])
    assert data.trained.shape[1] <= 30
    once = batch_loss(model, data, batch)
    scenes, captions = data.examples(batch)
    image, _ = encode(weights["vision"], model.shape.vision, scenes, scale=scale)
    text, _ = encode(weights["text"], model.shape.text, data.captions[captions], scale=scale)
    each = contrastive_loss(image, text, weights["loss"]["log_scale"])
    torch.testing.assert_close(once, each, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(*(torch.autograd.grad(loss.sum(), parameters) for loss in (once, each)))
