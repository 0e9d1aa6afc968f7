"""What two results folders have in common: trials of one alone, and how far those of both agree."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from lrsym.results.analysis.drift import compare
from lrsym.results.store.store import load_trials
from lrsym.vocabulary import FINAL_STATUSES

CHUNK = 5_000
"""Trials whose curves are in memory at a time."""


@dataclass(frozen=True)
class Overlap:
    """Trials with a row: those of the first folder alone, of the second alone, and of both, as `compare` has them."""

    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    both: pl.DataFrame

    @property
    def counts(self) -> Counter[str]:
        """How many trials of both agree how, by the keys of AGREEMENTS."""
        return Counter(self.both["agreement"])

    @property
    def better_in_second(self) -> list[str]:
        """Trials whose result in the second folder is nearer to final than in the first."""
        return self.both.filter(_rank("before") < _rank("after"))["trial_id"].to_list()

    @property
    def conflicts(self) -> pl.DataFrame:
        """Rows of trials with a result in both that is not the same."""
        other = pl.col("agreement").is_in(["drifted", "grown apart"])
        return self.both.filter(_rank("before") == _FINAL, _rank("after") == _FINAL, other)


_STOPPED, _FINAL = 1, 2


def _rank(when: str) -> pl.Expr:
    """Return how near to final a result is: a failure, one of a training that was stopped, one of a whole training."""
    status = pl.col(f"status_{when}")
    return pl.when(status.is_in(FINAL_STATUSES)).then(_FINAL).when(status == "stopped").then(_STOPPED).otherwise(0)


def overlap(first: str, second: str, *, tolerance: float, trial_ids: Iterable[str] | None = None) -> Overlap:
    """Return what the stores at `first` and at `second` have in common, of `trial_ids` where given.

    Last accuracies that differ by at most `tolerance`, 0..1, agree.
    """
    ids = None if trial_ids is None else [*trial_ids]
    one, two = (
        {*load_trials(root, trial_ids=ids).select("trial_id").collect()["trial_id"]} for root in (first, second)
    )
    common = sorted(one & two)
    chunks = [common[start : start + CHUNK] for start in range(0, len(common), CHUNK)] or [[]]
    both = [compare(first, second, tolerance=tolerance, trial_ids=chunk) for chunk in chunks]
    return Overlap(tuple(sorted(one - two)), tuple(sorted(two - one)), pl.concat(both, how="vertical_relaxed"))
