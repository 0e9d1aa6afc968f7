"""Damaged stores: what each verb says of them, what it leaves alone, and what is left after `lrsym check --repair`.

Who only reads, and whoever is refused, changes no byte. After the repair all is sound, and every row that is read is
one that a sweep wrote.
"""

import ctypes
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from lrsym.errors import UsageError
from lrsym.sweep import driver
from lrsym.sweep.execution.weights import load_weights
from tests.bad_input.asking import Answer, Fault, ask, differences, snapshot
from tests.bad_input.damage import DAMAGES, FORGED
from tests.bad_input.made_up_store import make_store, rows_of

MAX_DAMAGES = 3

N_READERS = 3
"""Verbs that read, drawn for each store."""

_CAPABILITY_VERSION, _PASS_BY = 0x20080522, 0b110
"""Of capset(2): its version, and CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH in the first word, the effective ones."""

READERS = {
    "status": (("status", "SWEEP"), (0, 2)),
    "status of a search": (("status", "SEARCH"), (0, 2)),
    "plan": (("plan", "SWEEP", "--no-pilot"), (0, 2)),
    "plan of a search": (("plan", "SEARCH", "--no-pilot"), (0, 2)),
    "query": (("query", "select * from trials"), (0, 2)),
    "query of two tables": (
        ("query", "select t.status, count(*) as n from curves join trials t using (trial_id) group by 1"), (0, 2),
    ),
    "query of a search": (("query", "select * from suggestions order by number"), (0, 2)),
    "plot": (("plot", "curves", "SWEEP", "--live", "--out", "OUT"), (0, 2)),
    "report": (("report", "SWEEP", "--out", "OUT"), (0, 2)),
    "best": (("best", "SEARCH"), (0, 2)),
    "contrast": (("contrast", "SWEEP", "--of", "layouts_per_pair=4", "--against", "layouts_per_pair=1"), (0, 2)),
    "forget": (("forget", "SWEEP"), (0, 2)),
    "doctor": (("doctor",), (0, 1, 2)),
    "check": (("check",), (0, 1, 2)),
}  # fmt: skip
"""Verbs that only read, with the codes that they may end with."""

WRITERS = {
    "compact": (("compact",), (0, 2)),
    "sweep": (("sweep", "SWEEP", "--no-pilot", "--pack", "1", "--workers", "1"), (0, 1, 2, 130)),
    "search": (("sweep", "SEARCH", "--no-pilot", "--pack", "1", "--workers", "1"), (0, 1, 2, 130)),
    "forget": (("forget", "SWEEP", "--yes"), (0, 2)),
    "merge": (("merge", "SOUND"), (0, 2)),
}
"""Verbs that change the store; nothing is trained."""


