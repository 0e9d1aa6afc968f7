"""Numbers that say by which mechanism a trained model works: where heads attend, and which terms make them.

    Delta_label   EE of the [CLS] row at the last object minus that at the first     "last" and "first" along the
    Delta_pe      EP of the [CLS] row at the last object minus that at the first     relation: right and left

Definitions stand in `lrsym.vocabulary` (MEASURES). Sources: Delta, relational heads, share of the weight term and
rotation, arXiv:2601.12809; the gauge-free forms and what is said of further blocks are ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import exp, isfinite

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData, select_rows
from lrsym.testbed.data.streams import stream
from lrsym.testbed.mechanism.decomposition import block_terms, decomposable
from lrsym.testbed.mechanism.inspection import contributions, readout_attention
from lrsym.testbed.model.autoregressive import image_first
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape
from lrsym.testbed.training.contrastive import MAX_LOG_SCALE
from lrsym.vocabulary import CONTENT_KEY, POSITION_KEY, SCORE_TERMS

MAX_SCENES = 1000
"""Bounds the unseen scenes that are measured; of more (three objects, large grids) a random sample is taken."""

CHUNK = 2**18
"""Bounds the entries of a term of the members that are measured at once, by scene, head, query and key: what a core's
cache takes. More at once are slower."""

ByHead = dict[str, Float[Tensor, "*trial head"]]
Row = Float[Tensor, "trial #scene key head"]
"""A read-out row; one scene stands for all where they do not differ."""

Ends = Int[Tensor, "2 trial scene"]
"""Where the first and the last object of a scene are, along the first relation."""


@dataclass(frozen=True)
class Measure:
    """One number of vocabulary.MEASURES; block application and head are None where it belongs to the whole model."""

    encoder: str
    block: int | None
    head: int | None
    measure: str
    value: float


def measures(model: PackModel, data: PackData) -> list[list[Measure]]:
    """Return for each member every measure that its encoders have; its weights must be finite.

    Measures that overflow are left out: shortly before a training diverges products of its weights are infinite.

    Many small numbers are read: best from a model on the host.

    Without unseen pairs there is nothing to measure on the vision encoder. A decoder has the measures of a vision
    encoder, those of [CLS] on the image.
    """
    found: list[list[Measure]] = [[] for _ in model.trials]
    _add_vision(found, model, data)
    if not model.shape.autoregressive:
        _add_text(found, model, data)
        _add_rotation(found, model)
        for of_member, log_scale in zip(found, model.weights["loss"]["log_scale"].tolist(), strict=True):
            of_member.append(Measure("both", None, None, "logit_scale", exp(min(log_scale, MAX_LOG_SCALE))))
    return [[measure for measure in of_member if isfinite(measure.value)] for of_member in found]


def _add_vision(found: list[list[Measure]], model: PackModel, data: PackData) -> None:
    """Add where the heads of each block attend on unseen pairs, and by which terms."""
    shape = model.shape.vision
    for members, tokens, pixels in _unseen(model, data):
        rows = image_first(tokens) if shape.n_outputs else tokens
        ends = pixels + shape.pixels.start
        for block, (terms, attention) in enumerate(_readout_rows(model, shape, members, rows)):
            preference = _last_minus_first(attention, ends)
            values = {"attend_last": preference.sign().mean(dim=1), "attention_difference": preference.mean(dim=1)}
            if terms:
                differences = {name: _last_minus_first(term, ends) for name, term in terms.items()}
                values |= spreads(terms, n_scenes=rows.shape[1]) | relational_measures(differences)
            _add_by_head(found, members, shape.name, block, values)


def _unseen(model: PackModel, data: PackData) -> Iterator[tuple[list[int], Int[Tensor, "trial scene key"], Ends]]:
    """Yield members that have equally many unseen scenes, the tokens of these and the pixels of their ends."""
    unseen = [_sample(split["unseen"], trial.seed) for split, trial in zip(data.splits, model.trials, strict=True)]
    numbers = np.unique(np.concatenate(unseen))
    tokens = data.scenes[torch.from_numpy(numbers).to(data.scenes.device)].to(model.device)
    ends = np.stack(sc.ends(model.trials[0].scenes, tokens.cpu().numpy()))
    related = ends.min(axis=0) >= 0
    rows = [of_member[related[of_member]] for of_member in (np.searchsorted(numbers, n) for n in unseen)]
    for members in _alike([*map(len, rows)], model.shape.vision, n_keys=tokens.shape[1]):
        at = np.stack([rows[member] for member in members])
        if at.size:
            yield members, tokens[torch.from_numpy(at)], torch.from_numpy(ends[:, at]).to(model.device)


def _sample(unseen: sc.Numbers, seed: int) -> sc.Numbers:
    """Return the unseen scenes that are measured."""
    if len(unseen) <= MAX_SCENES:
        return unseen
    return unseen[np.sort(stream(seed, "measures").permutation(len(unseen))[:MAX_SCENES])]


def _alike(n_rows: Sequence[int], shape: EncoderShape, *, n_keys: int) -> Iterator[list[int]]:
    """Yield the members that have equally many rows of tokens, so many at once as CHUNK allows."""
    n_queries = 1 if shape.is_single_block else n_keys
    for n in dict.fromkeys(n_rows):
        members = [member for member, n_of_member in enumerate(n_rows) if n_of_member == n]
        at_once = max(1, CHUNK // max(1, n * shape.n_heads * n_queries * n_keys))
        yield from (members[i : i + at_once] for i in range(0, len(members), at_once))


def _add_text(found: list[list[Measure]], model: PackModel, data: PackData) -> None:
    """Add where the heads of each block attend on captions of two labels: words 0 and 2."""
    shape = model.shape.text
    of_pairs = data.captions[model.trials[0].scenes.n_labels :].to(model.device)
    for members in _alike([len(of_pairs)] * len(model), shape, n_keys=of_pairs.shape[1]):
        for block, (terms, attention) in enumerate(_readout_rows(model, shape, members, of_pairs)):
            first, second = attention[:, :, 0], attention[:, :, 2]
            values = {
                "attention_first": first.mean(dim=1),
                "attention_second": second.mean(dim=1),
                "prefer_first": (first > second).float().mean(dim=1),
            }
            values |= spreads(terms, n_scenes=len(of_pairs)) if terms else {}
            _add_by_head(found, members, shape.name, block, values)


def _readout_rows(
    model: PackModel, shape: EncoderShape, members: Sequence[int], tokens: Int[Tensor, "*trial scene key"]
) -> Iterator[tuple[dict[str, Row], Row]]:
    """Yield terms (none where there are none) and attention of the read-out row, by block application."""
    weights: Weights = {name: select_rows(weight, members) for name, weight in model.weights[shape.name].items()}
    scale = select_rows(model.embedding_scale, members)
    if shape.is_single_block:  # so its terms are those of the tables, and those of positions the same in all scenes
        added = contributions(weights, shape, scale, tokens)
        terms = {name: (term[:, :1] if name in POSITION_KEY else term).mT for name, term in added.items()}
        yield terms, _sum(terms, SCORE_TERMS).softmax(dim=2)
    elif decomposable(shape):
        for block in block_terms(weights, shape, tokens, scale=scale):
            yield {name: term.mT for name, term in block.terms.items()}, block.attention.mT
    else:
        for attention in readout_attention(weights, shape, scale, tokens):
            yield {}, attention.mT


def spreads(terms: dict[str, Row], *, n_scenes: int) -> ByHead:
    """Return the standard deviation of each term over scenes and keys, and the share of X W_QK X^T in the row's."""
    deviations = {f"std_{name}": _deviation(term, n_scenes) for name, term in terms.items()}
    weight = _deviation(_sum(terms, [name for name in SCORE_TERMS if name[0] != "B"]), n_scenes)
    bias = _deviation(_sum(terms, [name for name in SCORE_TERMS if name[0] == "B"]), n_scenes)
    return deviations | {"weight_share": weight / (weight + bias)}


