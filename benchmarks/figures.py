"""Figures of a benchmark run: median and range of their repeats, one Parquet table, one markdown table."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import polars as pl

COLUMNS = ("benchmark", "variant", "value", "unit", "lowest", "highest", "n")
"""Of the figure itself; `command`, `when` and `hardware` follow in the table, the same in every row of a run."""


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


def write(figures: Sequence[Figure], path: Path, *, command: Sequence[str]) -> None:
    """Replace the table at `path` by `figures`, with the command that took them, the time and the processor."""
    frame = pl.DataFrame([asdict(figure) for figure in figures]).with_columns(
        command=pl.lit(shlex.join(command)), when=pl.lit(datetime.now(UTC)), hardware=pl.lit(_hardware())
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)


def markdown(path: Path) -> str:
    """The table at `path` in markdown, and a line on where it comes from."""
    rows = pl.read_parquet(path).to_dicts()
    head = "| benchmark | variant | median | lowest to highest | unit | n |"
    lines = [head, "|---|---|--:|--:|---|--:|", *(_line(row) for row in rows)]
    source = f"`{rows[0]['command']}`, {rows[0]['when']:%Y-%m-%d}, {rows[0]['hardware']}."
    return "\n".join([*lines, "", source])


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
