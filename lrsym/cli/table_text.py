"""Tables in a terminal: wrapped, drawn, or on their side where their columns have no room beside each other."""

import io
import json
import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lrsym.cli.streams import can_show
from lrsym.errors import printable

if TYPE_CHECKING:
    import polars as pl

MAX_TEXT = 60
"""Letters of a text that a drawn table shows; on its side a table shows all."""

_LOOKED_AT = 1000
"""Rows that decide on how wide the values of a column are."""

_MIN_COLUMN, _BETWEEN = 4, 3
"""Letters that a heading takes when it is wrapped, and those between two columns."""


def as_wrapped_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows of text as a table as wide as the terminal, long cells wrapped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if can_show("─") else box.ASCII2, pad_edge=False, show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    sheet = Console(width=_width(), file=io.StringIO(), color_system=None)
    with sheet.capture() as shown:
        sheet.print(table)
    return "\n".join(line.rstrip() for line in shown.get().splitlines())


def as_text(frame: "pl.DataFrame") -> str:
    """Return every row of `frame`, drawn as wide as the terminal; on its side where values would have to be cut.

    Of no rows whose headings have no room, that they are none.
    """
    import polars as pl

    width = _width()
    headings = sum(len(name) + _BETWEEN for name in frame.columns) + 1
    if not frame.height and headings > width:
        return f"no rows, {frame.width} columns"
    if frame.height and sum(_values_width(column) + _BETWEEN for column in frame.head(_LOOKED_AT)) + 1 > width:
        return _on_its_side(frame)
    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_width_chars=width,
        fmt_str_lengths=MAX_TEXT, tbl_formatting="UTF8_FULL_CONDENSED" if can_show("┌┆╞") else "ASCII_FULL_CONDENSED",
    ):  # fmt: skip
        return printable(str(frame))


def _width() -> int:
    return shutil.get_terminal_size((160, 40)).columns


def _values_width(column: "pl.Series") -> int:
    """Return the letters that the values of a column take, its heading wrapped."""
    return max(_MIN_COLUMN, *(min(len(_cell(value)), MAX_TEXT) for value in column))


def _on_its_side(frame: "pl.DataFrame") -> str:
    """Return a block for each row of `frame`, a line for each of its values."""
    names = max(map(len, frame.columns))
    blocks = []
    for number, row in enumerate(frame.iter_rows(named=True), 1):
        values = [f"{name:<{names}}  {_cell(value)}" for name, value in row.items()]
        blocks.append("\n".join([f"row {number} of {frame.height:,}", *values]))
    return printable("\n\n".join(blocks))


def _cell(value: object) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