def _deviation(term: Row, n_scenes: int) -> Float[Tensor, "trial head"]:
    """Return the standard deviation over scenes and keys, without bias."""
    n = n_scenes * term.shape[2]
    centred = term - term.mean(dim=(1, 2), keepdim=True)
    return (centred.square_().mean(dim=(1, 2)) * (n / (n - 1))).sqrt()


def relational_measures(difference: dict[str, Float[Tensor, "*trial scene head"]]) -> ByHead:
    """Return how often position decides between two objects, from each term at the last minus at the first."""
    label, position = difference["EE"], difference["EP"]
    content, place = _sum(difference, CONTENT_KEY), _sum(difference, POSITION_KEY)
    return {
        "delta_label": label.abs().mean(dim=-2),
        "delta_pe": position.mean(dim=-2),
        "relational": _decides(position, label),
        "delta_content": content.abs().mean(dim=-2),
        "delta_position": place.mean(dim=-2),
        "relational_gauge_free": _decides(place, content),
    }


def _decides(
    position: Float[Tensor, "*trial scene head"], label: Float[Tensor, "*trial scene head"]
) -> Float[Tensor, "*trial head"]:
    """Return the share of scenes in which position outweighs label and points where it does on average."""
    direction = position.mean(dim=-2, keepdim=True).sign()
    return ((label.abs() < position.abs()) & (position.sign() == direction)).float().mean(dim=-2)


