"""Lines and bands of a surface on a plane of two axes, as segments and strips that a chart can draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from lrsym.results.analysis.surface import Z, to_logit
from lrsym.results.analysis.surface_boundary import SurfaceBoundary

STEPS = 12
"""Points for each step of the grid: one every few pixels."""

Segment = dict[str, float]
"""Corners of a segment or of a rectangle, in ranks: x, y, x2, y2."""


@dataclass(frozen=True)
class Plane:
    """How far a surface lies above a level, `away` [y, x], and half its 95 % interval `within`, at ranks `x`, `y`."""

    x: np.ndarray
    y: np.ndarray
    away: np.ndarray
    within: np.ndarray

    @classmethod
    def of(
        cls, boundary: SurfaceBoundary, *, x: str, y: str | None, sizes: Mapping[str, int], fixed: Mapping[str, float]
    ) -> "Plane":
        """Return the plane of the axes `x` and `y`, of so many values, half a step beyond them; others are `fixed`."""
        ends = {axis: np.linspace(-0.5, n - 0.5, STEPS * n + 1) for axis, n in sizes.items()}
        across, up = ends[x], ends[y] if y else np.array([-0.5, 0.5])
        mesh = dict(zip((x, y), np.meshgrid(across, up), strict=True))
        at = [
            mesh[axis].ravel() if axis in mesh else np.full(across.size * up.size, fixed[axis])
            for axis in boundary.grid.axes
        ]
        mean, sd = boundary.surface.predict(np.stack(at, axis=1))
        shape = (up.size, across.size)
        return cls(across, up, (mean - to_logit(boundary.level)).reshape(shape), (Z * sd).reshape(shape))


def level_lines(plane: Plane) -> list[Segment]:
    """Return the segments of the line where the surface crosses the level: marching squares, on each half of a square.

    Two triangles a square, so that a line never has to choose between two ways.
    """
    segments = []
    for i, j in np.ndindex(plane.away.shape[0] - 1, plane.away.shape[1] - 1):
        corners = [(i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j)]
        above = [plane.away[corner] >= 0 for corner in corners]
        if all(above) or not any(above):
            continue
        for triangle in (corners[:3], [corners[2], corners[3], corners[0]]):
            cut = [_cut(plane, a, b) for a, b in pairwise([*triangle, triangle[0]]) if _crosses(plane, a, b)]
            if len(cut) == 2:
                (x, y), (x2, y2) = cut
                segments.append({"x": x, "y": y, "x2": x2, "y2": y2})
    return segments


def level_strips(plane: Plane) -> list[Segment]:
    """Return upright strips, side by side, that cover where the 95 % interval holds the level."""
    strips, half = [], (plane.x[1] - plane.x[0]) / 2
    for j, x in enumerate(plane.x):
        left, right = max(x - half, plane.x[0]), min(x + half, plane.x[-1])
        # Both ends of the interval are straight between points, so each has stretches on its side of the level.
        upper = _positive_runs(plane.y, plane.within[:, j] + plane.away[:, j])
        lower = _positive_runs(plane.y, plane.within[:, j] - plane.away[:, j])
        for (a, b), (c, d) in product(upper, lower):
            if max(a, c) < min(b, d):
                strips.append({"x": float(left), "x2": float(right), "y": max(a, c), "y2": min(b, d)})
    return strips


def _positive_runs(at: np.ndarray, values: np.ndarray) -> list[tuple[float, float]]:
    """Return the stretches of `at` over which `values`, straight between points, are above zero."""
    zeros = [
        float(a + (b - a) * u / (u - v))
        for (a, u), (b, v) in pairwise(zip(at, values, strict=True))
        if (u > 0) != (v > 0)
    ]
    ends = [float(at[0])] * bool(values[0] > 0) + zeros + [float(at[-1])] * bool(values[-1] > 0)
    return [*zip(ends[::2], ends[1::2], strict=True)]


def _crosses(plane: Plane, a: tuple[int, int], b: tuple[int, int]) -> bool:
    return bool((plane.away[a] >= 0) != (plane.away[b] >= 0))


def _cut(plane: Plane, a: tuple[int, int], b: tuple[int, int]) -> tuple[float, float]:
    """Return where the straight line from point a to point b is zero."""
    share = plane.away[a] / (plane.away[a] - plane.away[b])
    x = plane.x[a[1]] + share * (plane.x[b[1]] - plane.x[a[1]])
    return float(x), float(plane.y[a[0]] + share * (plane.y[b[0]] - plane.y[a[0]]))
