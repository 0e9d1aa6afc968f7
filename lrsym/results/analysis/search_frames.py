"""Plot data of a search: frames that hold every number that its picture shows."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lrsym.results.analysis.aggregate import named_trials
from lrsym.results.analysis.suggestions import pareto_front
from lrsym.results.analysis.varied_axes import format_value

MIN_CELLS = 50
"""Cells with an objective from which importance says something."""

TIED = 0.01
"""Shares of importance that differ by less are told as one."""


@dataclass(frozen=True)
class SearchedAxis:
    """An axis of a search, by its dotted key: a list of `values`, else the range from `low` to `high`."""

    key: str
    values: Sequence[Any] | None = None
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    @property
    def name(self) -> str:
        """The column of the table trials."""
        return self.key.rpartition(".")[2]

    def place(self, value: Any) -> float:
        """Return where `value` lies between the first (0) and the last (1), on the scale of the axis."""
        if self.values is not None:
            return self.values.index(value) / max(1, len(self.values) - 1)
        scale = math.log10 if self.log else float
        low, high = scale(self.low), scale(self.high)
        return (scale(value) - low) / (high - low) if high > low else 0.0

    def text(self, value: Any) -> str:
        """Return `value` as a text: one of a list as on every axis, a number on a range in three digits."""
        return f"{value:.3g}" if self.values is None and isinstance(value, float) else format_value(value)


@dataclass(frozen=True)
class SearchFrames:
    """The frames of one search.

    `suggestions` are those of `with_outcomes`; `objectives` are the words for what is sought, `maximise` says in which
    direction; `importance` has the columns objective, axis and share.
    """

    suggestions: pl.DataFrame
    axes: tuple[SearchedAxis, ...]
    objectives: tuple[str, ...]
    maximise: tuple[bool, ...]
    importance: pl.DataFrame

    def history(self) -> pl.DataFrame:
        """Return number, outcome, value, trial_ids and best of each suggestion, in the order of asking.

        `value` is the first objective, null where there is none; `best` is the best value so far among the cells that
        were trained to the end.
        """
        final = pl.when("final").then("value")
        best = final.cum_max() if self.maximise[0] else final.cum_min()
        frame = self.suggestions.sort("number").with_columns(value=pl.col("objective").list.first())
        return frame.select("number", "outcome", "value", named_trials("trial_ids"), best=best.forward_fill())

    def slices(self) -> pl.DataFrame:
        """Return a row for each suggestion with an objective, objective and axis, with the value and where it lies.

        Columns: objective (its words), axis (its name), number, outcome, x (the number on a range, else null), word
        (the value on a list as text, else null), value, trial_ids.
        """
        rows = [
            {
                "objective": words, "axis": axis.name, "number": row["number"], "outcome": row["outcome"],
                "x": None if axis.values is not None else point[axis.key],
                "word": None if axis.values is None else axis.text(point[axis.key]), "value": value,
                "trial_ids": row["trial_ids"],
            }
            for row, point in self._complete()
            for words, value in zip(self.objectives, row["objective"], strict=True)
            for axis in self.axes
        ]  # fmt: skip
        schema = {"objective": pl.String, "axis": pl.String, "number": pl.Int64, "outcome": pl.String}
        numbers = {"x": pl.Float64, "word": pl.String, "value": pl.Float64}
        frame = pl.DataFrame(rows, {**schema, **numbers, "trial_ids": pl.List(pl.String)})
        return frame.with_columns(named_trials("trial_ids"))

    def lines(self) -> pl.DataFrame:
        """Return the points of parallel coordinates: number, axis, place 0..1, text and value, the best cell last.

        Each suggestion with an objective has a point on every axis and one on every objective, whose place is between
        the lowest and the highest told; `value` is the first objective, which colours the line.
        """
        told = [(row["number"], row["objective"], point) for row, point in self._complete()]
        told.sort(key=lambda one: one[1][0], reverse=not self.maximise[0])
        spans = [(min(values), max(values)) for values in zip(*(objective for _, objective, _ in told), strict=True)]
        rows = []
        for number, objective, point in told:
            here = [(axis.name, axis.place(point[axis.key]), axis.text(point[axis.key])) for axis in self.axes]
            for words, value, (low, high) in zip(self.objectives, objective, spans, strict=True):
                here.append((words, (value - low) / (high - low) if high > low else 0.0, f"{value:.3g}"))
            rows += [(number, *where, objective[0]) for where in here]
        schema = {"number": pl.Int64, "axis": pl.String, "place": pl.Float64, "text": pl.String, "value": pl.Float64}
        return pl.DataFrame(rows, schema, orient="row")

    def ticks(self) -> pl.DataFrame:
        """Return the marks on the axes of `lines`: axis, place, text; every value of a list, both ends of others."""
        ends = self.lines().filter(pl.col("axis").is_in(self.objectives))
        rows = [
            (axis.name, axis.place(value), axis.text(value))
            for axis in self.axes
            for value in (axis.values if axis.values is not None else dict.fromkeys((axis.low, axis.high)))
        ]
        for words in self.objectives:
            here = ends.filter(pl.col("axis") == words).sort("place")
            rows += [(words, row["place"], row["text"]) for row in (here.row(0, named=True), here.row(-1, named=True))]
        frame = pl.DataFrame(rows, {"axis": pl.String, "place": pl.Float64, "text": pl.String}, orient="row")
        return frame.unique(maintain_order=True)

    def front(self) -> pl.DataFrame:
        """Return number, outcome, front, `value_1` and on of each objective, trial_ids; the lowest first value on top.

        `front` says whether a cell lies on the Pareto front of those that were trained to the end.
        """
        told = self.suggestions.filter(pl.col("objective").is_not_null())
        final = told.filter("final")
        on_front = final.filter(pareto_front(final["objective"], maximise=self.maximise))["number"]
        values = [pl.col("objective").list.get(i).alias(f"value_{i + 1}") for i in range(len(self.objectives))]
        is_on_front = pl.col("number").is_in(on_front.implode()).alias("front")
        frame = told.select("number", "outcome", is_on_front, *values, named_trials("trial_ids"))
        return frame.sort("value_1", "number")

    def doubts(self) -> list[str]:
        """Return where `importance` says nothing, little, or does not tell axes apart, as sentences.

        It is of what sets the best tenth of the cells apart: five of them, so MIN_CELLS in all, are the least that
        Optuna, whose it is, advises.
        """
        told = self.suggestions.filter(pl.col("objective").is_not_null(), pl.col("outcome") != "repeated").height
        lines, n_meaningful = list[str](), 0
        for words in self.objectives:
            shares = dict(self.importance.filter(objective=words).select("axis", "share").iter_rows())
            if max(shares.values()) - min(shares.values()) < TIED / 100:
                lines.append(
                    f"Importance for {words} means nothing: all {len(shares)} axes have one share, as the {told} cells "
                    "are too few, or alike in it."
                )
                continue
            n_meaningful += 1
            lines += [f"Importance for {words} does not tell {' and '.join(group)} apart." for group in _tied(shares)]
        if told < MIN_CELLS and n_meaningful:
            best = max(2, math.ceil(told / 10))
            lines.append(f"Importance rests on the best {best} of {told} cells: below {MIN_CELLS} it is mostly chance.")
        return lines

    def _complete(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield the row and the point of each suggestion with an objective, by number."""
        for row in self.suggestions.filter(pl.col("objective").is_not_null()).sort("number").iter_rows(named=True):
            yield row, json.loads(row["point"])


def _tied(shares: Mapping[str, float]) -> Iterator[list[str]]:
    """Yield the axes that have about the same share, and not next to none, in groups of two or more."""
    group: list[str] = []
    for name in sorted(shares, key=lambda name: -shares[name]):
        if group and shares[group[-1]] - shares[name] >= TIED:
            if len(group) > 1:
                yield group
            group = []
        if shares[name] >= 5 * TIED:
            group.append(name)
    if len(group) > 1:
        yield group
