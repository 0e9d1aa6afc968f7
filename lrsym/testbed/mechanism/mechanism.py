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
from lrsym.vocabulary import ABLATIONS, CONTENT_KEY, POSITION_KEY

ABLATION_SPLITS = ("unseen", "seen")


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


def profiles(model: PackModel) -> list[list[Profile]]:
    """Return for each member the profiles of all terms of each encoder, gauge-free sums included."""
    members: list[list[Profile]] = [[] for _ in model.trials]
    for shape in model.shape.encoders:
        for term, table in term_tables(model.weights[shape.name], shape, model.embedding_scale).items():
            for member, heads in zip(members, table.cpu().numpy(), strict=True):
                member += [_profile(shape, head, term, values) for head, values in enumerate(heads)]
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


def _profile(shape: EncoderShape, head: int, term: str, values: np.ndarray) -> Profile:
    by_token = term.endswith("E")
    values = values[: shape.n_key_tokens if by_token else shape.n_key_positions]
    if by_token or not shape.pixels:
        return Profile(shape.name, head, term, shape.readout, values, None, None, None)
    line = along_relation(values[shape.pixels.start : shape.pixels.stop], shape)
    return Profile(shape.name, head, term, shape.readout, values, slope(line), monotonicity(line), ramp(line))


def along_relation(pixels: Float[np.ndarray, " pixel"], shape: EncoderShape) -> Float[np.ndarray, " position"]:
    """Return the means of `pixels` along the first relation: over rows, or over columns where it goes downwards."""
    return pixels.reshape(-1, shape.n_columns).mean(axis=1 if shape.vertical else 0)


def slope(values: Float[np.ndarray, " position"]) -> float:
    """Return the least-squares slope of `values` over 0, 1, 2, ..."""
    x = np.arange(len(values)) - (len(values) - 1) / 2
    return float(x @ values.astype(np.float64) / (x @ x))


def monotonicity(values: Float[np.ndarray, " position"]) -> float:
    """Return Kendall's tau of index and value: 1 if every later value is higher, -1 if every later one is lower."""
    i, j = np.triu_indices(len(values), k=1)
    return float(np.sign(values[j] - values[i]).mean())


def ramp(values: Float[np.ndarray, " position"]) -> float:
    """Return the share of the variance of `values` that a straight line explains, 0..1; 0 where they are all alike."""
    deviation = values.astype(np.float64) - values.mean(dtype=np.float64)
    x = np.arange(len(values)) - (len(values) - 1) / 2
    total = float(deviation @ deviation)
    return float(x @ deviation) ** 2 / (float(x @ x) * total) if total else 0.0
