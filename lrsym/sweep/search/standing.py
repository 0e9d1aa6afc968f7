"""Where a search stands: which of its cells are to be trained, which are given up, how many it has still to choose."""

from collections import Counter
from collections.abc import Collection, Container, Sequence, Set
from dataclasses import dataclass, field

from lrsym.results.store.store import Store
from lrsym.sweep.planning.plan import hopeless
from lrsym.sweep.search.suggestions import Suggestion, SuggestionLog
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import RefusedError
from lrsym.vocabulary import FAILED_STATUSES, FINAL_STATUSES


class Untrained(Container[str]):
    """The trials that a search trains: those that have not `ended`, and are not `hopeless`.

    Those that its own rule has stopped are ended. Where `retry` names statuses it trains only those that failed so, as
    often as it may be; else `given_up` has those that are tried no more, with their status.
    """

    def __init__(self, search: Search, store: Store, log: Sequence[Suggestion], *, retry: Collection[str] = ()) -> None:
        self.statuses, self._retry = store.statuses(), retry
        if search.stop != "none":
            by_rule = store.statuses(stop_rule=search.stop)
            own = {trial_id for s in log if s.number >= 0 for trial_id in s.trial_ids}
            self.statuses |= {trial_id: by_rule[trial_id] for trial_id in own & by_rule.keys()}
        self.ended = {trial_id for trial_id, status in self.statuses.items() if status in FINAL_STATUSES}
        in_vain = [] if retry else hopeless(self.statuses, store.failures())
        self.given_up = {trial_id: self.statuses[trial_id] for trial_id in in_vain}

    def __contains__(self, trial_id: object) -> bool:
        if self._retry:
            return trial_id not in self.ended and self.statuses.get(str(trial_id)) in self._retry
        return trial_id not in self.ended and trial_id not in self.given_up


@dataclass(frozen=True)
class Standing:
    """The cells of a search: `asked` were chosen to be trained, `done` of them have an outcome, `to_come` are to be
    chosen, which are fewer than the `budget` leaves where the space has no more.

    `begun` ones have no outcome, and trials to train: in `failed` of them one has failed, and is tried again.
    `given_up` counts by status the trials that are tried no more, `ended` are those of any sweep with an outcome.
    """

    budget: int
    asked: int
    done: int
    begun: tuple[Suggestion, ...]
    failed: int
    given_up: Counter[str]
    to_come: int
    ended: Set[str] = field(repr=False)

    @property
    def left(self) -> int:
        """Cells that are still to be trained."""
        return len(self.begun) + self.to_come

    @property
    def cells(self) -> int:
        """Cells that were chosen to be trained, and will be."""
        return self.asked + self.to_come


def standing(search: Search, store: Store, *, budget: int, retry: Collection[str] = ()) -> Standing:
    """Return where `search` stands in `store` with a budget; with `retry` only failures of these statuses are left."""
    log = SuggestionLog(store, search).all
    untrained = Untrained(search, store, log, retry=retry)
    own = [s for s in log if s.number >= 0]
    asked = [s for s in own if s.origin == "asked"]
    done = sum(s.known for s in asked)
    enough = done >= budget and not retry

    def is_left(s: Suggestion) -> bool:
        """Return whether a trial of a cell without an outcome is to be trained, or its outcome is to be recorded."""
        if enough and s.origin == "asked":
            return False
        return any(i in untrained for i in s.trial_ids) or (not retry and untrained.ended.issuperset(s.trial_ids))

    unknown = {s.trial_ids[0]: s for s in reversed(own) if not s.known}
    begun = tuple(s for s in unknown.values() if is_left(s))
    lost = Counter(untrained.given_up[i] for s in unknown.values() for i in s.trial_ids if i in untrained.given_up)
    most = 0 if retry else max(0, budget - len(asked))
    return Standing(
        budget=max(budget, done),
        asked=len(asked),
        done=done,
        begun=begun[::-1],
        failed=sum(any(untrained.statuses.get(i) in FAILED_STATUSES for i in s.trial_ids) for s in begun),
        given_up=lost,
        to_come=_count_untried(search, untrained.ended, {s.trial_ids[0] for s in own}, most=most),
        ended=untrained.ended,
    )


def _count_untried(search: Search, ended: Collection[str], known: Collection[str], *, most: int) -> int:
    """Return how many cells, at most `most`, the search can still choose: not `known`, nor `ended` under every seed.

    All `most` where the space is continuous, or too large to be looked through.
    """
    if not search.space.is_small:
        return most
    found = set[str]()
    for point in search.space.points():
        if len(found) >= most:
            break
        try:
            ids = search.space.cell(point).trial_ids(search.seeds)
        except RefusedError:
            continue
        if ids[0] not in known and not {*ids}.issubset(ended):
            found.add(ids[0])
    return len(found)
