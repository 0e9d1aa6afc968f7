"""The verb `lrsym compact`: care for the files of the store."""

from lrsym.cli.options import RESULTS, Json, Results
from lrsym.cli.output import Output
from lrsym.errors import counted


def compact(results: Results = RESULTS, json: Json = False) -> None:
    """Merge the small files of finished packs into larger ones."""
    from lrsym.results.store.place import require_results
    from lrsym.results.store.store import Store

    require_results(results)
    merged = Store(results).compact()
    line = f"{counted(merged, 'file')} merged in {results}" if merged else f"nothing to merge in {results}"
    Output(as_json=json).result({"merged_files": merged}, [line])
