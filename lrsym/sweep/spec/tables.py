"""From the tables of a sweep file, `[base]`, `[grid]`, `[[zip]]` and `[[exclude]]`, to a design."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lrsym.sweep.spec.grid import Design, Factor
from lrsym.sweep.spec.messages import AXES, SECTIONS, show_cell, table_name, unknown_axis, wrong_value
from lrsym.toml_source import Source, fits_64_bits, show


def read_design(
    source: Source,
    *,
    base: Mapping[str, Any],
    grid: Mapping[str, Any],
    zips: Sequence[Mapping[str, Any]],
    excludes: Sequence[Mapping[str, Any]],
) -> Design:
    """The design that the four tables describe.

    Raises UsageError for unknown keys, keys given twice, and values of the wrong form.
    """
    design = Design(source)
    for key, value in _flat(source, "base", base):
        design.claim("base", key)
        if isinstance(value, list):
            message = f"{key} takes one value in [base], got {show(value)}; move the list to [grid] to vary it"
            raise source.error(f"base.{key}", message)
        _check(source, "base", key, value)
        design.base[key] = value
    for key, value in _flat(source, "grid", grid):
        design.factors.append(Factor((key,), tuple((v,) for v in _column(design, "grid", key, value))))
    for number, table in enumerate(zips):
        design.factors.append(_zip(design, f"zip.{number}", table))
    for number, table in enumerate(excludes):
        design.excluded.append(_exclude(design, f"exclude.{number}", table))
    return design


def _flat(source: Source, table: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values, whether the file quotes the key or nests tables; raises for an unknown key."""
    for section, part in given.items():
        nested = isinstance(part, dict) and section not in AXES and (part or section in SECTIONS)
        for key, value in ((f"{section}.{name}", v) for name, v in part.items()) if nested else ((section, part),):
            if key not in AXES:
                raise source.error(f"{table}.{key}", unknown_axis(key, table=table_name(table)))
            yield key, value


def _check(source: Source, table: str, key: str, value: Any) -> None:
    """Refuse what no axis takes: lists, tables, integers that neither TOML nor the store can hold."""
    if isinstance(value, list | dict) or (isinstance(value, int) and not fits_64_bits(value)):
        raise source.error(f"{table}.{key}", wrong_value(AXES[key], value))


def _column(design: Design, table: str, key: str, values: Any) -> list[Any]:
    design.claim(table, key)
    path, where = f"{table}.{key}", table_name(table)
    if not isinstance(values, list):
        remedy = f"write [{show(values)}], or move it to [base]" if not isinstance(values, dict) else "write a list"
        raise design.source.error(path, f"{key} takes a list in {where}, got {show(values)}; {remedy}")
    if not values:
        message = f"{key} has an empty list in {where}, which leaves no cells; give values or drop the key"
        raise design.source.error(path, message)
    for value in values:
        _check(design.source, table, key, value)
    return values


def _zip(design: Design, table: str, given: Mapping[str, Any]) -> Factor:
    columns = {key: _column(design, table, key, value) for key, value in _flat(design.source, table, given)}
    if not columns:
        raise design.source.error(table, "[[zip]] has no keys; give it axes that move together, or drop it")
    first, *_ = columns
    for key, column in columns.items():
        if len(column) != len(columns[first]):
            message = (
                f"the lists of one [[zip]] must have one length, got {len(columns[first])} values for {first} "
                f"and {len(column)} for {key}; make them equal, or use [grid] for every combination"
            )
            raise design.source.error(f"{table}.{key}", message)
    return Factor(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def _exclude(design: Design, table: str, given: Mapping[str, Any]) -> list[set[int]]:
    """For each factor, the rows that match all keys of one `[[exclude]]`."""
    source = design.source
    wanted = _wanted(design, table, given)
    left_out = [
        {
            i
            for i, row in enumerate(factor.rows)
            if all(_equal(value, wanted[key]) for key, value in zip(factor.keys, row, strict=True) if key in wanted)
        }
        for factor in design.factors
    ]
    for factor, rows in zip(design.factors, left_out, strict=True):
        if not rows:
            key = next(key for key in factor.keys if key in wanted)
            takes = "; ".join(_values_of(factor, key) for key in factor.keys if key in wanted)
            message = f"[[exclude]] {show_cell(wanted)} matches no cell: {takes}; mend the value, or drop the table"
            raise source.error(f"{table}.{key}", message)
    return left_out


def _wanted(design: Design, table: str, given: Mapping[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for key, value in _flat(design.source, table, given):
        message = ""
        if key in wanted:
            message = f"{key} is given twice in one [[exclude]]; keep one of them"
        elif isinstance(value, list):
            message = f"{key} takes one value in [[exclude]], got {show(value)}; write one [[exclude]] for each"
        elif key not in design.varied:
            message = f"{key} is not varied, so [[exclude]] cannot use it; vary it in [grid] or [[zip]], or drop it"
        if message:
            raise design.source.error(f"{table}.{key}", message, last=True)
        wanted[key] = value
    if not wanted:
        message = "[[exclude]] has no keys and would match every cell; give it keys, or drop it"
        raise design.source.error(table, message)
    return wanted


def _values_of(factor: Factor, key: str) -> str:
    values = [show(row[factor.keys.index(key)]) for row in factor.rows]
    return f"{key} is {', '.join(values[:12])}{', ...' if len(values) > 12 else ''}"


def _equal(a: Any, b: Any) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and a == b
