"""The autoregressive model: one causal Transformer reads the image, then writes the caption.

    token       x_1 .. x_P   [CLS]   label      relation   label       ids of the image, then those of captions
    position    0 .. P - 1   P       P + 1      P + 2      P + 3
    predicts                 label   relation   label      [EOT]

"Relation" stands for "is" and "label" for "in the image" where a caption names one label. Training takes the mean
cross-entropy of the four predictions. A caption's score for a scene is the log likelihood of its first three
tokens; [EOT] follows from the grammar. All captions are scored in one row, by the tree of their prefixes:

    token       x_1 .. x_P   [CLS]   every label   every label with a relation
    position    0 .. P - 1   P       P + 1         P + 2

where a prefix sees the image, [CLS], the prefixes it begins with, and itself.
Source: arXiv:2601.12809, autoregressive variant (whose details it does not give; the order of the row is ours).
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrsym.testbed.model.blocks import Rows, encode_blocks
from lrsym.testbed.model.drop import Drop
from lrsym.testbed.model.encoder import check_ablatable
from lrsym.testbed.model.parameters import Weights
from lrsym.testbed.model.shape import EncoderShape

SCORED = 3
"""Number of tokens of a caption that count in its score: all but [EOT]."""


def caption_loss(
    weights: Weights,
    shape: EncoderShape,
    scenes: Int[Tensor, "trial batch key"],
    captions: Int[Tensor, "trial batch word"],
    *,
    scale: Float[Tensor, " trial"],
    drop: Drop | None = None,
) -> Float[Tensor, " trial"]:
    """Return the mean cross-entropy of each trial over its batch and the tokens of the captions, in nats."""
    tokens = torch.cat([image_first(scenes), caption_ids(captions[:, :, :-1], shape)], dim=2)
    causal = Rows.of(shape, length=tokens.shape[2], device=tokens.device)
    rows = Rows(causal.positions, causal.hidden, slice(shape.readout, None))
    logits = predictions(weights, shape, tokens, scale=scale, rows=rows, drop=drop)
    predicted = logits.gather(3, captions[..., None])[..., 0]
    return (torch.logsumexp(logits, dim=3) - predicted).mean(dim=(1, 2))


def predictions(
    weights: Weights,
    shape: EncoderShape,
    tokens: Int[Tensor, "trial batch key"],
    *,
    scale: Float[Tensor, " trial"],
    rows: Rows,
    left_out: Collection[str] = (),
    drop: Drop | None = None,
) -> Float[Tensor, "trial batch read word"]:
    """Return logits over the caption tokens that follow each token read out.

    Terms named in `left_out` are zero for every query of the first block. Raises ValueError where it has no such term.
    """
    check_ablatable(shape, left_out)
    x, _ = encode_blocks(weights, shape, tokens, scale=scale, left_out=left_out, drop=drop, rows=rows)
    return (x.flatten(1, 2) @ weights["unembedding"]).unflatten(1, x.shape[1:3])


def image_first(scenes: Int[Tensor, "*batch key"]) -> Int[Tensor, "*batch key"]:
    """Return rows of scene tokens with [CLS] behind the pixels, where it begins the caption."""
    return torch.cat([scenes[..., 1:], scenes[..., :1]], dim=-1)


def caption_ids(words: Int[Tensor, "*batch word"], shape: EncoderShape) -> Int[Tensor, "*batch word"]:
    """Return the decoder's ids of caption tokens: a label there is another token than in the image."""
    return words + shape.readout_token + 1


@dataclass(frozen=True)
class PrefixTree:
    """The captions of a vocabulary as one row behind the image.

    `tokens` are the decoder's ids of the prefixes; `predicted_by` [caption, 3] says which of the tokens read out
    ([CLS], then the prefixes) predicts each scored token of a caption, `words` [caption, 3] which token that is.
    """

    tokens: Int[Tensor, " node"]
    rows: Rows
    predicted_by: Int[Tensor, "caption scored"]
    words: Int[Tensor, "caption scored"]

    @classmethod
    def of(cls, captions: Int[Tensor, "caption word"], shape: EncoderShape) -> "PrefixTree":
        """Return the tree of the prefixes of `captions` that predict one of their scored tokens."""
        device, start = captions.device, shape.readout
        nodes, last = [], [start + torch.zeros_like(captions[:, 0])]
        for depth in range(1, SCORED):
            prefixes, of_caption = captions[:, :depth].unique(dim=0, return_inverse=True)
            last.append(1 + start + sum(map(len, nodes)) + of_caption)
            nodes.append(prefixes[:, -1])
        depths = [torch.full_like(node, start + depth) for depth, node in enumerate(nodes, 1)]
        positions = torch.cat([torch.arange(start + 1, device=device), *depths])
        hidden = positions > positions[:, None]
        hidden[:, start + 1 :] = True
        path = torch.stack(last, dim=1)
        for depth in range(1, SCORED):
            for earlier in range(1, depth + 1):
                hidden[path[:, depth], path[:, earlier]] = False
        rows = Rows(positions, hidden, slice(start, None))
        return cls(caption_ids(torch.cat(nodes), shape), rows, path - start, captions[:, :SCORED])

    def scores(
        self,
        weights: Weights,
        shape: EncoderShape,
        scenes: Int[Tensor, "*trial scene key"],
        *,
        scale: Float[Tensor, " trial"],
        left_out: Collection[str] = (),
    ) -> Float[Tensor, "trial scene caption"]:
        """Return the log likelihood of every caption for every scene, the factor of [EOT] left out, in nats."""
        images = image_first(scenes).expand(len(scale), -1, -1)
        tokens = torch.cat([images, self.tokens.expand(*images.shape[:2], -1)], dim=2)
        logits = predictions(weights, shape, tokens, scale=scale, rows=self.rows, left_out=left_out)
        log_probabilities = torch.log_softmax(logits, dim=3).flatten(2)
        factors = self.predicted_by * shape.n_outputs + self.words
        return log_probabilities[:, :, factors.T.flatten()].unflatten(2, (SCORED, -1)).sum(dim=2)

    @property
    def n_query_key_pairs(self) -> int:
        """The query-key pairs of a row, by which memory grows."""
        return self.rows.positions.numel() * (1 + self.tokens.numel())
