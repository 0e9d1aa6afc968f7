"""The verb `lrsym forget`: remove trials of a sweep from the results, once it was said which."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.options import RESULTS, File, Json, Results, Set
from lrsym.cli.output import Output, command_line
from lrsym.errors import counted

if TYPE_CHECKING:
    from lrsym.sweep.execution.forget import Traces

Yes = Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only counted.")]
Where = Annotated[
    str | None, typer.Option(help="Forget only trials for which this SQL condition holds: \"status = 'crashed'\".")
]


def forget(
    file: File, set_: Set = None, results: Results = RESULTS, where: Where = None, yes: Yes = False, json: Json = False
) -> None:
    """Count what the results hold of a sweep's trials (rows, weights, checkpoints) and, with --yes, remove it."""
    from lrsym.results.store.place import require_results
    from lrsym.results.store.store import Store
    from lrsym.sweep.execution import forget as forgetting
    from lrsym.sweep.execution.lease import require_alone
    from lrsym.sweep.spec.search import Search
    from lrsym.sweep.spec.sweep_file import load_any

    found, store, search, alone = load_any(file, changes=set_ or ()), Store(results), None, None
    require_results(results)
    if isinstance(found, Search):
        from lrsym.sweep.search.run import chosen_so_far

        alone = found.alone
        require_alone(store.files, alone)
        chosen = chosen_so_far(found, store)
        search, sweep = found.key if where is None and chosen else None, found.sweep(s.point for s in chosen)
    else:
        sweep = found
    traces = forgetting.find_traces(sweep, store, where=where)
    anything = traces.any or search is not None
    data: dict[str, Any] = {"sweep": found.name, **_as_data(traces), "removed": yes and anything}
    if yes and anything:
        forgetting.forget(traces, store, search=search, alone=alone)
        again = command_line("sweep", file, results, {"set": set_})
        lines = [*_in_words(found.name, traces, results, "forgotten"), f"train them again: {again}"]
    elif anything:
        data["command"] = command_line("forget", file, results, {"set": set_, "where": where, "yes": True})
        lines = _in_words(found.name, traces, results, "to forget")
        lines.append(f"nothing is removed yet; remove them for good: {data['command']}")
    else:
        those = "" if where is None else f" where {where}"
        lines = [f"{found.name}: nothing of its trials{those} is in {results}"]
    if search is not None:
        lines.insert(-1, "  what the search has asked for goes with them: it begins anew")
    Output(as_json=json).result(data, lines)


def _as_data(traces: "Traces") -> dict[str, Any]:
    return {
        "trials": traces.trials, "statuses": dict(traces.statuses), "rows": dict(traces.rows),
        "weights": len(traces.weights), "checkpoints": len(traces.checkpoints),
        "others_in_checkpoints": traces.others,
    }  # fmt: skip


def _in_words(name: str, traces: "Traces", results: str, what: str) -> list[str]:
    listed = ", ".join(f"{n} {status}" for status, n in sorted(traces.statuses.items())) or "none with a row"
    rows = ", ".join(f"{n:,} of {table}" for table, n in traces.rows.items()) or "none"
    lines = [
        f"{name}: {counted(traces.trials, 'trial')} {what} in {results}: {listed}",
        f"  rows: {rows}; weights: {len(traces.weights)}; checkpoints: {len(traces.checkpoints)}",
    ]
    if traces.others:
        lines.append(f"  {traces.others} other trials share these checkpoints, and start afresh")
    return lines
