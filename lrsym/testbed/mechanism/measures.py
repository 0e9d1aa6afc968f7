"""Numbers that say by which mechanism a trained model works: where heads look, and which terms make them.

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
from lrsym.config.trial import Trial
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.data.streams import stream
from lrsym.testbed.mechanism.decomposition import block_terms, decomposable
from lrsym.testbed.mechanism.inspection import contributions, readout_attention
from lrsym.testbed.model.autoregressive import image_first
from lrsym.testbed.model.parameters import EncoderShape, Flat, ModelShape, Weights
from lrsym.vocabulary import CONTENT_KEY, POSITION_KEY, SCORE_TERMS

MAX_SCENES = 1000
"""Unseen scenes that are looked at; of more (three objects, large grids) a random sample."""

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


def measures(
    layout: ModelShape, flat: Flat, data: PackData, trial: Trial, *, member: int, scale: Float[Tensor, " trial"]
) -> list[Measure]:
    """Every measure that the encoders of `trial`, row `member` of the pack, have; its parameters must be finite.

    Without unseen pairs there is nothing to measure on the vision encoder. A decoder has the measures of a vision
    encoder, those of [CLS] on the image.
    """
    weights, own = layout.views(flat[member : member + 1]), scale[member : member + 1]
    unseen = data.splits[member]["unseen"]
    if len(unseen) > MAX_SCENES:
        unseen = unseen[np.sort(stream(trial.seed, "measures").permutation(len(unseen))[:MAX_SCENES])]
    scenes = data.scenes[torch.from_numpy(unseen).to(data.scenes.device)]
    of_vision = _of_vision(weights[layout.vision.name], layout.vision, trial.scenes, scenes, scale=own)
    if layout.autoregressive:
        return [*of_vision]
    return [
        *of_vision,
        *_of_text(weights["text"], layout.text, trial.scenes, data.captions, scale=own),
        *_of_rotation(weights, trial.scenes),
    ]


def _of_vision(
    weights: Weights, shape: EncoderShape, world: SceneConfig, tokens: Int[Tensor, "scene key"], *, scale: Tensor
) -> Iterator[Measure]:
    """Where the heads of each block look on unseen pairs, and by which terms."""
    ends = np.stack(sc.ends(world, tokens.cpu().numpy()))
    kept = torch.from_numpy((ends >= 0).all(axis=0)).to(tokens.device)
    if not kept.any():
        return
    first, last = torch.from_numpy(ends).to(tokens.device)[:, kept] + shape.pixels.start
    rows = image_first(tokens[kept]) if shape.n_outputs else tokens[kept]
    for block, (terms, attention) in enumerate(_rows(weights, shape, rows, scale=scale)):
        found = {"attend_last": _sign_share(_between(attention, first, last))}
        found["attention_difference"] = _between(attention, first, last).mean(dim=0)
        if terms:
            found |= spreads(terms) | relations({n: _between(t, first, last) for n, t in terms.items()})
        yield from _by_head(shape.name, block, found)


def _of_text(
    weights: Weights, shape: EncoderShape, world: SceneConfig, captions: Int[Tensor, "caption word"], *, scale: Tensor
) -> Iterator[Measure]:
    """Where the heads of each block look on captions of two labels: words 0 and 2."""
    two = captions[world.n_labels :]
    for block, (terms, attention) in enumerate(_rows(weights, shape, two, scale=scale)):
        found = {
            "attention_first": attention[:, :, 0].mean(dim=0),
            "attention_second": attention[:, :, 2].mean(dim=0),
            "prefer_first": (attention[:, :, 0] > attention[:, :, 2]).float().mean(dim=0),
        }
        yield from _by_head(shape.name, block, found | (spreads(terms) if terms else {}))


def _rows(
    weights: Weights, shape: EncoderShape, tokens: Int[Tensor, "scene key"], *, scale: Tensor
) -> Iterator[tuple[dict[str, Row], Row]]:
    """Terms (none where there are none) and attention of the read-out row, by block application."""
    if shape.plain:  # one block, so its terms are those of the tables
        terms = {name: term[0] for name, term in contributions(weights, shape, scale, tokens).items()}
        yield terms, _sum(terms, SCORE_TERMS).softmax(dim=-1)
    elif decomposable(shape):
        for block in block_terms(weights, shape, tokens, scale=scale):
            yield {name: term[0] for name, term in block.terms.items()}, block.attention[0]
    else:
        for attention in readout_attention(weights, shape, scale, tokens):
            yield {}, attention[0]


def spreads(terms: dict[str, Row]) -> ByHead:
    """Standard deviation of each term over scenes and keys, and the share of X W_QK X^T in that of the row."""
    found = {f"std_{name}": term.std(dim=(0, 2)) for name, term in terms.items()}
    weight = _sum(terms, [name for name in SCORE_TERMS if name[0] != "B"]).std(dim=(0, 2))
    bias = _sum(terms, [name for name in SCORE_TERMS if name[0] == "B"]).std(dim=(0, 2))
    return found | {"weight_share": weight / (weight + bias)}


def relations(difference: dict[str, Float[Tensor, "scene head"]]) -> ByHead:
    """From each term at the last object minus at the first: how often position decides between the two."""
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
    """Share of scenes in which position outweighs label and points where it does on average."""
    direction = position.mean(dim=0).sign()
    return ((label.abs() < position.abs()) & (position.sign() == direction)).float().mean(dim=0)


def _of_rotation(weights: dict[str, Weights], world: SceneConfig) -> Iterator[Measure]:
    """How well the rotation between trained labels of both encoders fits the held-out ones."""
    if not world.n_heldout_labels:
        return
    labels = slice(1, world.n_pair_labels + world.n_heldout_labels + 1)
    image, text = (weights[encoder]["token"][0, labels] for encoder in ("vision", "text"))
    turn = rotation(image[: world.n_pair_labels], text[: world.n_pair_labels])
    for name, turned in (("raw", image), ("rotated", image @ turn)):
        cosine = torch.nn.functional.normalize(turned, dim=1) @ torch.nn.functional.normalize(text, dim=1).T
        for group, own in (
            ("trained", slice(None, world.n_pair_labels)),
            ("heldout", slice(world.n_pair_labels, None)),
        ):
            yield Measure("both", None, None, f"cosine_{name}_{group}", cosine.diagonal()[own].mean().item())


def rotation(
    source: Float[Tensor, "label width"], target: Float[Tensor, "label width"]
) -> Float[Tensor, "width width"]:
    """The rotation with the least squares of `source @ rotation - target` (Schönemann 1966), zero beyond their span."""
    u, size, v = torch.linalg.svd(source.T @ target)
    kept = size > size.max() * 1e-6
    return u[:, kept] @ v[kept]


def _between(row: Row, first: Int[Tensor, " scene"], last: Int[Tensor, " scene"]) -> Float[Tensor, "scene head"]:
    """The row at the last object minus at the first."""
    at = torch.arange(len(row), device=row.device)
    return row[at, :, last] - row[at, :, first]


def _sign_share(difference: Float[Tensor, "scene head"]) -> Float[Tensor, " head"]:
    return difference.sign().mean(dim=0)


def _sum(terms: dict[str, Tensor], names: Iterable[str]) -> Tensor:
    return torch.stack([terms[name] for name in names]).sum(dim=0)


def _by_head(encoder: str, block: int, found: ByHead) -> Iterator[Measure]:
    for name, values in found.items():
        yield from (Measure(encoder, block, head, name, value) for head, value in enumerate(values.tolist()))
