"""The table `[search]` of a sweep file: its keys, its space, and what cannot stand in it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lrsym.config.messages import AXES, PRESETS, wrong_value
from lrsym.sweep.spec.design import Design
from lrsym.sweep.spec.search import Objective
from lrsym.sweep.spec.search_space import Choice, Interval, SearchSpace, SpaceAxis, is_number
from lrsym.sweep.spec.tables import check_value, dotted, exclude_values, read_base
from lrsym.toml_source import Rule, TomlSource, show, suggest
from lrsym.vocabulary import METRICS, SAMPLERS, SEARCH_STOP_RULES, SPLITS

MAX_BUDGET = 100_000
"""Cells of a search: beyond this a budget is taken for a slip, and no sampler keeps up."""

MIN_WILCOXON = 5
"""Of fewer replicates no outcome of Wilcoxon's signed-rank test has a one-sided p below 0.05: that of n is at least
1 / 2**n."""

_SPACE = "search.space"
_RANGE = "{ low = 1e-4, high = 1e-2, log = true }"


class SearchTable(BaseModel):
    """The keys of `[search]`, each with its rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sampler: Annotated[
        str,
        Field(pattern=f"^({'|'.join(SAMPLERS)})$"),
        Rule(f"one of {', '.join(SAMPLERS)}", 'write sampler = "tpe", or leave it out'),
    ] = "tpe"
    budget: Annotated[
        int,
        Field(ge=1, le=MAX_BUDGET),
        Rule(f"a whole number of cells >= 1 and <= {MAX_BUDGET:,}", "write for example budget = 60"),
    ]
    seed: Annotated[int, Field(ge=0, lt=2**63), Rule("a whole number >= 0 and < 2**63", "write seed = 0")] = 0
    maximise: Annotated[
        str | list[str] | None,
        Rule("a column of the table trials, or SQL, in quotes, or a list of them", 'write maximise = "unseen_order"'),
    ] = None
    minimise: Annotated[
        str | list[str] | None,
        Rule("a column of the table trials, or SQL, in quotes, or a list of them", 'write minimise = "seconds"'),
    ] = None
    stop: Annotated[
        str,
        Field(pattern=f"^(none|{'|'.join(SEARCH_STOP_RULES)})$"),
        Rule(f"one of none, {', '.join(SEARCH_STOP_RULES)}", 'write stop = "asha", or leave it out'),
    ] = "none"
    reuse: Annotated[bool, Rule("true or false", "write reuse = false, or leave it out")] = True
    space: Annotated[
        dict[str, Any], Rule("a table", f'write [{_SPACE}] above its keys, such as "optim.learning_rate" = {_RANGE}')
    ]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is sought, what is maximised first."""
        given = ((self.maximise, True), (self.minimise, False))
        return tuple(Objective(sql.strip(), maximise) for texts, maximise in given for sql in _as_list(texts))


def _as_list(texts: str | list[str] | None) -> list[str]:
    return [] if texts is None else [texts] if isinstance(texts, str) else texts


def read_space(
    source: TomlSource,
    *,
    base: Mapping[str, Any],
    space: Mapping[str, Any],
    excludes: Sequence[Mapping[str, Any]],
    known: bool,
) -> SearchSpace:
    """Return the space that the tables describe, whether trials can be in it only where they are `known` to be right.

    Raise UsageError for what is wrong in it, or if it is empty, with what the source has noted before.
    """
    design, before = Design(source), source.n_noted
    read_base(design, base, vary_in=f"[{_SPACE}]")
    axes = _read_axes(design, space)
    if source.n_noted > before:
        source.raise_noted()
    excluded = tuple(_read_exclude(source, number, axes, table) for number, table in enumerate(excludes))
    if not known or source.n_noted > before:
        source.raise_noted()
    found = SearchSpace(design.base, tuple(axes), excluded)
    if found.size == 1:
        message = f"the space has one cell; widen an axis of [{_SPACE}], or drop [search] and train it as a sweep"
        raise source.error(_SPACE, message)
    if not found.valid_corners:
        raise source.error(_SPACE, f"no trial can be in this space: {found.refusal(found.corners[0])}")
    return found


def _read_axes(design: Design, space: Mapping[str, Any]) -> list[SpaceAxis]:
    """Return the axes, sorted by key."""
    source = design.source
    misplaced = [
        key for key in space if key in SearchTable.model_fields and key != "seed"
    ]  # which is taken for an axis
    for key in misplaced:
        message = f"{key} is a key of [search], but stands in [{_SPACE}]; move it above that table"
        with source.noted():
            raise source.error(f"{_SPACE}.{key}", message)
    axes: list[SpaceAxis] = []
    for key, value in dotted(source, _SPACE, {k: v for k, v in space.items() if k not in misplaced}):
        with source.noted():
            design.register(_SPACE, key)
            axes.append(_read_axis(source, key, value))
    if not axes and not source.n_noted:
        raise source.error(_SPACE, f'[{_SPACE}] has no keys; give it axes, such as "optim.learning_rate" = {_RANGE}')
    return sorted(axes, key=lambda axis: axis.key)


def _read_axis(source: TomlSource, key: str, value: Any) -> SpaceAxis:
    if isinstance(value, list):
        return _read_choice(source, key, value)
    if isinstance(value, dict):
        return _read_interval(source, key, value)
    message = f"{key} takes a range or a list in [{_SPACE}], got {show(value)}; write {_RANGE}, or move it to [base]"
    raise source.error(f"{_SPACE}.{key}", message)


def _read_choice(source: TomlSource, key: str, values: list[Any]) -> Choice:
    path = f"{_SPACE}.{key}"
    if not values:
        raise source.error(path, f"{key} has an empty list in [{_SPACE}], which leaves no cells; give values")
    seen: dict[Any, Any] = {}
    for value in values:
        check_value(source, _SPACE, key, value)
        if value in seen:  # as 1, 1.0 and true are
            message = f"{key} has the same value twice, {show(seen[value])} and {show(value)}; keep one of them"
            raise source.error(path, message)
        seen[value] = value
    return Choice(key, tuple(_as_number(key, value) for value in values))


def _as_number(key: str, value: Any) -> Any:
    """Return a whole number as a float where the axis `key` takes floats: 1 and 1.0 are one search."""
    return float(value) if AXES[key].type is float and is_number(value, whole=True) else value


def _read_interval(source: TomlSource, key: str, given: Mapping[str, Any]) -> Interval:
    axis, path = AXES[key], f"{_SPACE}.{key}"
    if axis.type not in (int, float) or key in PRESETS:
        raise source.error(path, f"{key} has no range, because it takes no numbers; write a list of its values")
    _check_range_keys(source, path, key, given)
    low, high, log = given["low"], given["high"], given.get("log", False)
    for value in (low, high):
        if not is_number(value, whole=axis.type is int):
            raise source.error(path, wrong_value(axis, value))
    if not isinstance(log, bool):
        raise source.error(path, f"log of the range of {key} must be true or false, got {show(log)}; change it")
    if low > high:
        raise source.error(path, f"low must not be above high, got {low} and {high} for {key}; swap them")
    if log and low <= 0:
        raise source.error(path, f"a log range needs low > 0, got {low} for {key}; raise it, or drop log")
    for value in (low, high):
        check_value(source, _SPACE, key, value)
    return Interval(key, _as_number(key, low), _as_number(key, high), log)


def _check_range_keys(source: TomlSource, path: str, key: str, given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in ("low", "high", "log"):
            hint = suggest(name, ("low", "high", "log")) or "it has low, high and log"
            raise source.error(path, f"unknown key {show(name)} in the range of {key}; {hint}")
    for name in ("low", "high"):
        if name not in given:
            raise source.error(path, f"the range of {key} lacks {name}; write for example {_RANGE}")


def _read_exclude(
    source: TomlSource, number: int, axes: Sequence[SpaceAxis], given: Mapping[str, Any]
) -> Mapping[str, Any]:
    table, by_key = f"exclude.{number}", {axis.key: axis for axis in axes}
    wanted = exclude_values(source, table, given, varied=by_key, vary_in=f"[{_SPACE}]")
    for key, value in wanted.items():
        axis, message = by_key[key], ""
        if axis.size is None:
            message = f"{key} is continuous, so that [[exclude]] would match no cell; narrow its range instead"
        elif not axis.has(value):
            message = f"[[exclude]] {key} = {show(value)} matches no cell; take a value of its axis, or drop the table"
        if message:
            raise source.error(f"{table}.{key}", message)
    return {key: _as_number(key, value) for key, value in wanted.items()}


def check_objectives(source: TomlSource, table: SearchTable) -> None:
    """Raise UsageError where `[search]` does not say what is sought, or says it twice."""
    sought = [objective.sql for objective in table.objectives]
    if not sought and {"maximise", "minimise"} & {*table.space}:
        return  # of which the reader of the space tells
    where = "search.minimise" if table.maximise is None else "search.maximise"
    if not all(sought) or not sought:
        message = '[search] does not say what is sought; write for example maximise = "unseen_order"'
        raise source.error(where, message)
    if twice := next((sql for sql in sought if sought.count(sql) > 1), None):
        raise source.error(where, f"[search] seeks {show(twice)} twice; keep one of them")


def check_search(source: TomlSource, table: SearchTable, space: SearchSpace, *, replicates: int) -> None:
    """Raise UsageError for keys of `[search]` that do not go together; what is sought is noted, if it is wrong."""
    objectives = table.objectives
    if table.sampler == "cmaes":
        _check_cmaes(source, space, n_objectives=len(objectives))
    if table.stop != "none" and objectives and all(objective.sql for objective in objectives):
        _check_stop(source, table, objectives, space, replicates=replicates)


def _check_cmaes(source: TomlSource, space: SearchSpace, *, n_objectives: int) -> None:
    if listed := next((axis.key for axis in space.axes if isinstance(axis, Choice)), None):
        message = f"sampler cmaes takes ranges of numbers alone, {listed} has a list; write a range, or take tpe"
        raise source.error(f"{_SPACE}.{listed}", message)
    if len(space.axes) < 2:
        raise source.error("search.sampler", "sampler cmaes needs two axes or more, the space has one; take tpe")
    if n_objectives > 1:
        raise source.error("search.sampler", f"sampler cmaes takes one objective, got {n_objectives}; take nsga2")


def _check_stop(
    source: TomlSource, table: SearchTable, objectives: Sequence[Objective], space: SearchSpace, *, replicates: int
) -> None:
    rule, message = f'stop = "{table.stop}"', ""
    split, _, metric = objectives[0].sql.partition("_")
    if len(objectives) > 1:
        message = f"{rule} takes one objective, got {len(objectives)}; drop stop, or keep one"
    elif split not in SPLITS or metric not in METRICS:
        message = (
            f"{rule} needs an objective that learning curves have, a split and a metric such as unseen_order, "
            f"got {show(objectives[0].sql)}; change it, or drop stop"
        )
    elif scheduled := [key for key in space.keys if key in ("eval.points", "eval.schedule")]:
        message = f"{rule} compares cells at the same evaluations, but {scheduled[0]} varies; fix it in [base]"
    elif table.stop == "wilcoxon" and replicates < MIN_WILCOXON:
        message = (
            f"wilcoxon with fewer than {MIN_WILCOXON} replicates cannot stop anything, got {replicates}; write "
            f"replicates = {MIN_WILCOXON}, or take asha"
        )
    if message:
        raise source.error("search.stop", message)
