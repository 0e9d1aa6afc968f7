"""What a suggestion costs the driver: processor time to build the study and ask, by sampler and suggestions told.

A batch of 8 is asked for, as a search of several workers does, on six axes; the time is that of one suggestion. A
search asks beside its workers, so it costs them nothing until it takes longer than they train.
"""

import random
import time

from benchmarks.figures import Figure
from lrsym.sweep.search.optuna_sampler import make_asker
from lrsym.sweep.search.suggestions import Suggestion
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_space import Interval
from lrsym.sweep.spec.sweep_file import parse_any

BATCH = 8

FILE = """\
name = "asking"
[search]
sampler = "{sampler}"
budget = 1
maximise = "unseen_order"
[search.space]
"optim.learning_rate" = {{ low = 1e-4, high = 1e-2, log = true }}
"optim.weight_decay" = {{ low = 0.01, high = 3.0, log = true }}
"model.embedding_scale" = {{ low = 1.0, high = 50.0, log = true }}
"model.init_position_std" = {{ low = 0.005, high = 0.5, log = true }}
"scenes.layouts_per_pair" = {{ low = 1, high = 40 }}
"scenes.n_pair_labels" = {{ low = 5, high = 15 }}
"""


def measure(*, told: tuple[int, ...], slowest: int, repeats: int) -> list[Figure]:
    """Figures with each number of suggestions of `told`; gp up to `slowest` alone."""
    return [
        Figure.of(
            [_milliseconds(sampler, n, seed) for seed in range(repeats)],
            benchmark=f"a suggestion, {n} told", variant=sampler, unit="ms of processor time",
        )
        for n in told
        for sampler in ("random", "tpe", "gp")
        if sampler != "gp" or n <= slowest
    ]  # fmt: skip


def _milliseconds(sampler: str, n: int, seed: int) -> float:
    search = parse_any(FILE.format(sampler=sampler), source="asking.toml")
    assert isinstance(search, Search)
    log, asker = _log(search, n, seed), make_asker(search, first_budget=60)
    started = time.process_time()
    asker.begin(log, [])
    for number in range(n, n + BATCH):
        asker.ask(number)
    return 1e3 * (time.process_time() - started) / BATCH


def _log(search: Search, n: int, seed: int) -> list[Suggestion]:
    """Suggestions at random points, with an objective that has one optimum and noise."""
    chance, log = random.Random(seed), []
    for number in range(n):
        point, value = {}, chance.gauss(0, 0.05)
        for axis in search.space.axes:
            assert isinstance(axis, Interval)
            share = chance.random()
            raw = axis.low * (axis.high / axis.low) ** share if axis.log else axis.low + share * (axis.high - axis.low)
            point[axis.key] = round(raw) if axis.whole else raw
            value -= (share - 0.4) ** 2
        asked = Suggestion(number, number // BATCH, "asked", point, point, (str(number),), 60)
        log.append(asked.with_outcome((value,)))
    return log
