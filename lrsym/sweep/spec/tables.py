"""From the tables of a sweep file, `[base]`, `[grid]`, `[[zip]]` and `[[exclude]]`, to a design."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from lrsym.config.messages import AXES, PRESETS, SECTIONS, section_type, wrong_value
from lrsym.config.model import SHORTHANDS
from lrsym.sweep.spec.design import Design, Factor
from lrsym.sweep.spec.messages import show_cell, table_name, unknown_axis
from lrsym.toml_source import TomlSource, fits_64_bits, show


def read_design(
    source: TomlSource,
    *,
    base: Mapping[str, Any],
    grid: Mapping[str, Any],
    zips: Sequence[Mapping[str, Any]],
    excludes: Sequence[Mapping[str, Any]],
) -> Design:
    """Return the design that the four tables describe.

    Raise UsageError for unknown keys, keys given twice, and values of the wrong form: for all of them, and what the
    source has noted before.
    """
    design, before = Design(source), source.n_noted
    read_base(design, base, vary_in="[grid]")
    for key, value in dotted(source, "grid", grid):
        with source.noted():
            design.factors.append(Factor((key,), tuple((v,) for v in _column(design, "grid", key, value))))
    for number, table in enumerate(zips):
        with source.noted():
            design.factors.append(_zip(design, f"zip.{number}", table))
    certain = not source.n_noted  # else a key may be varied where something else is wrong
    for number, table in enumerate(excludes):
        with source.noted():
            design.excluded.append(_exclude(design, f"exclude.{number}", table, certain=certain))
    if source.n_noted > before:
        source.raise_noted()
    return design


def read_base(design: Design, base: Mapping[str, Any], *, vary_in: str) -> None:
    """Take the fixed values of `[base]` into the design; `vary_in` is the table where lists stand.

    The source notes what is wrong.
    """
    for key, value in dotted(design.source, "base", base):
        with design.source.noted():
            design.register("base", key)
            if isinstance(value, list):
                message = f"{key} takes one value in [base], got {show(value)}; move the list to {vary_in} to vary it"
                raise design.source.error(f"base.{key}", message)
            check_value(design.source, "base", key, value)
            design.base[key] = value


def dotted(source: TomlSource, table: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values, whether the file quotes or nests them; the source notes unknown ones."""
    for name, content in given.items():
        nested = isinstance(content, dict) and name not in AXES and (content or name in SECTIONS)
        for key, value in ((f"{name}.{axis}", v) for axis, v in content.items()) if nested else ((name, content),):
            if key in AXES:
                yield key, value
                continue
            with source.noted():
                raise source.error(f"{table}.{key}", unknown_axis(key, table=table_name(table)))


def check_value(source: TomlSource, table: str, key: str, value: Any) -> None:
    """Raise UsageError for what the axis `key` never takes, whatever else stands in the file."""
    huge = isinstance(value, int) and not fits_64_bits(value)
    if isinstance(value, list | dict) or huge or (key in PRESETS and value not in SHORTHANDS[AXES[key].name]):
        raise source.error(f"{table}.{key}", wrong_value(AXES[key], value))
    section, _, name = key.partition(".")
    try:
        section_type(section).model_validate({name: value})
    except ValidationError as error:
        if any(details["loc"] for details in error.errors(include_url=False)):
            raise source.error(f"{table}.{key}", wrong_value(AXES[key], value)) from None


def _column(design: Design, table: str, key: str, values: Any) -> list[Any]:
    """Return the values of an axis that varies. Raise UsageError where they are no list of values."""
    design.register(table, key)
    path, where = f"{table}.{key}", table_name(table)
    if not isinstance(values, list):
        remedy = f"write [{show(values)}], or move it to [base]" if not isinstance(values, dict) else "write a list"
        raise design.source.error(path, f"{key} takes a list in {where}, got {show(values)}; {remedy}")
    if not values:
        message = f"{key} has an empty list in {where}, which leaves no cells; give values or drop the key"
        raise design.source.error(path, message)
    with design.source.noted():
        for value in values:
            check_value(design.source, table, key, value)
    return values


def _zip(design: Design, table: str, given: Mapping[str, Any]) -> Factor:
    """Return the factor of one `[[zip]]`."""
    columns, before = dict[str, list[Any]](), design.source.n_noted
    for key, value in dotted(design.source, table, given):
        with design.source.noted():
            columns[key] = _column(design, table, key, value)
    if not columns and design.source.n_noted == before:
        raise design.source.error(table, "[[zip]] has no keys; give it axes that move together, or drop it")
    for key, column in columns.items():
        first = next(iter(columns))
        if len(column) != len(columns[first]):
            message = (
                f"the lists of one [[zip]] must have one length, got {len(columns[first])} values for {first} "
                f"and {len(column)} for {key}; make them equal, or use [grid] for every combination"
            )
            raise design.source.error(f"{table}.{key}", message)
    return Factor(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def _exclude(design: Design, table: str, given: Mapping[str, Any], *, certain: bool) -> list[list[bool]]:
    """Return, for each row of each factor, whether it matches all keys of one `[[exclude]]`."""
    source = design.source
    varied = design.varied if certain else AXES
    wanted = exclude_values(source, table, given, varied=varied, vary_in="[grid] or [[zip]]")
    left_out = [
        [
            all(equal(value, wanted[key]) for key, value in zip(factor.keys, row, strict=True) if key in wanted)
            for row in factor.rows
        ]
        for factor in design.factors
    ]
    for factor, rows in zip(design.factors, left_out, strict=True):
        if certain and not any(rows):
            key = next(key for key in factor.keys if key in wanted)
            takes = "; ".join(_values_of(factor, key) for key in factor.keys if key in wanted)
            message = f"[[exclude]] {show_cell(wanted)} matches no cell: {takes}; change the value, or drop the table"
            raise source.error(f"{table}.{key}", message)
    return left_out


def exclude_values(
    source: TomlSource, table: str, given: Mapping[str, Any], *, varied: Collection[str], vary_in: str
) -> dict[str, Any]:
    """Return the keys and values of one `[[exclude]]`, which are among the `varied` keys of the tables `vary_in`.

    The source notes what cannot stand there.
    """
    wanted, before = dict[str, Any](), source.n_noted
    for key, value in dotted(source, table, given):
        message = ""
        if key in wanted:
            message = f"{key} is given twice in one [[exclude]]; keep one of them"
        elif isinstance(value, list):
            message = f"{key} takes one value in [[exclude]], got {show(value)}; write one [[exclude]] for each"
        elif key not in varied:
            message = f"{key} is not varied, so [[exclude]] cannot use it; vary it in {vary_in}, or drop it"
        with source.noted():
            if message:
                raise source.error(f"{table}.{key}", message, last=True)
            wanted[key] = value
    if not wanted and source.n_noted == before:
        message = "[[exclude]] has no keys and would match every cell; give it keys, or drop it"
        raise source.error(table, message)
    return wanted


def _values_of(factor: Factor, key: str) -> str:
    values = [show(row[factor.keys.index(key)]) for row in factor.rows]
    return f"{key} is {', '.join(values[:12])}{', ...' if len(values) > 12 else ''}"


def equal(a: Any, b: Any) -> bool:
    """Return whether two values of an axis are the same: 1 is 1.0, but not true."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b
