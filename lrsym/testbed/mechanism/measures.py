"""Numbers that say by which mechanism a trained model works: where heads attend, and which terms make them.

    Delta_label   EE of the [CLS] row at the last object minus that at the first     "last" and "first" along the
    Delta_pe      EP of the [CLS] row at the last object minus that at the first     relation: right and left

Definitions stand in `lrsym.vocabulary` (MEASURES). Sources: Delta, relational heads, share of the weight term and
rotation, arXiv:2601.12809; the gauge-free forms and what is said of further blocks are ours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.config.scene import SceneConfig
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.data.streams import stream
from lrsym.testbed.mechanism.decomposition import block_terms, decomposable
from lrsym.testbed.mechanism.inspection import contributions, readout_attention
from lrsym.testbed.model.autoregressive import image_first
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape
from lrsym.vocabulary import CONTENT_KEY, POSITION_KEY, SCORE_TERMS

MAX_SCENES = 1000
"""Bounds the unseen scenes that are measured; of more (three objects, large grids) a random sample is taken."""

ByHead = dict[str, Float[Tensor, " head"]]
Row = Float[Tensor, "scene head key"]


@dataclass(frozen=True)
class Measure:
    """One number of vocabulary.MEASURES; block application and head are None where it belongs to the whole model."""

    encoder: str
    block: int | None
    head: int | None
    measure: str
    value: float


def measures(model: PackModel, data: PackData, *, member: int) -> list[Measure]:
    """Return every measure that the encoders of one member have; its weights must be finite.

    Many small numbers are read one by one: best from a model on the host.

    Without unseen pairs there is nothing to measure on the vision encoder. A decoder has the measures of a vision
    encoder, those of [CLS] on the image.
    """
    model = model[member]
    trial, weights, shape, scale = model.trial, model.weights, model.shape, model.embedding_scale
    unseen = data.splits[member]["unseen"]
    if len(unseen) > MAX_SCENES:
        unseen = unseen[np.sort(stream(trial.seed, "measures").permutation(len(unseen))[:MAX_SCENES])]
    tokens = data.scenes[torch.from_numpy(unseen).to(data.scenes.device)].to(model.device)
    of_vision = _of_vision(weights[shape.vision.name], shape.vision, trial.scenes, tokens, scale=scale)
    if shape.autoregressive:
        return [*of_vision]
    return [
        *of_vision,
        *_of_text(weights["text"], shape.text, trial.scenes, data.captions.to(model.device), scale=scale),
        *_of_rotation(weights, trial.scenes),
    ]


def _of_vision(
    weights: Weights, shape: EncoderShape, scenes: SceneConfig, tokens: Int[Tensor, "scene key"], *, scale: Tensor
) -> Iterator[Measure]:
    """Yield where the heads of each block attend on unseen pairs, and by which terms."""
    ends = np.stack(sc.ends(scenes, tokens.cpu().numpy()))
    related = torch.from_numpy((ends >= 0).all(axis=0)).to(tokens.device)
    if not related.any():
        return
    first, last = torch.from_numpy(ends).to(tokens.device)[:, related] + shape.pixels.start
    rows = image_first(tokens[related]) if shape.n_outputs else tokens[related]
    for block, (terms, attention) in enumerate(_readout_rows(weights, shape, rows, scale=scale)):
        values = {"attend_last": _sign_share(_last_minus_first(attention, first, last))}
        values["attention_difference"] = _last_minus_first(attention, first, last).mean(dim=0)
        if terms:
            differences = {name: _last_minus_first(term, first, last) for name, term in terms.items()}
            values |= spreads(terms) | relational_measures(differences)
        yield from _by_head(shape.name, block, values)


def _of_text(
    weights: Weights, shape: EncoderShape, scenes: SceneConfig, captions: Int[Tensor, "caption word"], *, scale: Tensor
) -> Iterator[Measure]:
    """Yield where the heads of each block attend on captions of two labels: words 0 and 2."""
    of_pairs = captions[scenes.n_labels :]
    for block, (terms, attention) in enumerate(_readout_rows(weights, shape, of_pairs, scale=scale)):
        values = {
            "attention_first": attention[:, :, 0].mean(dim=0),
            "attention_second": attention[:, :, 2].mean(dim=0),
            "prefer_first": (attention[:, :, 0] > attention[:, :, 2]).float().mean(dim=0),
        }
        yield from _by_head(shape.name, block, values | (spreads(terms) if terms else {}))


def _readout_rows(
    weights: Weights, shape: EncoderShape, tokens: Int[Tensor, "scene key"], *, scale: Tensor
) -> Iterator[tuple[dict[str, Row], Row]]:
    """Yield terms (none where there are none) and attention of the read-out row, by block application."""
    if shape.is_single_block:  # so its terms are those of the tables
        terms = {name: term[0] for name, term in contributions(weights, shape, scale, tokens).items()}
        yield terms, _sum(terms, SCORE_TERMS).softmax(dim=-1)
    elif decomposable(shape):
        for block in block_terms(weights, shape, tokens, scale=scale):
            yield {name: term[0] for name, term in block.terms.items()}, block.attention[0]
    else:
        for attention in readout_attention(weights, shape, scale, tokens):
            yield {}, attention[0]


def spreads(terms: dict[str, Row]) -> ByHead:
    """Return the standard deviation of each term over scenes and keys, and the share of X W_QK X^T in the row's."""
    deviations = {f"std_{name}": term.std(dim=(0, 2)) for name, term in terms.items()}
    weight = _sum(terms, [name for name in SCORE_TERMS if name[0] != "B"]).std(dim=(0, 2))
    bias = _sum(terms, [name for name in SCORE_TERMS if name[0] == "B"]).std(dim=(0, 2))
    return deviations | {"weight_share": weight / (weight + bias)}


