"""The verb `lrsym check`: whether what lies in the results folder is what was written."""

from typing import Annotated

import typer

from lrsym.cli.errors import FAILED
from lrsym.cli.options import RESULTS, Json, Results
from lrsym.cli.output import Output, command_line
from lrsym.errors import counted

Repair = Annotated[
    bool, typer.Option("--repair", help="Move what is wrong to RESULTS/quarantine: the next sweep trains it again.")
]


def check(results: Results = RESULTS, repair: Repair = False, json: Json = False) -> None:
    """Read every table, checkpoint and weights file of the results, and name those that are damaged."""
    from lrsym.results.store.check import check_parts, set_aside, write_anew
    from lrsym.results.store.part_file import part_name
    from lrsym.results.store.place import require_results
    from lrsym.results.store.store import Store
    from lrsym.sweep.execution.checkpoint import list_damaged_checkpoints
    from lrsym.sweep.execution.weights import list_damaged_weights

    require_results(results)
    files = Store(results).files
    n_files, faults = check_parts(files)
    faults += [*list_damaged_checkpoints(files).values(), *list_damaged_weights(files).values()]
    moved, written = (set_aside(files, faults), write_anew(files, faults)) if repair else ([], [])
    repaired = {*moved, *map(part_name, moved), *written}
    left = [fault for fault in faults if repaired.isdisjoint((fault.file, fault.part))]
    lines = [f"{files.root}/{fault.file} {fault.why}" for fault in faults]
    if moved or written:
        lines += _repaired_in_words(files.root, moved, written)
    if left:
        there = [fault for fault in left if not repair or files.exists(fault.file)]
        may_help = not repair and any(fault.repair != "none" for fault in there)
        again = command_line("check --repair" if may_help else "check", None, results)
        lines.append(_left_in_words(len(there), again, may_help=may_help))
    if not faults:
        lines.append(f"{counted(n_files, 'file')} of tables in {results}, all sound")
    data = {"files": n_files, "faults": [vars(fault) for fault in faults], "moved": moved, "written": written}
    Output(as_json=json).result(data, lines)
    if left:
        raise typer.Exit(FAILED)


def _repaired_in_words(root: str, moved: list[str], written: list[str]) -> list[str]:
    from lrsym.results.store.check import QUARANTINE

    place, lines = f"{root}/{QUARANTINE}", list[str]()
    if moved:
        lines.append(f"{counted(len(moved), 'file')} moved to {place}; run the same sweeps again to train anew")
    if written:
        lines.append(f"{counted(len(written), 'file')} written anew without those rows; what was there is in {place}")
    return lines


def _left_in_words(n: int, again: str, *, may_help: bool) -> str:
    """Return what to do about `n` files that are wrong; without any, others have merged or removed them meanwhile."""
    from lrsym.results.store.part_file import SEE_TO_IT

    if not n:
        return f"nothing of it is there any more; look again: {again}"
    remedy = "set aside what is" if may_help else f"{SEE_TO_IT}, then look again"
    return f"{counted(n, 'file', 'are')} wrong; {remedy}: {again}"
