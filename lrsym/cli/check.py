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
    from lrsym.results.store.check import QUARANTINE, Fault, check_parts, set_aside
    from lrsym.results.store.place import require_results
    from lrsym.results.store.store import Store
    from lrsym.sweep.execution.checkpoint import list_damaged_checkpoints
    from lrsym.sweep.execution.weights import list_damaged_weights

    require_results(results)
    files = Store(results).files
    n_files, faults = check_parts(files)
    others = {**list_damaged_checkpoints(files), **list_damaged_weights(files)}
    faults += [Fault(name, why) for name, why in others.items()]
    moved = set_aside(files, faults) if repair else []
    lines = [f"{files.root}/{fault.file} {fault.why}" for fault in faults]
    if moved:
        lines.append(
            f"{counted(len(moved), 'file')} moved to {files.root}/{QUARANTINE}; run the same sweeps again to train anew"
        )
    elif faults:
        again = command_line("check --repair", None, results)
        lines.append(f"{counted(len(faults), 'file', 'are')} wrong; set aside what is: {again}")
    else:
        lines.append(f"{counted(n_files, 'file')} of tables in {results}, all sound")
    data = {"files": n_files, "faults": [vars(fault) for fault in faults], "moved": moved}
    Output(as_json=json).result(data, lines)
    if faults and not repair:
        raise typer.Exit(FAILED)
