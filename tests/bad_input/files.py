"""Broken sweep files and claims files: made from the shipped ones, read by a verb, and what must hold then.

A file that is refused is refused by whichever verb reads it, in the same words, with the line; one that stays valid is
the same sweep to all of them. Nothing is written either way.
"""

import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lrsym.errors import UsageError, printable
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep_file import load_any
from tests.bad_input.asking import Fault, TooSlowError, ask, differences, snapshot, time_limit
from tests.bad_input.mutations import BYTE_MUTATIONS, SETS, text_mutations
from tests.pages import ROOT
from tests.reports import made_up

CLAIMS_SHARE, BYTES_SHARE, SET_SHARE, FEW_SEEDS_SHARE = 0.15, 0.2, 0.1, 0.9
"""How many of the files are of claims, get a mistake that is no text, are read with --set, have few seeds."""

MAX_MISTAKES = 3

MAX_COMPARED = 100_000
"""Trials of a valid file that each verb is asked about: beyond it takes minutes."""

VERBS = {
    "plan": ("plan", "FILE", "--no-pilot"),
    "status": ("status", "FILE"),
    "sweep": ("sweep", "FILE", "--retry", "crashed", "--no-pilot"),
    "query": ("query", "select 1 as one", "--sweep", "FILE"),
    "plot": ("plot", "phase", "FILE"),
    "report": ("report", "FILE"),
    "contrast": ("contrast", "FILE", "--of", "seed=1", "--against", "seed=0"),
    "best": ("best", "FILE"),
    "forget": ("forget", "FILE"),
    "verify": ("verify", "FILE"),
    "watch": ("watch", "FILE", "--every", "5"),
    "refine": ("refine", "FILE", "--budget", "8"),
}
"""Verbs that read a sweep file; those that would then train or serve are asked about files alone that they refuse."""

ASKED_OF_VALID = ("plan", "status", "sweep", "query", "report", "forget")


@dataclass(frozen=True)
class BrokenFile:
    """The content of a file, the changes to it by --set, and what was done to it."""

    content: bytes
    changes: tuple[str, ...]
    kinds: tuple[str, ...]
    claims: bool


class FileCases:
    """Broken files by their number; each follows from the seed and its number alone."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._sweeps = [path.read_text() for path in sorted((ROOT / "sweeps").glob("*.toml"))]
        self._claims = [(ROOT / "claims" / f"{name}.toml").read_text() for name in ("recipe", "onset", "new")]
        shutil.copytree(ROOT / "sweeps", folder / "sweeps")
        (folder / "claims").mkdir()
        self._results = folder / "results"
        made_up.write(self._results, made_up.sweep(seeds=2).trials)

    def make(self, number: int) -> BrokenFile:
        """Return the file of that number."""
        rng = random.Random(f"file {self._seed} {number}")
        claims = rng.random() < CLAIMS_SHARE
        text, kinds = rng.choice(self._claims if claims else self._sweeps), list[str]()
        if rng.random() < FEW_SEEDS_SHARE:
            text = re.sub(r"^replicates = \d+", "replicates = 2", text, flags=re.MULTILINE)
        mutations = text_mutations(claims=claims)
        for kind in rng.choices([*mutations], k=rng.choice([1, 1, 2, MAX_MISTAKES])):
            text = mutations[kind](rng, text)
            kinds.append(kind)
        content = text.encode()
        if rng.random() < BYTES_SHARE:
            kinds.append(kind := rng.choice([*BYTE_MUTATIONS]))
            content = BYTE_MUTATIONS[kind](rng, text)
        changes = (rng.choice(SETS),) if not claims and rng.random() < SET_SHARE else ()
        return BrokenFile(content, changes, tuple(kinds), claims)

    def check(self, number: int) -> tuple[str, list[Fault]]:
        """Return what became of the file of that number (valid or refused), and what must not be."""
        case, rng = self.make(number), random.Random(f"verb {self._seed} {number}")
        path = self._folder / ("claims" if case.claims else "sweeps") / "case.toml"
        path.write_bytes(case.content)
        before = snapshot(self._folder)
        valid, faults = _check_claims(path, self._results) if case.claims else _check_sweep(path, case, rng)
        if written := differences(before, snapshot(self._folder)):
            faults.append(Fault("something was written", f"{case.kinds}: {written}"))
        return "valid" if valid else "refused", faults


def _check_claims(path: Path, results: Path) -> tuple[bool, list[Fault]]:
    answer = ask("claims", path, "--results", results, "--no-page")
    faults = [*answer.faults(codes=(0, 2), names=[str(path)])]
    return answer.code == 0, [*faults, *_wrong_lines(answer.err.removeprefix("error: "), path)]


def _check_sweep(path: Path, case: BrokenFile, rng: random.Random) -> tuple[bool, list[Fault]]:
    nowhere, more = path.parent / "nowhere", [word for change in case.changes for word in ("--set", change)]

    def words(verb: str) -> list[object]:
        given = [str(path) if word == "FILE" else word for word in VERBS[verb]]
        return [*given, *more, "--results", nowhere]

    try:
        with time_limit():
            found = load_any(path, changes=case.changes)
            size = 0 if isinstance(found, Search) else len(found)
    except UsageError as error:
        refusal, verb = str(error), rng.choice([*VERBS])
        answer = ask(*words(verb))
        faults = [*answer.faults(codes=(2,), names=[str(path), "--set"]), *_wrong_lines(refusal, path)]
        if not faults and answer.err != f"error: {printable(refusal)}\n":
            faults.append(Fault("refused in other words", f"{verb}: {answer.err}, expected {refusal}"))
        return False, faults
    except (Exception, TooSlowError):
        verb = rng.choice(ASKED_OF_VALID)
        return False, [*ask(*words(verb)).faults(codes=(2,), names=[str(path)])]
    if size > MAX_COMPARED:
        return True, []
    return True, [fault for verb in ASKED_OF_VALID for fault in _answers_as(verb, found.name, size, words(verb), path)]


def _answers_as(verb: str, name: str, size: int, words: list[object], path: Path) -> Iterator[Fault]:
    """Yield what is wrong with the answer about a valid file: another sweep, or one that a reader refuses."""
    told = verb in ("plan", "status") and size
    answer = ask(*words, *(["--json"] if told else []))
    without_results = verb in ("query", "report", "forget")
    codes = (2,) if without_results else (0, 2) if not size or verb == "sweep" else (0,)
    yield from answer.faults(codes=codes, names=[str(path), "nowhere", "--retry"])
    if told and answer.code == 0:
        data = json.loads(answer.out)
        if data["trials"] != size or data.get("sweep", name) != name:
            yield Fault("another sweep", f"{verb}: {data} of {name}, {size} trials")


def _wrong_lines(message: str, path: Path) -> Iterator[Fault]:
    """Yield the lines that a message names and that the file has not."""
    n = path.read_bytes().count(b"\n") + 1
    for line in re.findall(rf"^{re.escape(str(path))}:(\d+): ", message, flags=re.MULTILINE):
        if not 1 <= int(line) <= n:
            yield Fault("a line that is not there", f"line {line} of {n}: {message[:300]}")
