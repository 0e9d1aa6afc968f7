"""Trials that other tools trained, in a folder of their own: asked and exported, never taken for trials of a sweep.

    <root>/imported.json                    what came from where
    <root>/imported_trials/<source>.parquet
    <root>/imported_curves/<source>.parquet

No table of results has such a name, and `Store` refuses a folder with such a file: rows of both cannot mix.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import FileSystem, open_filesystem

MARKER = "imported.json"

FOLDERS = {"trials": "imported_trials", "curves": "imported_curves"}
"""Tables of imported trials, as queries name them, with their folders."""

OWN_COLUMNS: dict[str, Any] = {
    "trial_id": pl.String, "imported_from": pl.String, "study": pl.String, "status": pl.String, "state": pl.String,
    "message": pl.String, "stop_rule": pl.String, "seconds": pl.Float64, "finished_at": pl.Datetime("us", "UTC"),
}  # fmt: skip
"""Columns of every imported trial: status in our words, state in those of the tool; no rule of ours stopped any."""

CURVE_COLUMNS: dict[str, Any] = {"trial_id": pl.String, "step": pl.Int64, "metric": pl.String, "value": pl.Float64}


@dataclass(frozen=True)
class Source:
    """Where imported trials came from: the `tool`, its `address` and `study`; which columns are parameters, metrics."""

    tool: str
    address: str
    study: str
    parameters: Sequence[str] = ()
    metrics: Sequence[str] = ()
    imported_at: str = ""

    @property
    def key(self) -> str:
        """The name of its files."""
        return hashlib.sha256(json.dumps([self.tool, self.study]).encode()).hexdigest()[:32]


def is_imported(files: FileSystem) -> bool:
    """Return whether a folder holds imported trials."""
    return files.exists(MARKER)


def refuse_imported(files: FileSystem) -> None:
    """Raise UsageError where a folder holds imported trials."""
    if is_imported(files):
        raise UsageError(
            f"{files.root} holds trials imported from other tools, which are none of a sweep; ask them with lrsym "
            "query or lrsym export, or name another folder with --results"
        )


def read_sources(files: FileSystem) -> dict[str, Source]:
    """Return what was imported into a folder by the name of its files; empty where nothing was."""
    if not is_imported(files):
        return {}
    try:
        return {key: Source(**told) for key, told in json.loads(files.get(MARKER)).items()}
    except (ValueError, TypeError, AttributeError):
        raise UsageError(f"{files.root}/{MARKER} is damaged; remove it with the folder, and import again") from None


def write_source(root: str, source: Source, trials: pl.DataFrame, curves: pl.DataFrame) -> None:
    """Write the trials of a source into the folder `root`, in place of those that it had of it.

    The marker is written first, so that a folder with any of its rows is never taken for results. Raises UsageError
    where the folder has tables of trained trials, a study of the same name that came from elsewhere, or one with a
    column of the same name and another kind.
    """
    files = open_filesystem(root)
    refuse_results(files)
    sources = read_sources(files)
    known = sources.get(source.key)
    if known and known.address != source.address:
        raise UsageError(
            f"{files.root} has a study {source.study} from {known.address} already, got one from {source.address}; "
            "name another folder with --results"
        )
    _require_same_kinds(files, source, {"trials": trials, "curves": curves})
    sources[source.key] = source
    marker = {key: asdict(one) for key, one in sorted(sources.items())}
    files.prove_writable()
    files.put(MARKER, json.dumps(marker, indent=1).encode())
    for table, rows in (("curves", curves), ("trials", trials)):
        content = io.BytesIO()
        rows.write_parquet(content)
        files.put(_part(table, source.key), content.getvalue())


def _require_same_kinds(files: FileSystem, source: Source, tables: dict[str, pl.DataFrame]) -> None:
    """Raise UsageError where a column would change the values of another study's by being put below it."""
    for table, rows in tables.items():
        new = {name.lower(): (name, kind) for name, kind in rows.schema.items()}
        for file in files.list(FOLDERS[table], suffix=".parquet"):
            if file == _part(table, source.key):
                continue
            scan = pl.scan_parquet(files.uri(file), glob=False, storage_options=files.storage_options)
            for there, kind in scan.collect_schema().items():
                name, wanted = new.get(there.lower(), (there, kind))
                if name != there or (_kind(kind) != _kind(wanted) and pl.Null not in (kind, wanted)):
                    raise UsageError(
                        f"{files.root} has a column {there} of {_kind(kind)} from another study, got {name} of "
                        f"{_kind(wanted)} from {source.study}; name another folder with --results"
                    )


def _kind(kind: pl.DataType) -> str:
    return (
        "numbers" if kind.is_numeric() else {pl.Boolean: "truths", pl.String: "text"}.get(kind.base_type(), str(kind))
    )


def _part(table: str, key: str) -> str:
    return f"{FOLDERS[table]}/{key}.parquet"


def refuse_results(files: FileSystem) -> None:
    """Raise UsageError where a folder has tables of trained trials, or is another folder with things in it."""
    from lrsym.results.store.schema import TABLES

    if is_imported(files) or not files.exists():
        return
    if any(files.has_folder(table) for table in TABLES):
        raise UsageError(
            f"{files.root} holds trials that lrsym trained, and imported ones are never mixed with them; name a folder "
            "of their own with --results"
        )
    if names := files.names():
        raise UsageError(
            f"{files.root} is a folder of other things, such as {names[0]}; name an empty one with --results"
        )


def load_imported(root: str, table: str) -> pl.LazyFrame:
    """Return the table `trials` or `curves` of imported trials; columns that a study lacks are null."""
    files = open_filesystem(root)
    columns = OWN_COLUMNS if table == "trials" else CURVE_COLUMNS
    frames = [pl.LazyFrame(schema=columns)]
    for name in files.list(FOLDERS[table], suffix=".parquet"):
        frames.append(pl.scan_parquet(files.uri(name), glob=False, storage_options=files.storage_options))
    return pl.concat(frames, how="diagonal_relaxed")


def now() -> str:
    """Return the time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def column_names(parameters: Iterable[str], metrics: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the column of each parameter and of each metric.

    It is the name itself; where a column of ours has it, or a metric has it, with `param_` or `metric_` before it.
    Names that differ in case alone are one name to many a database, and so here.
    """
    taken = {name.lower() for name in OWN_COLUMNS}
    named_metrics = {name: _free(name, "metric_", taken) for name in metrics}
    return {name: _free(name, "param_", taken) for name in parameters}, named_metrics


def _free(name: str, prefix: str, taken: set[str]) -> str:
    while name.lower() in taken:
        name = prefix + name
    taken.add(name.lower())
    return name


def column(name: str, values: list[Any]) -> pl.Series:
    """Return a column of values of any kind: truths, whole numbers, numbers, else text, where lists are JSON."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if kinds <= {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds <= {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds <= {int, float} and all(isinstance(v, float) or abs(v) < 2**1000 for v in values if v is not None):
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    return pl.Series(name, [_as_text(value) for value in values], dtype=pl.String)


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)
