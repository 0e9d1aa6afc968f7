"""The command: so many files and stores, what became of them by kind, and every fault with its number.

python -m tests.bad_input --files 10000 --stores 1000 --seed 1
python -m tests.bad_input --only-file 17 --seed 1
"""

import argparse
import contextlib
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.bad_input.asking import Fault
from tests.bad_input.files import FileCases
from tests.bad_input.stores import StoreCases

MAX_SHOWN = 40
"""Faults that are printed in full."""


@dataclass
class Report:
    """What became of cases: `outcomes`, how often each kind of mistake was made, and what must not be, by number."""

    what: str
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, Fault]] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{n} {outcome}" for outcome, n in sorted(self.outcomes.items()))
        kinds = ", ".join(f"{n} x {kind}" for kind, n in self.kinds.most_common())
        wrong = Counter(fault.kind for _, fault in self.faults)
        listed = ", ".join(f"{n} x {kind}" for kind, n in wrong.most_common()) or "none"
        lines = [f"{self.outcomes.total()} {self.what}: {told}", f"  made: {kinds}", f"  faults: {listed}"]
        return "\n".join(lines)


def run_cases(
    what: str,
    numbers: Iterable[int],
    check: Callable[[int], tuple[str, list[Fault]]],
    kinds: Callable[[int], Iterable[str]],
) -> Report:
    """Return what became of the cases with these numbers."""
    report = Report(what)
    with contextlib.suppress(KeyboardInterrupt):  # what was done until then is told
        for number in numbers:
            outcome, faults = check(number)
            report.outcomes[outcome] += 1
            report.kinds.update(kinds(number))
            report.faults += [(number, fault) for fault in faults]
            for fault in faults if len(report.faults) <= MAX_SHOWN else ():
                print(f"{what} {number}: {fault.kind}: {fault.detail}", flush=True)
    return report


def run_files(numbers: Iterable[int], *, seed: int) -> Report:
    """Return what became of broken files."""
    with _open_folder() as folder:
        cases = FileCases(folder, seed=seed)
        return run_cases("files", numbers, cases.check, lambda number: cases.make(number).kinds)


def run_stores(numbers: Iterable[int], *, seed: int) -> Report:
    """Return what became of damaged stores."""
    with _open_folder() as folder:
        cases = StoreCases(folder, seed=seed)
        return run_cases("stores", numbers, cases.check, cases.kinds)


@contextlib.contextmanager
def _open_folder() -> Iterator[Path]:
    """Yield a folder that vanishes again, and that other users may enter."""
    with tempfile.TemporaryDirectory(prefix="lrsym-bad-input-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def main() -> None:
    """Print what became of all; the exit code is 1 where anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.bad_input", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--stores", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="by default another each time")
    parser.add_argument("--only-file", type=int, default=None, metavar="NUMBER", help="one file again, which stays")
    parser.add_argument("--only-store", type=int, default=None, metavar="NUMBER", help="one store again, and no other")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    warnings.simplefilter("ignore")
    one = asked.only_file is not None or asked.only_store is not None
    files = range(0 if one else asked.files) if asked.only_file is None else [asked.only_file]
    stores = range(0 if one else asked.stores) if asked.only_store is None else [asked.only_store]
    reports = [run(numbers, seed=seed) for run, numbers in ((run_files, files), (run_stores, stores)) if numbers]
    print(*reports, sep="\n")
    sys.exit(any(report.faults for report in reports))


if __name__ == "__main__":
    main()
