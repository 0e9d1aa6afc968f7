"""Tables for many scenes that are projected on the same directions, as in an evaluation."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.data import scenes as sc
from lrsym.testbed.model.shape import EncoderShape
from lrsym.testbed.model.table_attention import key_attention, spaced
from lrsym.testbed.model.table_block import Tables


@dataclass(frozen=True)
class SceneTables:
    """Tables that project many scenes on the same directions, as an evaluation does.

    Most keys of a scene show the background. `keys` has what each key adds if it does, `tokens` what a token adds over
    the background: a product over the keys alone, not over all rows, and the sum of a few rows for the objects.
    """

    shape: EncoderShape
    logits: Float[Tensor, "trial row head"]
    keys: Float[Tensor, "trial key head out"]
    tokens: Float[Tensor, "trial token head out"]

    @classmethod
    def of(cls, tables: Tables, shape: EncoderShape, directions: Float[Tensor, "trial width out"]) -> "SceneTables":
        """Return the tables of the vision encoder `shape` for `directions`."""
        added = (tables.row_outputs() @ directions).unflatten(1, (-1, shape.n_heads))
        tokens, keys = added[:, : shape.n_tokens], added[:, shape.n_tokens :]
        background = tokens[:, sc.BACKGROUND, None]
        keys = keys + background
        keys[:, shape.readout] += tokens[:, shape.readout_token] - background[:, 0]
        keys += (tables.constant @ directions)[:, :, None] / shape.n_heads  # a head's attention sums to one
        return cls(shape, tables.logits, keys, tokens - background)

    def project(
        self, scenes: Int[Tensor, "trial batch key"], objects: Int[Tensor, "trial batch object"]
    ) -> Float[Tensor, "trial batch out"]:
        """Return products of the scenes' embeddings with the directions; `objects`: keys that may show an object."""
        n_trials, batch, h, device = *scenes.shape[:2], self.shape.n_heads, scenes.device
        attention = key_attention(self.logits, scenes, self.shape.n_tokens).weights(self.logits)
        attention = attention.transpose(1, 2).contiguous()
        weights = attention.gather(2, objects[:, :, :, None].expand(-1, -1, -1, h))
        shown = scenes.gather(2, objects) + spaced(n_trials, 1, 1, step=self.shape.n_tokens, device=device)
        rows = shown[:, :, :, None] * h + spaced(h, step=1, device=device)
        bags = n_trials * batch, -1
        out = torch.nn.functional.embedding_bag(
            rows.view(bags), self.tokens.flatten(0, 2), per_sample_weights=weights.view(bags), mode="sum"
        )
        return out.view(n_trials, batch, -1).baddbmm_(attention.flatten(2), self.keys.flatten(1, 2))
