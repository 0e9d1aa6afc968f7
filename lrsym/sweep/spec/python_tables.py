"""Sweeps and searches from Python values: the tables of a sweep file as arguments, under the same checks."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lrsym.config.messages import SECTIONS
from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.sweep.spec.cells import Cell
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import MAX_TRIALS, NO_HEAD, Sweep
from lrsym.sweep.spec.sweep_file import read_document, validate
from lrsym.toml_source import TomlSource, show

_WORDS = (
    (r"move it above the first table", "give it as an argument"),
    (r" above the first table", ""),
    (r"first = (\d+) under \[seed\]", r"first_seed=\1"),
    (r"lower first under \[seed\]", "lower first_seed"),
    (r"make two files, which share rows, or move its axes under \[search\.space\]", "move its axes to space"),
    (r"\[\[(\w+)\]\]", r"\1"),
    (r"\[search\.space\]", "space"),
    (r"\[(base|grid|zip|exclude|seed|search)\]", r"\1"),
)
"""What messages about files say of tables, and what stands for it in a call."""


class CallSource(TomlSource):
    """The arguments of a call in place of the text of a file: messages name the key in place of file and line."""

    def __init__(self, call: str):
        super().__init__("", name=call)

    def place(self, path: str) -> str:
        """Return the argument, and the key in it, that `path` stands for."""
        if path.partition(".")[0] == "seed":
            return "first_seed"
        path = path.removeprefix("search.")
        argument, _, key = path.partition(".")
        number, _, of_list = key.partition(".")
        if number.isdigit():
            return f'{argument}[{number}]["{of_list}"]' if of_list else f"{argument}[{number}]"
        return f'{argument}["{key}"]' if key else argument

    def error(self, path: str, message: str, *, last: bool = False) -> UsageError:
        """Return (do not raise) a UsageError that names the argument and the key of `path`."""
        for pattern, instead in _WORDS:
            message = re.sub(pattern, instead, message)
        return UsageError(": ".join(filter(None, (self.name, self.place(path), message))))


def grid_sweep(
    name: str,
    *,
    base: Mapping[str, Any],
    grid: Mapping[str, Any],
    zips: Any,
    excludes: Any,
    replicates: int,
    first_seed: int,
    stop: str | None,
) -> Sweep:
    """Return the sweep that a file with these tables gives. Raise UsageError as that does, with the key."""
    source = CallSource("Sweep.grid")
    document = _document(source, name, base, excludes, replicates, first_seed, stop)
    found = read_document(
        source, {**document, "grid": _table(source, "grid", grid), "zip": _tables(source, "zip", zips)}
    )
    assert isinstance(found, Sweep)
    return found


def search_of(
    name: str,
    *,
    space: Mapping[str, Any],
    base: Mapping[str, Any],
    excludes: Any,
    replicates: int,
    first_seed: int,
    keys: Mapping[str, Any],
) -> Search:
    """Return the search that a file with these tables gives; `keys` are those of `[search]`, None where not given."""
    source = CallSource("Sweep.search")
    document = _document(source, name, base, excludes, replicates, first_seed, None)
    table = {key: _plain(value) for key, value in keys.items() if value is not None}
    found = read_document(source, {**document, "search": {**table, "space": _table(source, "search.space", space)}})
    assert isinstance(found, Search)
    return found


def listed_sweep(trials: Iterable[Trial], *, name: str) -> Sweep:
    """Return the sweep of `trials`: their cells in order of appearance, each under the seeds that all of them have.

    Raise UsageError for what is no trial, trials given twice, and cells that differ in their seeds.
    """
    several = isinstance(trials, Iterable) and not isinstance(trials, Trial)
    source, listed = CallSource("Sweep.of"), list[Any](trials if several else [trials])
    validate(source, {"name": name})
    source.raise_noted()
    for place, trial in enumerate(listed):
        if not isinstance(trial, Trial):
            message = f"must be a Trial, got {_named(trial)}; make one with lrsym.Trial.from_axes"
            raise source.error(f"trials.{place}", message)
    if not 1 <= len(listed) <= MAX_TRIALS:
        raise source.error("trials", f"a sweep has 1 to {MAX_TRIALS:,} trials, got {len(listed):,}; change the list")
    seeds = defaultdict[Cell, list[int]](list)
    for trial in listed:
        seeds[Cell(trial.scenes, trial.model, trial.optim, trial.eval)].append(trial.seed)
    for cell, of_cell in seeds.items():
        if len({*of_cell}) < len(of_cell):
            place = listed.index(cell.trial(max(of_cell, key=of_cell.count)))
            raise source.error(f"trials.{place}", "stands twice in the list; keep one of the two")
    return Sweep(name, source.name, (*seeds,), _common_seeds(source, seeds), _varied([*seeds]), NO_HEAD, (), None)


def _common_seeds(source: CallSource, seeds: Mapping[Cell, list[int]]) -> range:
    """Return the seeds of every cell. Raise UsageError where they differ, or are not evenly spaced."""
    each = {tuple(sorted(of_cell)) for of_cell in seeds.values()}
    first, *others = sorted(each)
    low, high = min(first), max(first)
    evenly = range(low, high + 1, max(1, (high - low) // max(1, len(first) - 1)))
    if others or [*evenly] != [*first]:
        message = (
            f"every cell must have the same seeds, evenly spaced, got {_shown(first)}"
            f"{f' and {_shown(others[0])}' if others else ''}; make a sweep for each set of seeds"
        )
        raise source.error("trials", message)
    return evenly


def _shown(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds[:6])) + (", ..." if len(seeds) > 6 else "")


def _varied(cells: list[Cell]) -> tuple[str, ...]:
    """Return the dotted keys of the axes that differ between `cells`."""
    return tuple(
        f"{section}.{axis}"
        for place, section in enumerate(SECTIONS)
        for axis in type(cells[0][place]).model_fields
        if len({getattr(cell[place], axis) for cell in cells}) > 1
    )


def _document(
    source: CallSource,
    name: str,
    base: Mapping[str, Any],
    excludes: Any,
    replicates: int,
    first_seed: int,
    stop: str | None,
) -> dict[str, Any]:
    return {
        "name": name, "replicates": _plain(replicates), "seed": {"first": _plain(first_seed)}, "stop": stop or "none",
        "base": _table(source, "base", base), "exclude": _tables(source, "exclude", excludes),
    }  # fmt: skip


def _tables(source: CallSource, argument: str, given: Any) -> list[dict[str, Any]]:
    """Return the tables of `argument`, which takes one dict or a list of them."""
    listed = [given] if isinstance(given, Mapping) else _plain(given)
    if not isinstance(listed, list):
        raise source.error(argument, f"must be a dict of axes, or a list of them, got {_named(given)}; change it")
    return [_table(source, f"{argument}.{number}", table) for number, table in enumerate(listed)]


def _table(source: CallSource, argument: str, given: Any) -> dict[str, Any]:
    """Return the dict `given` with values as a file has them. Raise UsageError for what no file could hold."""
    if not isinstance(given, Mapping):
        raise source.error(argument, f'must be a dict of axes, such as {{"optim.steps": ...}}, got {_named(given)}')
    table = {}
    for key, value in given.items():
        if not isinstance(key, str):
            raise source.error(argument, f'keys are texts, such as "optim.steps", got {_named(key)}; change it')
        if (narrow := _narrow(value)) is not None:
            message = (
                f"numbers of an axis are those of 64 bits, got {narrow!s} of {type(narrow).__name__}, which is "
                f"{float(narrow)!r} in 64; write float(str(value)) for {float(str(narrow))!r}, or float(value)"
            )
            raise source.error(f"{argument}.{key}", message)
        table[key] = _plain(value)
        if _holds_none(table[key]):
            raise source.error(f"{argument}.{key}", f"{key} takes no None; leave it out for its default")
    return table


def _holds_none(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_holds_none, inner))


def _narrow(value: Any) -> Any:
    """Return a number in `value` that is another in fewer than 64 bits than as it is written, None without one."""
    if isinstance(value, Mapping):
        return next((found for inner in value.values() if (found := _narrow(inner)) is not None), None)
    if "Float32" in str(dtype := getattr(value, "dtype", "")):  # a series of polars
        value = value.to_numpy()
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0):
        if getattr(dtype, "itemsize", 4) >= 8:
            return None
        return next((found for inner in value if (found := _narrow(inner)) is not None), None)
    short = str(getattr(value, "dtype", "")) in ("float32", "float16")
    return value if short and math.isfinite(value) and float(value) != float(str(value)) else None


def _plain(value: Any) -> Any:
    """Return `value` as a file would give it: lists in place of tuples, ranges, arrays and series, plain numbers."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    for listing in ("tolist", "to_list"):  # of numpy, whose scalars have it too, and of polars
        if hasattr(value, listing):
            return getattr(value, listing)()
    if isinstance(value, list | tuple | range):
        return [_plain(inner) for inner in value]
    return value


def _named(value: Any) -> str:
    return show(value) if isinstance(value, str | int | float | list | dict) else type(value).__name__
