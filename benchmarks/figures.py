"""Figures of a benchmark run: median and range of their repeats, one Parquet table, one page in markdown."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import polars as pl

COLUMNS = ("benchmark", "variant", "value", "unit", "lowest", "highest", "n")
"""Of the figure itself; `part`, `command`, `when` and `hardware` follow, the same in every row of a part."""


@dataclass(frozen=True)
class Figure:
    """One figure: `value` is the median of `n` repeats that lie between `lowest` and `highest`."""

    benchmark: str
    variant: str
    value: float
    unit: str
    lowest: float
    highest: float
    n: int

    @classmethod
    def of(cls, repeats: Sequence[float], *, benchmark: str, variant: str, unit: str) -> "Figure":
        """The figure that `repeats` measure."""
        return cls(benchmark, variant, median(repeats), unit, min(repeats), max(repeats), len(repeats))


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Repeat by repeat, `over` divided by `under`: what slows one repeat down slows both."""
    return [a / b for a, b in zip(over, under, strict=True)]


def write(figures: Sequence[Figure], path: Path, *, part: str, command: Sequence[str]) -> None:
    """Replace the rows of `part` in the table at `path`; told with them: their command, the time and the processor."""
    taken = pl.DataFrame([asdict(figure) for figure in figures]).with_columns(
        part=pl.lit(part), command=pl.lit(shlex.join(command)), when=pl.lit(datetime.now(UTC)),
        hardware=pl.lit(_hardware()),
    )  # fmt: skip
    kept = [pl.read_parquet(path).filter(pl.col("part") != part)] if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.concat([*kept, taken]).write_parquet(path)


def markdown(path: Path, *, parts: Mapping[str, str]) -> str:
    """The table at `path` in markdown: a section for each of `parts` that was taken, with its sentence and source."""
    table = pl.read_parquet(path)
    sections = []
    for part, sentence in parts.items():
        if rows := table.filter(pl.col("part") == part).to_dicts():
            source = f"`{rows[0]['command']}`, {rows[0]['when']:%Y-%m-%d}, {rows[0]['hardware']}."
            head = ["| benchmark | variant | median | lowest to highest | unit | n |", "|---|---|--:|--:|---|--:|"]
            sections.append("\n".join([f"## {part}", "", sentence, "", *head, *map(_line, rows), "", source]))
    return "\n\n".join(sections)


def _line(row: dict[str, object]) -> str:
    value, lowest, highest = (_short(row[name]) for name in ("value", "lowest", "highest"))
    cells = (row["benchmark"], row["variant"], value, f"{lowest} to {highest}", row["unit"], row["n"])
    return f"| {' | '.join(map(str, cells))} |"


def _short(value: object) -> str:
    """Three significant digits, and no exponent for large numbers: more would be noise."""
    assert isinstance(value, float)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _hardware() -> str:
    """Processor and number of cores that this process may use."""
    import os

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'unknown processor'}, {len(os.sched_getaffinity(0))} cores"
