"""How much each axis of a search decides: PED-ANOVA, and the frames of the picture of a search.

Source: Watanabe, Bansal and Hutter, IJCAI 2023 (arXiv:2304.10255).
"""

import warnings
from collections.abc import Sequence

import polars as pl

from lrsym.results.analysis.search_frames import SearchedAxis, SearchFrames
from lrsym.results.store.store import Store
from lrsym.sweep.search.suggestions import Suggestion, SuggestionLog, read_outcomes
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import Choice, SpaceAxis


def search_frames(search: Search, store: Store) -> SearchFrames:
    """Return what the picture of `search` shows."""
    log = SuggestionLog(store, search).all
    return SearchFrames(
        suggestions=read_outcomes(search, store),
        axes=tuple(_searched(axis) for axis in search.space.axes),
        objectives=tuple(objective.sql for objective in search.objectives),
        maximise=tuple(objective.maximise for objective in search.objectives),
        importance=importance(search, log),
    )


def importance(search: Search, log: Sequence[Suggestion]) -> pl.DataFrame:
    """Return the share of each axis in what sets the best tenth of the cells in `log` apart, for each objective.

    Columns objective, axis and share; the shares of an objective add up to 1, the largest come first. They are equal
    where there are too few cells to tell, or all are alike.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    from lrsym.sweep.search.optuna_sampler import study_of

    cells = {s.trial_ids[0]: s for s in log if s.objective is not None}
    study, rows = study_of(search, [*cells.values()]), list[tuple[str, str, float]]()
    for place, objective in enumerate(search.objectives):
        sign = -1.0 if objective.maximise else 1.0  # the evaluator takes low for good
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it does, and that a study is small
            shares = get_param_importances(
                study,
                evaluator=PedAnovaImportanceEvaluator(),
                target=lambda trial, place=place, sign=sign: sign * trial.values[place],
            )
        rows += [(objective.sql, key.rpartition(".")[2], share) for key, share in shares.items()]
    return pl.DataFrame(rows, {"objective": pl.String, "axis": pl.String, "share": pl.Float64}, orient="row")


def _searched(axis: SpaceAxis) -> SearchedAxis:
    if isinstance(axis, Choice):
        return SearchedAxis(axis.key, values=axis.values)
    return SearchedAxis(axis.key, low=axis.low, high=axis.high, log=axis.log)
