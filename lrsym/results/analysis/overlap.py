"""What two results folders have in common: trials of one alone, and how far those of both agree."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from lrsym.results.analysis.drift import compare
from lrsym.results.store.store import load_trials
from lrsym.vocabulary import FINAL_STATUSES


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
        """Trials that have a result in the second folder, and in the first none that is final."""
        final = (~_is_final("before")) & _is_final("after")
        return self.both.filter(final)["trial_id"].to_list()

    @property
    def conflicts(self) -> pl.DataFrame:
        """Rows of trials with a result in both that is not the same."""
        return self.both.filter(_is_final("before"), _is_final("after"), pl.col("agreement") == "drifted")


def _is_final(when: str) -> pl.Expr:
    return pl.col(f"status_{when}").is_in(FINAL_STATUSES)


def overlap(first: str, second: str, *, tolerance: float, trial_ids: Iterable[str] | None = None) -> Overlap:
    """Return what the stores at `first` and at `second` have in common, of `trial_ids` where given.

    Last accuracies that differ by at most `tolerance`, 0..1, agree.
    """
    ids = None if trial_ids is None else [*trial_ids]
    one, two = (
        {*load_trials(root, trial_ids=ids).select("trial_id").collect()["trial_id"]} for root in (first, second)
    )
    both = compare(first, second, tolerance=tolerance)
    if ids is not None:
        both = both.filter(pl.col("trial_id").is_in(one & two))
    return Overlap(tuple(sorted(one - two)), tuple(sorted(two - one)), both)
