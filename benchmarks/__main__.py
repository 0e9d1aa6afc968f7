"""`python -m benchmarks`: take every figure, write the table, print it."""

import argparse
from pathlib import Path

from benchmarks import engines, figures, step

HERE = Path(__file__).parent
RESULTS = HERE / "results.parquet"
QUICK_RESULTS = HERE / "out" / "quick.parquet"
"""A smoke test must not replace figures that took minutes."""


def main() -> None:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats: does everything work? Figures mean little")
    parser.add_argument("--markdown", action="store_true", help="print the table of the last full run; measure nothing")
    asked = parser.parse_args()
    path, command = RESULTS, ["python", "-m", "benchmarks"]
    if asked.quick:
        path, command = QUICK_RESULTS, [*command, "--quick"]
    if not asked.markdown:
        taken = _quick() if asked.quick else _full()
        figures.write(taken, path, command=command)
    elif not path.exists():
        parser.error(f"{path.name} is not there yet; run it first: {' '.join(command)}")
    print(figures.markdown(path))


def _full() -> list[figures.Figure]:
    return [*step.measure(steps=step.CHUNK, repeats=10), *engines.measure(trials=16, steps=200, repeats=3)]


def _quick() -> list[figures.Figure]:
    return [*step.measure(steps=8, repeats=2), *engines.measure(trials=8, steps=10, repeats=1)]


if __name__ == "__main__":
    main()
