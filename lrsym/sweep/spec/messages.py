"""Messages about the keys of a sweep file, beside those about axes (`lrsym.config.messages`)."""

from collections.abc import Mapping
from typing import Any

from lrsym.config.messages import MEANINGS, nearest_axis, plain
from lrsym.toml_source import show

TOP_KEYS = ("name", "replicates", "seed", "stop", "base", "grid", "zip", "exclude", "search")


def show_cell(values: Mapping[str, Any]) -> str:
    """Return the axes of a cell, or of an exclude, as `key = value` pairs."""
    return ", ".join(f"{key} = {show(value)}" for key, value in values.items())


def table_name(table: str) -> str:
    """Return `table` as it is written in the file."""
    name, _, number = table.partition(".")
    return f"[[{name}]]" if number.isdigit() else f"[{table}]"


def unknown_axis(key: str, *, table: str) -> str:
    """Return the message for `key`, which is no axis, in `table`."""
    if key == "seed" or key.startswith("seed."):
        return (
            f"seed cannot stand in {table}: seeds are replicates; "
            "write replicates = 5 above the first table, and first = 0 under [seed]"
        )
    if key in TOP_KEYS:
        return f"{key} is no axis, but stands in {table}; move it above the first table"
    if (meant := MEANINGS.get(plain(key))) in TOP_KEYS:
        return f"unknown key {show(key)} in {table}; did you mean {meant}? It stands above the first table"
    return f"unknown key {show(key)} in {table}; {nearest_axis(key) or '`lrsym axes` lists the keys'}"
