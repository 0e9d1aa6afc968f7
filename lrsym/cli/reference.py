"""The verbs `lrsym axes` and `lrsym columns`: what can be set in a sweep file, and what can be read in a table."""

from lrsym.cli.options import Json
from lrsym.cli.output import Output


def axes(json: Json = False) -> None:
    """List the keys of a sweep file: type, bounds, default, unit, source."""
    from lrsym.config import axes

    rows = [{**vars(axis), "key": axis.key, "type": axis.type.__name__} for axis in axes.axes()]
    Output(as_json=json).result({"axes": rows}, [axes.as_markdown().rstrip()])


def columns(json: Json = False) -> None:
    """List the tables of the store: column, type, unit, meaning."""
    from lrsym.results.store.schema import TABLES, as_markdown

    tables = {
        name: [{"name": c.name, "type": str(c.type), "unit": c.unit, "sentence": c.sentence} for c in table.columns]
        for name, table in TABLES.items()
    }
    Output(as_json=json).result({"tables": tables}, [as_markdown().rstrip()])
