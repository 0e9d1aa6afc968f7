"""By which mechanism: what each score term contributes, and what is lost without it.

Sources: term ablation and the horizontal gradient of EP, arXiv:2601.12809; the gauge-free split into position-key
and content-key terms is ours (moving a vector between E_CLS, P_0 and b_Q renames terms without changing the model).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Accuracies, Candidates, evaluate
from lrsym.testbed.model.blocks import rotary_table
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.scores import QUERY_COMPONENTS, score_tables
from lrsym.testbed.model.shape import EncoderShape
from lrsym.vocabulary import ABLATED_SIDES, ABLATIONS, CONTENT_KEY, POSITION_KEY, TEXT_ABLATIONS, by_name

ABLATION_SPLITS = ("unseen", "seen")

TEXT_ABLATION_SPLITS = ("unseen",)
"""Seen pairs have eight times the scenes, and a trial takes seconds: ten more evaluations of them would be felt."""


@dataclass(frozen=True)
class Profile:
    """One term of one head along the keys the read-out query can see; slope, monotonicity and ramp along the image."""

    encoder: str
    head: int
    term: str
    query: int
    values: Float[np.ndarray, " key"]
    slope: float | None
    monotonicity: float | None
    ramp: float | None


def ablations(model: PackModel, data: PackData, candidates: Candidates) -> Iterator[tuple[str, Accuracies]]:
    """Yield the accuracies on unseen and seen pairs without each entry of vocabulary.ABLATIONS in what sees the image.

    Entries that name a term which the encoder does not have (LayerNorm before it, rotary positions) are left out.
    """
    for term, left_out in ABLATIONS.items():
        if {*left_out} <= {*model.shape.vision.ablatable_terms}:
            yield term, evaluate(model, data, candidates, splits=ABLATION_SPLITS, left_out=left_out)


def text_ablations(model: PackModel, data: PackData, candidates: Candidates) -> Iterator[tuple[str, str, Accuracies]]:
    """Yield encoder and term of each of vocabulary.TEXT_ABLATIONS, and accuracies on unseen pairs without it.

    The encoder is one of vocabulary.ABLATED_SIDES. A decoder has no text encoder: nothing is yielded of it, nor of
    terms that an encoder does not have.
    """
    if model.shape.autoregressive:
        return
    vision, text = ({*shape.ablatable_terms} for shape in (model.shape.vision, model.shape.text))
    for term, left_out in TEXT_ABLATIONS.items():
        sides = by_name(ABLATED_SIDES, {"text": (), "both": left_out})
        for encoder, of_vision in sides.items():
            if {*left_out} <= text and {*of_vision} <= vision:
                without = {"left_out": of_vision, "text_left_out": left_out}
                yield encoder, term, evaluate(model, data, candidates, splits=TEXT_ABLATION_SPLITS, **without)


def profiles(model: PackModel) -> list[list[Profile]]:
    """Return for each member the profiles of all terms of each encoder, gauge-free sums included."""
    members: list[list[Profile]] = [[] for _ in model.trials]
    for shape in model.shape.encoders:
        for term, table in term_tables(model.weights[shape.name], shape, model.embedding_scale).items():
            by_token = term.endswith("E")
            values = table.cpu().numpy()[..., : shape.n_key_tokens if by_token else shape.n_key_positions]
            along = [[(None, None, None)] * shape.n_heads] * len(members)
            if shape.pixels and not by_token:
                along = _along_image(values, shape)
            for member, heads, along_heads in zip(members, values, along, strict=True):
                member += [
                    Profile(shape.name, head, term, shape.readout, heads[head], *along_heads[head])
                    for head in range(shape.n_heads)
                ]
    return members


def term_tables(
    weights: Weights, shape: EncoderShape, scale: Float[Tensor, " trial"]
) -> dict[str, Float[Tensor, "trial head key"]]:
    """Return the score terms and the two gauge-free sums by name; with rotary positions R, mean over key tokens."""
    if shape.rotary:
        table = rotary_table(weights, shape, scale)
        others = [token for token in range(shape.n_key_tokens) if token != shape.readout_token]
        return {"R": table.index_select(2, torch.tensor(others, device=table.device)).mean(dim=2)}
    if not shape.has_terms:
        return {}
    on_token, on_position = score_tables(weights, shape, scale)
    tables = {component + "E": on_token[:, i] for i, component in enumerate(QUERY_COMPONENTS)}
    tables |= {component + "P": on_position[:, i] for i, component in enumerate(QUERY_COMPONENTS)}
    for names in (POSITION_KEY, CONTENT_KEY):
        tables["+".join(names)] = torch.stack([tables[name] for name in names]).sum(dim=0)
    return tables


def _along_image(
    values: Float[np.ndarray, "trial head key"], shape: EncoderShape
) -> list[list[tuple[float, float, float]]]:
    """Return slope, monotonicity and ramp along the image, by trial and head."""
    line = along_relation(values[..., shape.pixels.start : shape.pixels.stop], shape)
    of_trials = (measure(line).tolist() for measure in (slope, monotonicity, ramp))
    return [[*zip(*of_heads, strict=True)] for of_heads in zip(*of_trials, strict=True)]


def along_relation(
    pixels: Float[np.ndarray, "*profile pixel"], shape: EncoderShape
) -> Float[np.ndarray, "*profile position"]:
    """Return the means of `pixels` along the first relation: over rows, or over columns where it goes downwards."""
    rows = pixels.reshape(*pixels.shape[:-1], -1, shape.n_columns)
    return rows.mean(axis=-1 if shape.vertical else -2)


def slope(values: Float[np.ndarray, "*profile position"]) -> Float[np.ndarray, "*profile"]:
    """Return the least-squares slope of `values` over 0, 1, 2, ..."""
    x = _centred_positions(values)
    return np.asarray((values * x).sum(axis=-1) / (x @ x))


def monotonicity(values: Float[np.ndarray, "*profile position"]) -> Float[np.ndarray, "*profile"]:
    """Return Kendall's tau of index and value: 1 if every later value is higher, -1 if every later one is lower."""
    i, j = np.triu_indices(values.shape[-1], k=1)
    return np.asarray(np.sign(values[..., j] - values[..., i]).mean(axis=-1))


def ramp(values: Float[np.ndarray, "*profile position"]) -> Float[np.ndarray, "*profile"]:
    """Return the share of the variance of `values` that a straight line explains, 0..1; 0 where they are all alike."""
    deviation = values - values.mean(axis=-1, dtype=np.float64, keepdims=True)
    x, total = _centred_positions(values), (deviation**2).sum(axis=-1)
    return np.asarray((deviation * x).sum(axis=-1) ** 2 / (x @ x * np.where(total == 0, 1, total)))


def _centred_positions(values: Float[np.ndarray, "*profile position"]) -> Float[np.ndarray, " position"]:
    """Return 0, 1, 2, ... minus their mean."""
    return np.arange(values.shape[-1]) - (values.shape[-1] - 1) / 2
