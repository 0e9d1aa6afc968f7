"""The verbs `lrsym diff` and `lrsym merge`: what two results folders have in common, and taking one into another."""

import itertools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lrsym.cli.environments import environments_in_words
from lrsym.cli.options import RESULTS, Json, Results, Tolerance
from lrsym.cli.output import Output
from lrsym.errors import UsageError, counted
from lrsym.vocabulary import DEFAULT_TOLERANCE

if TYPE_CHECKING:
    from lrsym.results.analysis.overlap import Overlap
    from lrsym.results.store.store import Store

MAX_LISTED = 10
"""Trials that are told one by one; more of them say no more."""

Folder = Annotated[str, typer.Argument(help="Results folder, or s3://bucket/prefix.", show_default=False)]
Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE...", help="Results folders to take rows from.", show_default=False)
]
OfSweep = Annotated[Path | None, typer.Option("--sweep", help="Only trials of this sweep file.", show_default=False)]
Prefer = Annotated[
    str | None,
    typer.Option(
        metavar="here|there",
        help="Where a trial has different results: keep those that are here, or take those from there.",
        show_default=False,
    ),
]


def diff(
    first: Folder, second: Folder, sweep: OfSweep = None, tolerance: Tolerance = DEFAULT_TOLERANCE, json: Json = False
) -> None:
    """Compare two results folders: trials of one alone, and whether those of both have the same results."""
    found = _overlap(first, second, sweep, tolerance)
    data = {
        "only_first": len(found.only_first), "only_second": len(found.only_second), "both": found.both.height,
        "counts": dict(found.counts), "conflicts": found.conflicts.to_dicts(),
    }  # fmt: skip
    lines = [
        f"{counted(len(found.only_first), 'trial', 'are')} in {first} alone, "
        f"{len(found.only_second)} in {second} alone, {found.both.height} in both",
        *_agreement_in_words(found, first, second),
    ]
    Output(as_json=json).result(data, lines)


def merge(
    sources: Sources,
    results: Results = RESULTS,
    sweep: OfSweep = None,
    prefer: Prefer = None,
    tolerance: Tolerance = DEFAULT_TOLERANCE,
    json: Json = False,
) -> None:
    """Take the trials of other results folders into this one: rows, runs and weights; nothing is removed there."""
    from lrsym.results.store.store import Store

    side, target = _side(prefer), Store(results)
    for source in sources:
        if Store(source).files.uri() == target.files.uri():
            raise UsageError(f"a folder cannot be merged into itself, got {source} twice; name another with --results")
    target.require_no_damage()
    for source in sources:
        _require_sound(source)

    def compare(here: str, source: str) -> "Overlap":
        return _overlap(here, source, sweep, tolerance, first_may_lack=here == results)

    compared = {} if side else _without_conflicts(results, sources, compare)
    taken, changed = list[dict[str, Any]](), set[str]()
    for source in sources:
        # What others have brought since is compared anew.
        found = compared.get(source)
        if found is None or not changed.isdisjoint([*found.only_second, *found.both["trial_id"]]):
            found = compare(results, source)
        replaced = [*found.better_in_second]
        if side == "there":
            replaced += found.conflicts["trial_id"].to_list()
        taken.append(_take(source, target, found, replaced))
        changed.update(found.only_second, replaced)
    lines = [
        f"{one['source']}: {counted(one['new'], 'trial')} taken, {one['replaced']} replaced, "
        f"{one['kept']} that are here kept; {counted(one['weights'], 'weights file')}"
        for one in taken
    ]
    Output(as_json=json).result({"results": results, "taken": taken}, lines)


def _take(source: str, target: "Store", found: "Overlap", replaced: list[str]) -> dict[str, Any]:
    """Take what `found` has of `source` alone, and the trials that are `replaced`; return what was done."""
    from lrsym.results.store.merge import take_trials
    from lrsym.results.store.store import Store
    from lrsym.sweep.execution.forget import refuse_held

    refuse_held(target.files, frozenset(replaced), "replaced")
    origin = Store(source)
    weights = take_trials(origin, target, found.only_second) if found.only_second else 0
    weights += take_trials(origin, target, replaced, replace=True) if replaced else 0
    return {
        "source": source, "new": len(found.only_second), "replaced": len(replaced),
        "kept": found.both.height - len(replaced), "weights": weights,
    }  # fmt: skip


def _without_conflicts(
    results: str, sources: list[str], compare: Callable[[str, str], "Overlap"]
) -> "dict[str, Overlap]":
    """Return what each source has in common with `results`. Raises UsageError where any two of the folders disagree."""
    compared = {
        (here, source): compare(here, source) for here, source in itertools.combinations([results, *sources], 2)
    }
    for (here, source), found in compared.items():
        if n := found.conflicts.height:
            look = shlex.join(["lrsym", "diff", here, source])
            raise UsageError(
                f"{counted(n, 'trial', 'have')} other results in {source} than in {here}, and nothing is taken; "
                f"see them: {look}; then choose --prefer here or --prefer there"
            )
    return {source: compared[results, source] for source in sources}


def _require_sound(source: str) -> None:
    """Raise UsageError where a table of `source` is not as it was written: merged, nobody could tell any more."""
    from lrsym.results.store.check import check_parts
    from lrsym.results.store.store import Store

    files = Store(source).files
    _, faults = check_parts(files)
    if faults:
        look = shlex.join(["lrsym", "check", "--results", source])
        raise UsageError(
            f"{source} has {counted(len(faults), 'file')} not as written, such as {files.root}/{faults[0].file}, and "
            f"nothing is taken; see all of them, and set them aside: {look} --repair"
        )


def _overlap(
    first: str, second: str, sweep: Path | None, tolerance: float, *, first_may_lack: bool = False
) -> "Overlap":
    from lrsym.api.arguments import as_grid
    from lrsym.results.analysis.overlap import overlap
    from lrsym.results.store.filesystem import open_filesystem
    from lrsym.results.store.place import require_results
    from lrsym.results.store.store import read_again

    for root in (first, second):
        if not (root == first and first_may_lack and not open_filesystem(root).exists()):
            require_results(root, remedy="name a folder that has some")
    # What a search has chosen is in the second, from which trials are taken.
    ids = None if sweep is None else as_grid(sweep, second).trial_ids()
    return read_again(lambda: overlap(first, second, tolerance=tolerance, trial_ids=ids))


def _agreement_in_words(found: "Overlap", first: str, second: str) -> list[str]:
    from lrsym.vocabulary import AGREEMENTS

    if found.both.is_empty():
        return []
    lines = ["of both: " + ", ".join(f"{found.counts[name]} {name}" for name in AGREEMENTS if name != "failed")]
    lines += environments_in_words(found.both)
    odd = found.conflicts
    lines += [_row_in_words(row, first, second) for row in odd.head(MAX_LISTED).iter_rows(named=True)]
    return lines + ([f"  and {odd.height - MAX_LISTED} more"] if odd.height > MAX_LISTED else [])


def _row_in_words(row: dict[str, Any], first: str, second: str) -> str:
    if row["status_before"] != row["status_after"]:
        return f"  {row['trial_id']}: {row['status_before']} in {first}, {row['status_after']} in {second}"
    values = f"{row['value_before']:.4f} in {first}, {row['value_after']:.4f} in {second}"
    return f"  {row['trial_id']}: {row['metric']} {values}"


def _side(prefer: str | None) -> Literal["here", "there"] | None:
    if prefer is None or prefer == "here" or prefer == "there":
        return prefer
    raise UsageError(f"--prefer must be here or there, got {prefer}; leave it out to be told of conflicts")