def _add_rotation(found: list[list[Measure]], model: PackModel) -> None:
    """Add how well the rotation between trained labels of both encoders fits the held-out ones."""
    counts = [(trial.scenes.n_pair_labels, trial.scenes.n_heldout_labels) for trial in model.trials]
    for n_trained, n_heldout in dict.fromkeys(counts):
        if not n_heldout:
            continue
        members = [member for member, count in enumerate(counts) if count == (n_trained, n_heldout)]
        labels = slice(1, n_trained + n_heldout + 1)
        image, text = (select_rows(model.weights[e]["token"][:, labels], members) for e in ("vision", "text"))
        fitted = rotation(image[:, :n_trained], text[:, :n_trained])
        for name, vectors in (("raw", image), ("rotated", image @ fitted)):
            cosine = torch.nn.functional.cosine_similarity(vectors, text, dim=2)
            for group, of_group in (("trained", slice(None, n_trained)), ("heldout", slice(n_trained, None))):
                values = cosine[:, of_group].mean(dim=1).tolist()
                for member, value in zip(members, values, strict=True):
                    found[member].append(Measure("both", None, None, f"cosine_{name}_{group}", value))


def rotation(
    source: Float[Tensor, "*trial label width"], target: Float[Tensor, "*trial label width"]
) -> Float[Tensor, "*trial width width"]:
    """Return the rotation with the least squares of `source @ rotation - target`, zero beyond their span.

    The product of both, `source.T @ target`, is Q R (P S)^T and has the singular values of the smaller R S^T; the
    smallest of them are rounding.

    Source: Schönemann 1966.
    """
    (q, r), (p, s) = torch.linalg.qr(source.mT), torch.linalg.qr(target.mT)
    u, size, v = torch.linalg.svd(r @ s.mT)
    spanned = size > size.amax(dim=-1, keepdim=True) * 1e-6
    return (q @ u * spanned[..., None, :]) @ (p @ v.mT).mT


def _last_minus_first(row: Row, ends: Ends) -> Float[Tensor, "trial scene head"]:
    """Return the row at the last object minus at the first."""
    first, last = ends
    row = row.expand(-1, first.shape[1], -1, -1)
    trial = torch.arange(len(row), device=row.device)[:, None]
    scene = torch.arange(row.shape[1], device=row.device)
    return row[trial, scene, last] - row[trial, scene, first]


def _sum(terms: dict[str, Tensor], names: Iterable[str]) -> Tensor:
    return reduce(torch.add, (terms[name] for name in names))


def _add_by_head(found: list[list[Measure]], members: Sequence[int], encoder: str, block: int, values: ByHead) -> None:
    by_member = torch.stack([*values.values()], dim=1).tolist()
    for member, of_member in zip(members, by_member, strict=True):
        for name, of_heads in zip(values, of_member, strict=True):
            found[member] += [Measure(encoder, block, head, name, value) for head, value in enumerate(of_heads)]
