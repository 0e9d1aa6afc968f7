"""The columns of the table `trials`."""

import pyarrow as pa

from lrsym.config.axes import Axis, axes
from lrsym.results.store.table import FLOAT, INT, TEXT, TIME, Column
from lrsym.vocabulary import AT_CHANCE, METRICS, ORDERED, PATHS, SPLITS, STATUSES, STOP_RULES

TRIAL_ID = Column("trial_id", TEXT, "", "Identity of the trial: a hash of its configuration and the trainer's version.")


def _axis_column(axis: Axis) -> Column:
    types = {int: INT, float: FLOAT, str: TEXT, bool: pa.bool_()}
    return Column(axis.name, types[axis.type], axis.unit, axis.sentence)


def trial_columns() -> tuple[Column, ...]:
    """Return the columns of the table `trials`: identity, axes, outcome, cost, and what is derived when it is read."""
    pairs = [(s, m) for s in SPLITS for m in METRICS]
    accuracies = [Column(f"{s}_{m}", FLOAT, "0..1", f"On {SPLITS[s]}: {METRICS[m]}.") for s, m in pairs]
    reached = [
        Column(f"steps_to_{s}_{m}", INT, "steps", f"First evaluated step with {s}_{m} at the threshold; null if never.")
        for s, m in pairs
    ]
    return (
        TRIAL_ID,
        *(_axis_column(axis) for axis in axes()),
        Column("status", TEXT, "", f"One of {', '.join(STATUSES)}."),
        Column("message", TEXT, "", "What went wrong, or when and why the trial was stopped; null for done trials."),
        Column("stop_rule", TEXT, "", f"What stopped the trial, one of {', '.join(STOP_RULES)}; null for others."),
        *accuracies,
        *reached,
        Column(
            "trained_steps",
            INT,
            "steps",
            "Optimiser steps taken; fewer than asked where the trial diverged or was stopped.",
        ),
        Column("seconds", FLOAT, "s", "Wall time of the pack, evaluation included, divided by its members."),
        Column("pack_size", INT, "trials", "Members of the pack the trial was trained in."),
        Column("run_id", TEXT, "", "The run that trained it: key of table runs."),
        Column("finished_at", TIME, "UTC", "When the pack was written."),
        Column(
            "attempts",
            INT,
            "runs",
            "Runs that have tried the trial in vain, this one included; null for results, and in rows of before.",
        ),
        Column(
            "path",
            TEXT,
            "",
            "How the image tells order on unseen pairs: "
            + "; ".join(f"`{name}`: {sentence}" for name, sentence in PATHS.items())
            + f". Ordered is above {ORDERED}, at chance below {AT_CHANCE}. Derived from the table ablations when it is "
            "read; null where the trial has none of these.",
            derived=True,
        ),
        Column(
            "decay_times",
            FLOAT,
            "",
            "trained_steps x learning_rate x weight_decay: how often AdamW's decay could take weights to 1/e. Derived.",
            derived=True,
        ),
        Column(
            "mirror_pairs",
            FLOAT,
            "pairs",
            "Expected in a batch: two examples of the same two labels, one of each order, under captions of both. "
            "Derived from the axes; null for three objects, and for captions of left and above.",
            derived=True,
        ),
    )
