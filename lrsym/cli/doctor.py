"""The verb `lrsym doctor`: what a bug report needs, and what is wrong."""

from collections.abc import Mapping

import typer

from lrsym.cli.errors import FAILED
from lrsym.cli.options import RESULTS, Json, Results
from lrsym.cli.output import Output


def doctor(results: Results = RESULTS, json: Json = False) -> None:
    """Print versions, devices, quota and the state of the results, and what is wrong with them, for a bug report."""
    from lrsym.sweep.execution.diagnosis import diagnose

    found = diagnose(results)
    lines = [line for section, facts in found.facts.items() for line in _section(section, facts)]
    problems = [f"wrong: {problem}" for problem in found.problems] or ["nothing is wrong"]
    Output(as_json=json).result({**found.facts, "problems": found.problems}, [*lines, *problems])
    if found.problems:
        raise typer.Exit(FAILED)


def _section(name: str, facts: Mapping[str, object]) -> list[str]:
    width = max(map(len, facts), default=0)
    return [name, *(f"  {fact.ljust(width)}  {_value(value)}" for fact, value in facts.items())] if facts else []


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{n} {name}" for name, n in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return {None: "none", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)
