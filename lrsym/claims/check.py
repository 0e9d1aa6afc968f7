"""Check a claims file as a whole before anything is trained or read: its form, its SQL, its sweeps, its pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lrsym.claims.claim import Claim
from lrsym.claims.file import ClaimsFile, load
from lrsym.claims.tables import check_estimates
from lrsym.errors import UsageError
from lrsym.results.plots.draw import check_picture
from lrsym.sweep.spec.sweep_file import Sweep
from lrsym.sweep.spec.sweep_file import load as load_sweep


@dataclass(frozen=True)
class CheckedClaims:
    """Claims of a file that is right as a whole, with the sweeps of all of the file by their resolved path."""

    file: ClaimsFile
    claims: tuple[Claim, ...]
    by_path: Mapping[Path, Sweep]

    def arms(self, claim: Claim) -> dict[str, Sweep]:
        """Return the sweep of each arm of `claim`, by the name of the arm."""
        return {arm: self.by_path[_resolve(self.file, name)] for arm, name in claim.sweeps.items()}

    def sweeps(self) -> list[Sweep]:
        """Return the sweeps that the claims are asked of, each one once."""
        paths = [_resolve(self.file, name) for claim in self.claims for name in claim.sweeps.values()]
        return [self.by_path[path] for path in dict.fromkeys(paths)]


def check(path: Path, ids: Iterable[str] = ()) -> CheckedClaims:
    """Return the claims with these ids, all where none is given, after all of the file at `path` is checked.

    Raises UsageError, one message with line, rule and remedy, for the first mistake in the file, its SQL, the sweep
    files that it names or its pictures.
    """
    file = load(path)
    chosen = file.select(ids)
    sweeps: dict[Path, Sweep] = {}
    for claim in file.claims:
        for arm, name in claim.sweeps.items():
            if (key := _resolve(file, name)) not in sweeps:
                sweeps[key] = _load_arm(file, claim, arm)
    check_estimates(file, file.claims)
    for claim in file.claims:
        _check_picture(file, claim)
    return CheckedClaims(file, chosen, sweeps)


def _resolve(file: ClaimsFile, name: str) -> Path:
    return (file.path.parent / name).resolve()


def _load_arm(file: ClaimsFile, claim: Claim, arm: str) -> Sweep:
    try:
        return load_sweep(file.path.parent / claim.sweeps[arm])
    except UsageError as error:
        raise file.error(claim, f"sweeps.{arm}", f"the sweep of arm {arm!r} is wrong: {error}") from None


def _check_picture(file: ClaimsFile, claim: Claim) -> None:
    if claim.picture is None:
        return
    try:
        check_picture(claim.picture.kind, where=claim.picture.where, metric=claim.picture.metric)
    except UsageError as error:
        raise file.error(claim, "picture", str(error)) from None
