"""Searches whose trials are not trained: rows with a made-up accuracy, written in whatever order packs end."""

import math
from collections import Counter, deque
from datetime import UTC, datetime

from lrsym.results.store.schema import TABLES
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.search.loop import SearchSource
from lrsym.sweep.spec.sweep_file import parse_any
from lrsym.vocabulary import FAILED_STATUSES

SPACE = """
"optim.learning_rate" = { low = 1e-4, high = 1e-2, log = true }
"optim.weight_decay" = { low = 0.0, high = 1.0 }
"scenes.layouts_per_pair" = { low = 1, high = 40 }
"""


def search(space=SPACE, *, sampler="tpe", budget=12, replicates=2, keys="", base="", text=""):
    return parse_any(
        f'name = "made_up"\nreplicates = {replicates}\n[base]\n"model.d_model" = 16\n{base}\n'
        f'[search]\nsampler = "{sampler}"\nbudget = {budget}\nmaximise = "unseen_order"\n{keys}\n'
        f"[search.space]\n{space}\n{text}",
        source="made_up.toml",
    )


def accuracy(trial):
    """The made-up accuracy of a trial on unseen pairs: best at a rate of 1e-3 and 20 layouts, with a little noise."""
    far = math.log10(trial.optim.learning_rate / 1e-3) ** 2 + (trial.scenes.layouts_per_pair / 20 - 1) ** 2
    return 1 / (1 + far + trial.optim.weight_decay) + 0.01 * math.sin(trial.seed + trial.optim.learning_rate * 1e5)


def write(store, trials, part, *, status=lambda trial: "done"):
    """Write the row of each of `trials` as `part`, and return how they ended."""
    rows, curves = [], []
    for trial in trials:
        ended = status(trial)
        outcome = {"status": ended, "unseen_order": accuracy(trial) if ended in ("done", "stopped") else None}
        outcome |= {"stop_rule": "asha" if ended == "stopped" else None, "run_id": "one"}
        rows.append({**axis_values(trial), **outcome, "finished_at": datetime.now(UTC)})
        for step in (10, 20) if ended == "done" else (10,):
            point = {"step": step, "split": "unseen", "metric": "order", "value": accuracy(trial) * step / 20}
            curves.append({"trial_id": trial.trial_id, **point})
    store.write(part, {"curves": TABLES["curves"].build(curves), "trials": TABLES["trials"].build(rows)})
    return Counter(row["status"] for row in rows)


def run(
    found, store, *, budget=None, pack_size=4, workers=2, packs=None, swap=False, retry=(), status=lambda trial: "done"
):
    """Give out packs to `workers` and end them in the order they began; with `swap` every other time the last first.

    Returns the packs that ended, at most `packs` of them: then the driver is gone, and what was running is lost.
    """
    budget = budget or found.budget
    source = SearchSource(found, store, budget=budget, pack_size=pack_size, workers=workers, retry=retry)
    running, ended = deque(), []
    while packs is None or len(ended) < packs:
        while len(running) < workers and (pack := source.next()) is not None:
            running.append(pack)
        if not running:
            assert source.exhausted
            break
        pack = running.pop() if swap and len(ended) % 2 == 0 else running.popleft()
        failed = {status(trial) for trial in pack.trials} & {*FAILED_STATUSES}
        part = f"{pack.id}-failed" if failed else pack.part
        source.on_end(pack, write(store, pack.trials, part, status=status))
        ended.append(pack)
    return ended


def told(store):
    """The suggestions in the store, without their times."""
    frame = store.scan("suggestions").sort("number").drop("asked_at", "finished_at", "budget").collect()
    return frame.to_dicts()
