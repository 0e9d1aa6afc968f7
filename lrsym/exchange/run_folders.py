"""A folder for each run, which appears complete or not at all, and which run lies in it.

    <out>/<folder>/lrsym.json   trial_id and digest of what was written
    <out>/<folder>/...          the files of the tool

A run that is there already is kept, one that differs is put in place of the old. Folders without a lrsym.json are
another's; where a run would take the place of one, it is refused.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from lrsym.exchange.outcome import Exported, taken
from lrsym.exchange.run import Run

LABEL = "lrsym.json"

_TEMPORARY = ".lrsym-export-"

STALE_SECONDS = 3600
"""An export that was at work on a run for so long was killed."""


def export_runs(found: Iterable[Run], out: Path, *, write: Callable[[Run, Path], Path], look: str) -> Exported:
    """Write each run into a folder of `out`; `write` makes that folder in an empty one, and returns it.

    Killed on the way it leaves complete runs, and the same call goes on. Raises UsageError where something else stands
    in the place of a run.
    """
    if out.exists() and not out.is_dir():
        raise taken(out, "is a file and no folder")
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f"{_TEMPORARY}*"):
        if left.stat().st_mtime < time.time() - STALE_SECONDS:  # of an export that was killed
            shutil.rmtree(left, ignore_errors=True)
    there = _labels(out)
    written = kept = replaced = 0
    for run in found:
        old, digest = there.get(run.trial_id, (None, ""))
        if digest == run.digest:
            kept += 1
            continue
        temporary = out / f"{_TEMPORARY}{uuid.uuid4().hex}"
        temporary.mkdir()
        try:
            made = write(run, temporary)
            (made / LABEL).write_text(json.dumps({"trial_id": run.trial_id, "digest": run.digest}))
            _put(made, out / made.name, old, aside=temporary / ".old")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        written += old is None
        replaced += old is not None
    return Exported(str(out), look, {}, written, kept, replaced)


def _labels(out: Path) -> dict[str, tuple[Path, str]]:
    """Return folder and digest of every run that an export has written, by trial_id."""
    found = {}
    for label in sorted(out.glob(f"*/{LABEL}")):
        try:
            told = json.loads(label.read_text())
            found[told["trial_id"]] = label.parent, told["digest"]
        except (ValueError, KeyError, TypeError):
            raise taken(label, "is damaged") from None
    return found


def _put(made: Path, place: Path, old: Path | None, *, aside: Path) -> None:
    """Rename the folder `made` to `place`, and before it the `old` one of the same run to `aside`."""
    if place.exists() and place != old:
        raise taken(place, "was not written by an export")
    if old is not None:
        old.rename(aside)
    made.rename(place)