class StoreCases:
    """Damaged stores by their number; each follows from the seed and its number alone."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self._folder, self._seed = folder, seed
        (folder / "sound").mkdir()
        self._sound = make_store(folder / "sound")

    def kinds(self, number: int) -> tuple[str, ...]:
        """Return what is done to the store of that number."""
        rng = random.Random(f"store {self._seed} {number}")
        return tuple(rng.sample([*DAMAGES], rng.choice([1, 1, 2, MAX_DAMAGES])))

    def make(self, number: int) -> Path:
        """Write the store of that number."""
        root, rng = self._folder / f"case{number}", random.Random(f"damage {self._seed} {number}")
        shutil.copytree(self._sound.root, root)
        for kind in self.kinds(number):
            try:
                DAMAGES[kind](rng, root)
            except Exception:  # what was to be damaged is gone, or damaged already, and each library says so in its way
                continue
        return root

    def check(self, number: int) -> tuple[str, list[Fault]]:
        """Return what became of the store of that number (repaired, or refused to be), and what must not be."""
        root, rng = self.make(number), random.Random(f"verb {self._seed} {number}")
        faults = [fault for name in rng.sample([*READERS], N_READERS) for fault in self._read(name, root)]
        faults += _load_weights(root)
        faults += self._write(rng.choice([*WRITERS]), root)
        repaired, more = self._repair(root, {*self.kinds(number)})
        _remove(root)
        return "repaired" if repaired else "refused", [*faults, *more]

    def _ask(self, words: tuple[str, ...], root: Path) -> Answer:
        places = {
            "SWEEP": self._sound.sweep, "SEARCH": self._sound.search, "OUT": self._folder / "out" / "x",
            "SOUND": self._sound.root,
        }  # fmt: skip
        engine = mock.patch.dict(driver.ENGINES, {"local": f"{__name__}:train_nothing"})
        with engine, _bound_by_permissions():
            return ask(*(places.get(word, word) for word in words), "--results", root)

    def _read(self, name: str, root: Path) -> Iterator[Fault]:
        words, codes = READERS[name]
        before = snapshot(root)
        yield from self._ask(words, root).faults(codes=codes, names=_names(root, self._sound.search))
        if written := differences(before, snapshot(root)):
            yield Fault("a reader has written", f"{name}: {written}")

    def _write(self, name: str, root: Path) -> Iterator[Fault]:
        words, codes = WRITERS[name]
        before = snapshot(root)
        answer = self._ask(words, root)
        yield from answer.faults(codes=codes, names=_names(root, self._sound.search))
        begun = "check path, permissions and free space" in answer.err  # a file that could not be written on the way
        if answer.code == 2 and not begun and (written := differences(before, snapshot(root))):
            yield Fault("refused, and something was written", f"{name}: {answer.err} {written}")

    def _repair(self, root: Path, kinds: set[str]) -> tuple[bool, list[Fault]]:
        """Repair the store, damaged in these ways; return whether that could be, and what must not be."""
        names = _names(root, self._sound.search)
        answer = self._ask(("check", "--repair"), root)
        # What may not be read may be sound, and is left where it is.
        codes = (0, 1, 2) if "no permission" in kinds else (0, 2)
        faults = [*answer.faults(codes=codes, names=names)]
        if answer.code != 0:
            return False, faults
        faults += self._ask(("check",), root).faults(codes=(0,), names=names)
        if FORGED.isdisjoint(kinds):
            codes = (0, 2) if "no permission" in kinds else (0,)
            for words in (("status", "SWEEP"), ("compact",)):
                faults += self._ask(words, root).faults(codes=codes, names=names)
            faults += self._other_rows(root)
        return True, faults

    def _other_rows(self, root: Path) -> Iterator[Fault]:
        """Yield the tables with rows that no sweep wrote."""
        for name, found in rows_of(root).items():
            if name in ("runs", "suggestions"):  # those that were asked write some, too
                continue
            sound = self._sound.rows[name]
            lists = [column for column, kind in found.schema.items() if kind.is_nested()]
            odd = found.drop(lists).join(sound.drop(lists), on=sound.drop(lists).columns, how="anti", nulls_equal=True)
            if odd.height:
                yield Fault("rows that nobody wrote", f"{name}: {odd.head(3)}")


def train_nothing(queue: object, task: object, *, workers: int) -> None:
    """Stand in for an engine that is stopped at once: a sweep does all that it does around its training."""
    raise KeyboardInterrupt


def _names(root: Path, search: Path) -> list[str]:
    return [str(root), str(search), search.stem, "unseen_order", "--of", "--against"]


def _load_weights(root: Path) -> Iterator[Fault]:
    """Yield what loading weights raises that is no sentence."""
    for file in sorted((root / "weights").glob("*.safetensors")):
        try:
            with _bound_by_permissions():
                load_weights(root, file.stem)
        except (UsageError, OSError):
            continue
        except Exception as error:
            yield Fault("traceback", f"load_weights: {type(error).__name__}: {error}")


@contextmanager
def _bound_by_permissions() -> Iterator[None]:
    """Let permissions bind this thread, which they do not where it is root's and may pass them by."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    before, without = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    system = ctypes.CDLL(None)
    if system.capget(header, before) != 0:
        yield
        return
    without[:] = before[:]
    without[0] &= ~_PASS_BY
    system.capset(header, without)
    try:
        yield
    finally:
        system.capset(header, before)


def _remove(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(root)
