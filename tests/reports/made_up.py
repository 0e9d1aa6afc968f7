"""A sweep whose trials are not trained: rows with made-up accuracies of every kind."""

from datetime import UTC, datetime

import polars as pl

from lrsym.reports.planned import Planned
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.spec.sweep_file import parse
from lrsym.vocabulary import ABLATIONS

STEPS = (10, 20, 40)
RUN = {
    "run_id": "r", "sweep": "made_up", "engine": "local", "device": "cpu", "threads": 1, "workers": 2,
    "commit": "c" * 40, "dirty": False, "lrsym_version": "0.1.0",
    "trainer_version": 1, "torch": "2.13.0", "python": "3.11.2",
    "hardware": "a processor", "host": "a-machine-of-ours",
}  # fmt: skip


def sweep(*, labels=(5, 8), layouts=(1, 20), seeds=3, name="made_up", question="does it read?", grid=""):
    head = f"# Question: {question}\n# Cost: nothing\n# Command: lrsym sweep made_up.toml\n"
    grid = grid or f'[grid]\n"scenes.n_pair_labels" = {[*labels]}\n"scenes.layouts_per_pair" = {[*layouts]}\n'
    return parse(f'{head}name = "{name}"\nreplicates = {seeds}\n[base]\n"model.d_model" = 16\n{grid}', source="no.toml")


def accuracy(trial, split="unseen"):
    """0.5 and up, by layouts and labels; train is always 1."""
    unseen = 0.5 + 0.02 * trial.scenes.layouts_per_pair + 0.01 * trial.scenes.n_pair_labels
    return 1.0 if split == "train" else min(1.0, unseen - 0.01 * trial.seed)


def write(
    root, trials, *, status=lambda trial: "done", message=lambda trial: None, splits=("train", "seen", "unseen"),
    part="part",
):  # fmt: skip
    """Write rows of `trials` into every table."""
    rows, curves, ablations, terms = [], [], [], []
    for trial in trials:
        own, ended = {"trial_id": trial.trial_id}, status(trial)
        done = ended == "done"
        scores = {f"{split}_order": accuracy(trial, split) for split in splits} if done else {}
        outcome = {"status": ended, "message": message(trial), "seconds": 2.0 + trial.seed, "run_id": "r"}
        rows.append({**axis_values(trial), **scores, **outcome, "finished_at": datetime(2026, 1, 2, tzinfo=UTC)})
        if not done:
            continue
        curves += [
            {**own, "step": step, "split": split, "metric": "order", "value": accuracy(trial, split) * step / STEPS[-1]}
            for split in splits
            for step in STEPS
        ]
        left = {term: 0.5 if "EP" in term else accuracy(trial) for term in ABLATIONS}
        ablations += [
            {**own, "term": term, "split": "unseen", "metric": "order", "value": value} for term, value in left.items()
        ]
        profile = {"encoder": "vision", "term": "EP", "query": 0, "profile": [0.0, 0.1, 0.2, 0.3]}
        terms += [{**own, **profile, "head": head} for head in (0, 1)]
    tables = {"curves": curves, "ablations": ablations, "terms": terms, "trials": rows, "runs": [RUN]}
    Store(str(root)).write(part, {name: TABLES[name].build(rows) for name, rows in tables.items()})


def read(root, found):
    """The plan of a sweep, and its rows with their cell."""
    planned = Planned.of(found)
    trials = load_trials(root, trial_ids=found.trial_ids()).collect()
    return planned, trials.join(planned.trials, on="trial_id")


def value(frame: pl.DataFrame, column, **where):
    """The one value of a column where the others are as given."""
    return frame.filter(**where)[column].item()
