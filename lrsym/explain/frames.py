"""What the page about one trial is drawn from: frames that hold every number it shows.

Labels of keys and queries are texts in the order in which they are drawn; attention and score terms are those of the
read-out query ([CLS], [EOT]) except in `maps`, which has every query.
"""

from dataclasses import dataclass

import polars as pl

TOLERANCE = 0.01
"""Larger differences from the stored row are reported on the page; this is nine of the paper's 900 unseen scenes."""


@dataclass(frozen=True)
class Explanation:
    """One trained trial, taken apart. Frames of score terms are empty where the encoder has none."""

    row: pl.DataFrame
    """The trial's row of the table trials."""
    accuracies: pl.DataFrame
    """split, metric, value (of the model that is drawn), stored (in the row)."""
    grid: tuple[int, int]
    """Rows and columns of the image."""
    scenes: pl.DataFrame
    """scene, place, position, token: what stands at each key; place counts keys from 0."""
    captions: pl.DataFrame
    """scene, caption, text, score, other, other_score: each true caption and its swap, scores as cosines."""
    maps: pl.DataFrame
    """head, term, query, key, value [logit]: every score term of the vision encoder's first block."""
    readout: pl.DataFrame
    """The rows of `maps` that [CLS] uses as query."""
    contributions: pl.DataFrame
    """scene, head, term, place, value [logit]."""
    vision_attention: pl.DataFrame
    """scene, application, head, place, value."""
    text_attention: pl.DataFrame
    """caption, application, head, place, token, value."""
    ablations: pl.DataFrame
    """term, split, metric, value, as in the table ablations, of the model that is drawn."""

    @property
    def difference(self) -> float:
        """The largest distance between an accuracy of the model that is drawn and the stored one."""
        distances = (self.accuracies["value"] - self.accuracies["stored"]).abs().drop_nulls()
        return max(distances, default=0.0)
