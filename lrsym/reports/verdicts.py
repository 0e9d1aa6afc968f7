"""What a file of claims says about the sweeps of a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lrsym.claims.chart import COLOURS
from lrsym.claims.check import check
from lrsym.claims.judging import judge_claims
from lrsym.claims.page import SYMBOLS
from lrsym.claims.report import describe_gaps, describe_part, format_n
from lrsym.errors import UsageError
from lrsym.sweep.spec.sweep import Sweep


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim in one sweep, its parts in words, and what is left of it after Holm's correction."""

    claim: str
    sentence: str
    arm: str
    verdict: str
    holm: str
    n: str
    parts: tuple[str, ...]
    gaps: str

    @property
    def colour(self) -> str:
        """The colour of the verdict."""
        return COLOURS[self.verdict]

    @property
    def symbol(self) -> str:
        """The sign of the verdict, for readers who do not see its colour."""
        return SYMBOLS[self.verdict]


def read_verdicts(path: Path, sweeps: Sequence[Sweep], root: str) -> dict[str, list[Verdict]]:
    """Return the verdicts of the claims file at `path` on each of `sweeps`, by name, by the store at `root`.

    Raises UsageError for a mistake in the file, and where none of its claims is asked of these sweeps.
    """
    checked = check(path)
    by_path = {Path(sweep.source).resolve(): sweep.name for sweep in sweeps if not sweep.changes}
    found: dict[str, list[Verdict]] = {sweep.name: [] for sweep in sweeps}
    names = {arm.source: by_path.get(Path(arm.source).resolve()) for arm in checked.sweeps()}
    if not any(names.values()):
        asked = ", ".join(sorted(names))
        raise UsageError(
            f"{path}: none of its claims is asked of {', '.join(found)} as the files are; they are asked of {asked}; "
            "name one of these, or leave --claims out"
        )
    for judged in judge_claims(checked, root):
        arms = checked.arms(judged.claim)
        for arm in judged.arms:
            if (name := names[arms[arm.name].source]) is None:
                continue
            claim = judged.claim
            parts = tuple(describe_part(claim, part) for part in arm.parts)
            found[name].append(
                Verdict(
                    claim=claim.id,
                    sentence=claim.sentence,
                    arm=arm.name,
                    verdict=arm.verdict,
                    holm=arm.holm,
                    n=format_n(arm),
                    parts=parts,
                    gaps=describe_gaps(arm.results),
                )
            )
    return found