def relational_measures(difference: dict[str, Float[Tensor, "scene head"]]) -> ByHead:
    """Return how often position decides between two objects, from each term at the last minus at the first."""
    label, position = difference["EE"], difference["EP"]
    content, place = _sum(difference, CONTENT_KEY), _sum(difference, POSITION_KEY)
    return {
        "delta_label": label.abs().mean(dim=0),
        "delta_pe": position.mean(dim=0),
        "relational": _decides(position, label),
        "delta_content": content.abs().mean(dim=0),
        "delta_position": place.mean(dim=0),
        "relational_gauge_free": _decides(place, content),
    }


def _decides(position: Float[Tensor, "scene head"], label: Float[Tensor, "scene head"]) -> Float[Tensor, " head"]:
    """Return the share of scenes in which position outweighs label and points where it does on average."""
    direction = position.mean(dim=0).sign()
    return ((label.abs() < position.abs()) & (position.sign() == direction)).float().mean(dim=0)


def _of_rotation(weights: dict[str, Weights], scenes: SceneConfig) -> Iterator[Measure]:
    """Yield how well the rotation between trained labels of both encoders fits the held-out ones."""
    n_trained = scenes.n_pair_labels
    if not scenes.n_heldout_labels:
        return
    labels = slice(1, n_trained + scenes.n_heldout_labels + 1)
    image, text = (weights[encoder]["token"][0, labels] for encoder in ("vision", "text"))
    fitted = rotation(image[:n_trained], text[:n_trained])
    for name, vectors in (("raw", image), ("rotated", image @ fitted)):
        cosine = torch.nn.functional.normalize(vectors, dim=1) @ torch.nn.functional.normalize(text, dim=1).T
        for group, members in (("trained", slice(None, n_trained)), ("heldout", slice(n_trained, None))):
            yield Measure("both", None, None, f"cosine_{name}_{group}", cosine.diagonal()[members].mean().item())


def rotation(
    source: Float[Tensor, "label width"], target: Float[Tensor, "label width"]
) -> Float[Tensor, "width width"]:
    """Return the rotation with the least squares of `source @ rotation - target`, zero beyond their span.

    The product of both has no more singular values than there are labels: what is beyond is rounding.

    Source: Schönemann 1966.
    """
    u, size, v = torch.linalg.svd(source.T @ target)
    spanned = (size > size.max() * 1e-6) & (torch.arange(len(size), device=size.device) < len(source))
    return u[:, spanned] @ v[spanned]


def _last_minus_first(
    row: Row, first: Int[Tensor, " scene"], last: Int[Tensor, " scene"]
) -> Float[Tensor, "scene head"]:
    """Return the row at the last object minus at the first."""
    at = torch.arange(len(row), device=row.device)
    return row[at, :, last] - row[at, :, first]


def _sign_share(difference: Float[Tensor, "scene head"]) -> Float[Tensor, " head"]:
    return difference.sign().mean(dim=0)


def _sum(terms: dict[str, Tensor], names: Iterable[str]) -> Tensor:
    return torch.stack([terms[name] for name in names]).sum(dim=0)


def _by_head(encoder: str, block: int, values: ByHead) -> Iterator[Measure]:
    for name, of_heads in values.items():
        yield from (Measure(encoder, block, head, name, value) for head, value in enumerate(of_heads.tolist()))
