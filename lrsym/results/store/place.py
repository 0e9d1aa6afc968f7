"""Whether a folder is the one that holds results, or another that was named by mistake."""

import os
from difflib import get_close_matches
from pathlib import Path

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import FileSystem, LocalFolder, is_url, open_filesystem
from lrsym.results.store.imported import refuse_imported
from lrsym.results.store.part_file import SUFFIX
from lrsym.results.store.schema import TABLES

_INNER = (
    *TABLES,
    "weights",
    "checkpoints",
    "leases",
    "live",
    "logs",
    "quarantine",
    "plots",
    "reports",
    "exports",
    "explain",
    "claims",
)
"""Folders that lie in a results folder."""


def refuse_inner_folder(root: str) -> None:
    """Raise UsageError where `root` is a folder in a results folder, such as that of a table."""
    outer, name = os.path.split(root if is_url(root) else os.path.abspath(root))
    if name in _INNER and _has_parts(outer):
        raise UsageError(f"results must be a folder of tables, {root} lies in one; give --results {_as_given(root)}")


def require_results(root: str, *, remedy: str = "train a sweep first") -> None:
    """Raise UsageError, with `remedy`, where there is no folder at `root`, or one that holds only other things."""
    files = open_filesystem(root)
    refuse_inner_folder(files.root)
    refuse_imported(files)
    if not files.exists():
        raise UsageError(f"there are no results in {name_place(root)}; {remedy}, or name their folder with --results")
    if _has_tables(files):
        return
    inside, names = os.path.join(files.root, "results"), {*files.names()}
    meant = _has_tables(open_filesystem(inside) if is_url(inside) else LocalFolder(inside))
    if meant or (names and not names & {*_INNER}):
        hint = f"give --results {inside}" if meant else f"{remedy}, or name their folder with --results"
        raise UsageError(f"there are no results in {root}: it has none of the folders {', '.join(TABLES)}; {hint}")


def name_place(root: str | Path) -> str:
    """Return `root` as a message names it: whether it is there, and if not the results that it may stand for."""
    if is_url(str(root)) or Path(root).is_dir():
        return str(root)
    near = _nearest(Path(root))
    return f"{root}, which is not there {f'(did you mean {near}?)' if near else 'yet'}"


def warning_of_place(root: str) -> str:
    """Return a warning where `root`, to be made, has nearly the name of results that are there; empty else."""
    near = None if is_url(root) or Path(root).is_dir() else _nearest(Path(root))
    if near and str(near).rstrip(_NUMBER) == os.path.normpath(root).rstrip(_NUMBER):  # run-2 beside run-1
        return ""
    return f"warning: {root} is not there yet; did you mean {near}? Then give --results {near}" if near else ""


_NUMBER = "0123456789-_."
"""What numbers a name at its end."""


def _nearest(path: Path) -> Path | None:
    """Return the results whose path differs from `path` in the first name that is not there, and least in that."""
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    try:
        beside = [name.name for name in missing.parent.iterdir() if name.is_dir()]
    except OSError:
        return None
    alike = get_close_matches(missing.name, beside, cutoff=0.75)
    near = (missing.with_name(name) / path.relative_to(missing) for name in alike)
    return next((place for place in near if _has_tables(LocalFolder(str(place)))), None)


def _has_parts(root: str) -> bool:
    """Return whether a table has files; the folder alone is not enough, for results may lie in one named `runs`.

    What may not be looked at, such as what lies above a prefix that alone is allowed, tells nothing.
    """
    try:
        files = open_filesystem(root)
        return any(files.list(table, suffix=SUFFIX) for table in TABLES)
    except OSError:
        return False


def _has_tables(files: FileSystem) -> bool:
    return any(files.has_folder(table) for table in TABLES)


def _as_given(root: str) -> str:
    """Return the folder that `root` lies in, as short as `root` was given."""
    outer = os.path.dirname(root if is_url(root) else os.path.normpath(root))
    return outer or os.path.relpath(os.path.dirname(os.path.abspath(root)))
