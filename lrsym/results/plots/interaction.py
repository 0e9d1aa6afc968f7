"""What the mouse does on a picture: a legend that chooses, and scales that can be looked into."""

import contextlib
import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import altair as alt

FADED = 0.08
"""Opacity, as a share of its own, of what is not chosen in a legend."""

MOUSE = {
    "legend": "Click names in the legend to see them alone, and again to take them back.",
    "scales": "With Shift held the wheel zooms and dragging moves; a double click puts the axes back.",
}
"""What is said of it beside a picture, by what a selection of Vega-Lite is bound to."""

_SHIFT = "event.shiftKey"

_numbers = itertools.count(1)
"""Of what a mouse does, so that no two pictures that are put together share one by its name."""


def zoomed(chart: Any, *, along: Sequence[Literal["x", "y"]] = ("x", "y")) -> Any:
    """Return `chart` whose scales `along` axes follow the mouse while Shift is held; a double click puts them back.

    Without Shift the page scrolls, as it would without a picture. Marks beyond the scales must be clipped.
    """
    scales = alt.selection_interval(
        name=f"zoom_{next(_numbers)}",
        bind="scales",
        encodings=along,
        zoom=f"wheel![{_SHIFT}]",
        translate=f"[pointerdown[{_SHIFT}], window:pointerup] > window:pointermove!",
    )
    return _with(chart, scales)


class Chosen:
    """The entries of a legend that are chosen by a click, all before the first; `field` is what it tells apart."""

    def __init__(self, field: str) -> None:
        self._selection = alt.selection_point(
            name=f"chosen_{next(_numbers)}", fields=[field], bind="legend", toggle="true"
        )

    def opacity(self, opacity: float = 1.0) -> Any:
        """Return the `opacity` of what is chosen, next to none of the rest, as an encoding."""
        return alt.when(self._selection).then(alt.value(opacity)).otherwise(alt.value(opacity * FADED))

    def on(self, chart: Any) -> Any:
        """Return `chart`, whose legend then chooses."""
        return _with(chart, self._selection)


def _with(chart: Any, selection: alt.Parameter) -> Any:
    """Return `chart`, all of whose panels share the `selection`."""
    with shared():
        return chart.add_params(selection)


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Let charts that have the same selection be put together: altair would tell that they share it, as they are meant
    to, with a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Automatically deduplicated selection parameter")
        yield
