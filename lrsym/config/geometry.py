"""Where objects can stand, and which relations hold between them: the geometry that axes and scenes share.

Cells of the grid count row by row from 0; row 0 is on top, column 0 on the left. The paper's image is one row.
"""

from functools import cache
from itertools import combinations, permutations

RELATIONS = {"left": "is on the left of", "right": "is on the right of", "above": "is above"}
"""Relations of a first to a second object, in the words of a caption."""

CAPTIONS = {"left": ("left",), "both": ("left", "right"), "above": ("above",), "left+above": ("left", "above")}
"""Relations that captions name, by the value of the axis `captions`."""


def holds(relation: str, first: int, second: int, *, n_columns: int) -> bool:
    """Return whether what stands on pixel `first` is in `relation` to what stands on pixel `second`."""
    (row, column), (other_row, other_column) = divmod(first, n_columns), divmod(second, n_columns)
    if relation == "above":
        return row < other_row
    return column < other_column if relation == "left" else column > other_column


@cache
def layouts(n_columns: int, n_rows: int, n_objects: int, captions: str) -> tuple[tuple[int, ...], ...]:
    """Return every set of pixels for `n_objects` objects of which each two stand in a relation that the captions name.

    The pixels of a layout go from left to right, those of one column from top to bottom; where captions name `above`
    alone, from top to bottom and then from left to right. The objects of an ordered tuple stand on them in turn.
    """
    by_row = captions == "above"
    pixels = sorted(range(n_columns * n_rows), key=lambda pixel: divmod(pixel, n_columns)[:: 1 if by_row else -1])
    relations = CAPTIONS[captions]

    def related(a: int, b: int) -> bool:
        return any(holds(r, a, b, n_columns=n_columns) or holds(r, b, a, n_columns=n_columns) for r in relations)

    pairs = {(a, b) for a, b in combinations(pixels, 2) if related(a, b)}
    return tuple(s for s in combinations(pixels, n_objects) if all(pair in pairs for pair in combinations(s, 2)))


@cache
def mean_true(n_columns: int, n_rows: int, n_objects: int, captions: str) -> float:
    """Return how many captions are true of a scene with several objects, mean over its layouts."""
    all_layouts = layouts(n_columns, n_rows, n_objects, captions)
    pairs = [pair for layout in all_layouts for pair in permutations(layout, 2)]
    return sum(holds(r, a, b, n_columns=n_columns) for a, b in pairs for r in CAPTIONS[captions]) / len(all_layouts)
