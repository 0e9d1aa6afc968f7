"""Boundaries over grids whose means and errors are given."""

import numpy as np
import polars as pl

from lrsym.results.analysis.surface import Surface
from lrsym.results.analysis.surface_boundary import SurfaceBoundary, make_grid


def grid_of(**axes):
    names = [*axes]
    rows = pl.DataFrame({name: axes[name] for name in names[:1]})
    for name in names[1:]:
        rows = rows.join(pl.DataFrame({name: axes[name]}), how="cross")
    return make_grid(rows)


def boundary_of(grid, mean, sd):
    """A boundary at 0.5, which is a logit of 0, over cells with these logits."""
    sd = np.broadcast_to(np.array(sd, dtype=float), len(grid))
    surface = Surface(np.array(mean, dtype=float), np.diag(sd**2), 1.0, lambda at: (at, at))
    return SurfaceBoundary(grid, surface, 0.5)
