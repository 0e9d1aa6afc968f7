"""The picture that a claim asks for, drawn of each of its arms."""

from typing import Any

from lrsym.claims.check import CheckedClaims
from lrsym.claims.claim import Claim
from lrsym.errors import UsageError
from lrsym.results.plots.draw import draw
from lrsym.results.plots.theme import Chart


def draw_pictures(checked: CheckedClaims, claim: Claim, root: str) -> dict[str, Chart | UsageError]:
    """Return the picture of each arm of `claim`, or the error that says why there is none: verdicts stand without it.

    It is a NothingToDrawError where the store at `root` has no rows for it; empty if `claim` asks for no picture.
    """
    if claim.picture is None:
        return {}
    asked = claim.picture
    options: dict[str, Any] = {} if asked.metric is None else {"metric": asked.metric}
    pictures: dict[str, Chart | UsageError] = {}
    for arm, sweep in checked.arms(claim).items():
        try:
            pictures[arm] = draw(asked.kind, sweep, root, where=asked.where, **options)
        except UsageError as error:
            pictures[arm] = error
    return pictures
