"""Peak memory of a process and of its descendants, read from /proc while they run (Linux)."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")


@dataclass
class Memory:
    """Peaks so far of the process `root` and of all below it, in MB; `sample` brings them up to date.

    Peaks of single processes are the kernel's own (VmHWM), so nothing is missed between two samples. `together` is
    the highest sampled sum in which a page shared by several processes counts once (PSS).
    """

    root: int
    peaks: dict[int, float] = field(default_factory=dict)
    together: float = 0.0

    def sample(self) -> None:
        """Look at the processes that are alive now."""
        total = 0.0
        for process in _family(self.root):
            with suppress(OSError, KeyError):  # it ended just now
                # The newest value, not the highest: until a child executes its program, it shows its parent's.
                self.peaks[process] = megabytes(PROC / str(process) / "status", "VmHWM")
                total += megabytes(PROC / str(process) / "smaps_rollup", "Pss")
        self.together = max(self.together, total)

    @property
    def driver(self) -> float:
        """Peak of the process `root` itself."""
        return self.peaks[self.root]

    @property
    def worker(self) -> float:
        """Peak of the largest process below `root`: the ones that train outgrow every other."""
        return max(peak for process, peak in self.peaks.items() if process != self.root)


def _family(root: int) -> list[int]:
    """`root` and its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = stat.read_text().rpartition(")")[2].split()[1]  # the name before it may hold spaces
            children[int(parent)].append(int(stat.parent.name))
    family = [root]
    for process in family:
        family += children[process]
    return family


def megabytes(path: Path, name: str) -> float:
    """The field `name` of a file with lines "name: number kB"."""
    fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return int(fields[name].split()[0]) * 1024 / 1e6
