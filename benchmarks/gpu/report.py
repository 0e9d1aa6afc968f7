"""Lines of the parts as a page: what was expected beside what was measured, then what no expectation is about."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.gpu.expected import Expected, expected

Line = dict[str, object]

SPARED = ("machine", "kernel", "took")
"""Parts with places of their own, or none."""

KERNELS = 15
"""Kernels shown for each batch size."""


def report(folder: Path) -> str:
    """Return the page of the lines in the files of `folder`, in markdown."""
    lines = [json.loads(text) for path in sorted(folder.glob("*.jsonl")) for text in path.read_text().splitlines()]
    card = next((str(line["card"]) for line in lines if line["part"] == "machine"), "")
    versions = next((line["torch"] for line in lines if line["part"] == "machine"), "")
    head = [f"# {card or 'No machine'}", "", f"torch {versions}. Expected values: `benchmarks/gpu/expected.py`."]
    sections = [head, [*_compared(lines, card)], [*_kernels(lines)], [*_further(lines)], [*_errors(lines)]]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _compared(lines: Sequence[Line], card: str) -> Iterator[str]:
    yield from ("| | expected | measured | ratio | |", "|---|--:|--:|--:|---|")
    for entry in expected():
        wanted, measured = entry.on(card), _measured(entry, lines)
        ratio = ""
        if isinstance(wanted, int | float) and isinstance(measured, int | float) and wanted:
            ratio = f"{measured / wanted:.2f}"
        yield f"| {entry.what} | {_short(wanted)} | {_short(measured)} | {ratio} | {entry.unit} |"


def _measured(entry: Expected, lines: Sequence[Line]) -> object:
    found = _find(lines, entry.match).get(entry.field)
    if entry.over is None:
        return found
    under = _find(lines, entry.over).get(entry.field)
    return found / under if isinstance(found, float) and isinstance(under, float) else None


def _find(lines: Sequence[Line], match: Mapping[str, object]) -> Line:
    """Return the last line that has all of `match`: a part taken again counts for the first time."""
    found = [line for line in lines if all(line.get(name) == value for name, value in match.items())]
    return found[-1] if found else {}


def _kernels(lines: Sequence[Line]) -> Iterator[str]:
    of_batch: dict[object, list[Line]] = {}
    for line in lines:
        if line["part"] == "kernel":
            of_batch.setdefault(line["batch"], []).append(line)
    if of_batch:
        yield from ("| batch | µs | share | calls | kernel |", "|--:|--:|--:|--:|---|")
    for batch, kernels in of_batch.items():
        for line in kernels[:KERNELS]:
            name = str(line["name"]).replace("|", "/")[:100]
            yield f"| {batch} | {_short(line['us'])} | {_short(line['share'])} | {line['calls']} | `{name}` |"


def _further(lines: Sequence[Line]) -> Iterator[str]:
    matches = [match for entry in expected() for match in (entry.match, entry.over or entry.match)]
    for line in lines:
        known = any(all(line.get(name) == value for name, value in match.items()) for match in matches)
        if line["part"] not in SPARED and "error" not in line and not known:
            yield f"- {line['part']}: " + ", ".join(_words(line))


def _words(line: Mapping[str, object]) -> Iterator[str]:
    for name, value in line.items():
        if isinstance(value, dict):
            yield f"{name} {' '.join(f'{key} {_short(entry)}' for key, entry in value.items())}"
        elif name != "part":
            yield f"{name} {_short(value)}"


def _errors(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        if "error" in line:
            yield "- **failed** " + ", ".join(_words(line))


def _short(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
