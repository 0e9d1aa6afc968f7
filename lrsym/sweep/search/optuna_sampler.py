"""Optuna's samplers behind one door: what they are told is a log of suggestions, and the same log gives the same next.

Samplers that look at a study as it is (tpe, gp, random) are made anew for each suggestion, seeded by the search's seed
and the number. Those that keep a state of their own (cmaes, nsga2, qmc) go through the log again, ask by ask. Either
way nothing but rows is needed to go on (docs/decisions/search.md). This room alone imports Optuna.
"""

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from lrsym.errors import UsageError
from lrsym.sweep.search.suggestions import Suggestion
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import Choice, SpaceAxis
from lrsym.vocabulary import SAMPLERS, by_name

optuna.logging.set_verbosity(optuna.logging.ERROR)

MAX_GP_ROWS = 400
"""Suggestions that gp is told, the last ones: its time grows with their cube (docs/decisions/search.md)."""

SMALLEST_POPULATION, LARGEST_POPULATION, GENERATIONS = 4, 50, 8
"""nsga2 divides its first budget into about this many generations, of so many cells each."""


class Asker(Protocol):
    """Asks a sampler for the suggestions of a batch, one by one."""

    def begin(self, log: Sequence[Suggestion], pending: Sequence[int]) -> None:
        """Take in the log before a batch; the outcome of the numbers in `pending` is not to be known."""
        ...

    def ask(self, number: int) -> dict[str, Any]:
        """Return the point with that number, a value for each axis by dotted key."""
        ...


def make_asker(search: Search, *, first_budget: int) -> Asker:
    """Return what asks the sampler of `search`; `first_budget` is the one that it was begun with."""
    if search.sampler == "gp":
        import torch

        torch.set_num_threads(1)  # with more it takes ten times the processor time, the workers' own
    return _ReplayingAsker(search, first_budget=first_budget) if replays(search.sampler) else _FreshAsker(search)


def replays(sampler: str) -> bool:
    """Return whether the sampler of that name goes through the log again, which must then say what it said."""
    return sampler not in _WITHOUT_STATE


def random_point(search: Search, number: int) -> dict[str, Any]:
    """Return a random point of the space, the same for a seed of the search and a number."""
    study = _study(search, RandomSampler(seed=_seed(search.seed, number)))
    return study.ask(_distributions(search)).params


def study_of(search: Search, told: Sequence[Suggestion]) -> optuna.Study:
    """Return a study of `search` with these suggestions, to look at."""
    study, distributions = _study(search, RandomSampler()), _distributions(search)
    study.add_trials(_as_trial(s, distributions, hidden=False) for s in told)
    return study


def _nsga2(seed: int, first_budget: int) -> BaseSampler:
    population = min(max(first_budget // GENERATIONS, SMALLEST_POPULATION), LARGEST_POPULATION)
    return NSGAIISampler(seed=seed, population_size=population)


_MAKERS: Mapping[str, Callable[[int, int], BaseSampler]] = by_name(
    SAMPLERS,
    {
        "tpe": lambda seed, budget: TPESampler(seed=seed),
        "gp": lambda seed, budget: GPSampler(seed=seed),
        "cmaes": lambda seed, budget: CmaEsSampler(seed=seed, warn_independent_sampling=False),
        "nsga2": _nsga2,
        "qmc": lambda seed, budget: QMCSampler(
            seed=seed, scramble=True, warn_independent_sampling=False, warn_asynchronous_seeding=False
        ),
        "random": lambda seed, budget: RandomSampler(seed=seed),
    },
)
"""Make each sampler from a seed and the first budget."""

_WITHOUT_STATE = ("tpe", "gp", "random")
"""Samplers that look at the study alone."""


def _make(name: str, seed: int, first_budget: int = 0) -> BaseSampler:
    with _quiet():
        return _MAKERS[name](seed, first_budget)


class _FreshAsker:
    """A new sampler for each suggestion, over a study that is built from the log."""

    def __init__(self, search: Search) -> None:
        self._search, self._distributions = search, _distributions(search)
        self._study = _study(search, RandomSampler())

    def begin(self, log: Sequence[Suggestion], pending: Sequence[int]) -> None:
        """Build the study: what is pending is running, which samplers take into account."""
        self._study = _study(self._search, RandomSampler())
        if self._search.sampler == "random":
            return
        hidden = {*pending}
        told = log[-MAX_GP_ROWS:] if self._search.sampler == "gp" else log
        self._study.add_trials(_as_trial(s, self._distributions, hidden=s.number in hidden) for s in told)

    def ask(self, number: int) -> dict[str, Any]:
        """Return what a sampler with a seed of its own suggests."""
        self._study.sampler = _make(self._search.sampler, _seed(self._search.seed, number))
        with _quiet():
            return self._study.ask(self._distributions).params


class _ReplayingAsker:
    """One sampler, which is asked and told in the order of the log."""

    def __init__(self, search: Search, *, first_budget: int) -> None:
        self._search, self._distributions = search, _distributions(search)
        self._study = _study(search, _make(search.sampler, _seed(search.seed, 0), first_budget))
        self._asked, self._reported = 0, set[int]()

    def begin(self, log: Sequence[Suggestion], pending: Sequence[int]) -> None:
        """Go through what the log has since the last time, and tell all but `pending`."""
        own = [s for s in log if s.number >= 0]
        for suggestion in own[self._asked :]:
            before = [s for s in own[: suggestion.number] if s.batch != suggestion.batch]
            self._report(before, pending=suggestion.pending)
            if self.ask(suggestion.number) != suggestion.asked:
                raise UsageError(
                    f"the search {self._search.name} cannot go on: {self._search.sampler} goes through its log again, "
                    f"and asks for another point than it did as number {suggestion.number}; an outcome is another than "
                    "it was, as of trials that were forgotten and trained again, or Optuna goes another way. Change "
                    "seed under [search] to begin anew: trained rows are used again"
                )
        self._report(own, pending=pending)

    def ask(self, number: int) -> dict[str, Any]:
        """Return what the sampler suggests next; `number` counts its suggestions."""
        self._asked = number + 1
        with _quiet():
            return self._study.ask(self._distributions).params

    def _report(self, known: Sequence[Suggestion], *, pending: Sequence[int]) -> None:
        hidden = {*pending}
        for s in known:
            if s.number not in self._reported and s.number not in hidden and s.known:
                # Under the point that was asked for: the sampler's own state belongs to it.
                self._study.tell(s.number, s.objective, state=TrialState.FAIL if s.objective is None else None)
                self._reported.add(s.number)


def _as_trial(s: Suggestion, distributions: dict[str, BaseDistribution], *, hidden: bool) -> optuna.trial.FrozenTrial:
    state, values = TrialState.RUNNING, None
    if s.known and not hidden:
        state, values = (TrialState.FAIL, None) if s.objective is None else (TrialState.COMPLETE, s.objective)
    return create_trial(state=state, values=values, params=s.point, distributions=distributions)


def _study(search: Search, sampler: BaseSampler) -> optuna.Study:
    directions = [StudyDirection.MAXIMIZE if o.maximise else StudyDirection.MINIMIZE for o in search.objectives]
    return optuna.create_study(directions=directions, sampler=sampler)


def _distributions(search: Search) -> dict[str, BaseDistribution]:
    return {axis.key: _distribution(axis) for axis in search.space.axes}


def _distribution(axis: SpaceAxis) -> BaseDistribution:
    if isinstance(axis, Choice):
        return CategoricalDistribution(axis.values)
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _seed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls some of its samplers experimental
        yield
