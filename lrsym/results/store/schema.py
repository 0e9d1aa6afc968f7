"""Every table and column of the store, once: name, type, unit and one sentence.

Writers, readers and the documentation page are held to this module by tests.
"""

import pyarrow as pa

from lrsym.config.axes import Axis, axes
from lrsym.results.store.table import Column, Table
from lrsym.vocabulary import (
    ABLATED_SIDES,
    AT_CHANCE,
    MEASURES,
    METRICS,
    ORDERED,
    ORIGINS,
    PATHS,
    SCORE_TERMS,
    SPLITS,
    STATUSES,
    STOP_RULES,
    SUGGESTION_STATES,
    TEXT_ABLATIONS,
    WINNERS,
)

_TEXT, _INT, _FLOAT, _TIME = pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", tz="UTC")
_TRIAL_ID = Column(
    "trial_id", _TEXT, "", "Identity of the trial: a hash of its configuration and the trainer's version."
)
_SPLIT = Column("split", _TEXT, "", f"One of {', '.join(SPLITS)}.")
_METRIC = Column("metric", _TEXT, "", f"One of {', '.join(METRICS)}.")
_STEP = Column("step", _INT, "steps", "Optimiser steps taken before this evaluation.")


def _axis_column(axis: Axis) -> Column:
    types = {int: _INT, float: _FLOAT, str: _TEXT, bool: pa.bool_()}
    return Column(axis.name, types[axis.type], axis.unit, axis.sentence)


def _trial_columns() -> tuple[Column, ...]:
    pairs = [(s, m) for s in SPLITS for m in METRICS]
    accuracies = [Column(f"{s}_{m}", _FLOAT, "0..1", f"On {SPLITS[s]}: {METRICS[m]}.") for s, m in pairs]
    reached = [
        Column(
            f"steps_to_{s}_{m}", _INT, "steps", f"First evaluated step with {s}_{m} at the threshold; null if never."
        )
        for s, m in pairs
    ]
    return (
        _TRIAL_ID,
        *(_axis_column(axis) for axis in axes()),
        Column("status", _TEXT, "", f"One of {', '.join(STATUSES)}."),
        Column("message", _TEXT, "", "What went wrong, or when and why the trial was stopped; null for done trials."),
        Column("stop_rule", _TEXT, "", f"What stopped the trial, one of {', '.join(STOP_RULES)}; null for others."),
        *accuracies,
        *reached,
        Column(
            "trained_steps",
            _INT,
            "steps",
            "Optimiser steps taken; fewer than asked where the trial diverged or was stopped.",
        ),
        Column("seconds", _FLOAT, "s", "Wall time of the pack, evaluation included, divided by its members."),
        Column("pack_size", _INT, "trials", "Members of the pack the trial was trained in."),
        Column("run_id", _TEXT, "", "The run that trained it: key of table runs."),
        Column("finished_at", _TIME, "UTC", "When the pack was written."),
        Column(
            "attempts",
            _INT,
            "runs",
            "Runs that have tried the trial in vain, this one included; null for results, and in rows of before.",
        ),
        Column(
            "path",
            _TEXT,
            "",
            "How the image tells order on unseen pairs: "
            + "; ".join(f"`{name}`: {sentence}" for name, sentence in PATHS.items())
            + f". Ordered is above {ORDERED}, at chance below {AT_CHANCE}. Derived from the table ablations when it is "
            "read; null where the trial has none of these.",
            derived=True,
        ),
        Column(
            "decay_times",
            _FLOAT,
            "",
            "trained_steps x learning_rate x weight_decay: how often AdamW's decay could take weights to 1/e. Derived.",
            derived=True,
        ),
    )


def _along_training(table: Table, name: str) -> Table:
    """Return the table of the rows that `table` has, at every evaluation of a trial."""
    trial_id, *others = table.columns
    sentence = f"The table {table.name} along training: its rows at every evaluation, where eval.mechanism is points."
    return Table(name, sentence, ("trial_id", "step", *table.key[1:]), (trial_id, _STEP, *others))


TABLES = {
    table.name: table
    for table in (
        Table("trials", "One row for each trial: its axes, its outcome, its cost.", ("trial_id",), _trial_columns()),
        Table(
            "curves",
            "Learning curves.",
            ("trial_id", "step", "split", "metric"),
            (
                _TRIAL_ID,
                _STEP,
                _SPLIT,
                Column("metric", _TEXT, "", f"One of {', '.join(METRICS)}; loss (of the batch) on split train."),
                Column("value", _FLOAT, "0..1 or nats", "The accuracy or loss."),
            ),
        ),
        Table(
            "ablations",
            "Accuracies at the end of training with score or value terms left out at inference.",
            ("trial_id", "term", "split", "metric"),
            (
                _TRIAL_ID,
                Column(
                    "term",
                    _TEXT,
                    "",
                    "What was left out of the first block of the vision encoder or decoder; none is the baseline. "
                    "`mean VP`: VP, with its mean over all positions in its place.",
                ),
                _SPLIT,
                _METRIC,
                Column("value", _FLOAT, "0..1", "The accuracy."),
            ),
        ),
        Table(
            "text_ablations",
            "Accuracies on unseen pairs at the end of training with terms left out of the text encoder. What is left "
            "out of the image side alone stands in the table ablations.",
            ("trial_id", "encoder", "term", "split", "metric"),
            (
                _TRIAL_ID,
                Column(
                    "encoder", _TEXT, "", "; ".join(f"`{name}`: {what}" for name, what in ABLATED_SIDES.items()) + "."
                ),
                Column("term", _TEXT, "", f"What was left out of the first block, one of {', '.join(TEXT_ABLATIONS)}."),
                _SPLIT,
                _METRIC,
                Column("value", _FLOAT, "0..1", "The accuracy."),
            ),
        ),
        Table(
            "terms",
            "Profiles of the score terms along the keys, for the query that is read out ([CLS] or [EOT]).",
            ("trial_id", "encoder", "head", "term"),
            (
                _TRIAL_ID,
                Column("encoder", _TEXT, "", "vision or text; decoder where kind is autoregressive."),
                Column("head", _INT, "", "Attention head, from 0."),
                Column(
                    "term",
                    _TEXT,
                    "",
                    f"One of {', '.join(SCORE_TERMS)}, or the sums EP+PP+BP and EE+PE+BE; R with rotary positions.",
                ),
                Column(
                    "query",
                    _INT,
                    "position",
                    "Position of the read-out token: 0 for [CLS], 3 for [EOT]; in a decoder [CLS] follows the pixels.",
                ),
                Column(
                    "profile",
                    pa.list_(pa.float32()),
                    "logit",
                    "Contribution to the logit by key: by position for terms that end in P ([CLS] comes first, in a "
                    "decoder last), by token id for those that end in E. What the query cannot see has no entry.",
                ),
                Column(
                    "slope",
                    _FLOAT,
                    "logit/pixel",
                    "Least-squares slope of the profile over the pixels, on a grid of its means over rows "
                    "(captions above: over columns); null for token profiles and for text.",
                ),
                Column(
                    "monotonicity",
                    _FLOAT,
                    "-1..1",
                    "Kendall's tau between pixel and profile: 1 rises everywhere, -1 falls; null as slope.",
                ),
                Column(
                    "ramp",
                    _FLOAT,
                    "0..1",
                    "Share of the profile's variance over the pixels that a straight line explains; null as slope.",
                ),
            ),
        ),
        Table(
            "measures",
            "Numbers about the mechanism at the end of training: "
            + "; ".join(f"`{name}`: {sentence}" for name, sentence in MEASURES.items())
            + ".",
            ("trial_id", "encoder", "block", "head", "measure"),
            (
                _TRIAL_ID,
                Column("encoder", _TEXT, "", "vision, decoder, text, or both for what compares the two."),
                Column("block", _INT, "", "Block application, from 0; null for what belongs to the whole model."),
                Column("head", _INT, "", "Attention head, from 0; null as block."),
                Column("measure", _TEXT, "", "Which number."),
                Column("value", _FLOAT, "logit or 0..1 or -1..1", "The number; logits for std_ and delta_."),
            ),
        ),
        Table(
            "confusions",
            "What wins at the end of training: on which share of a split's scenes each kind of caption scores highest.",
            ("trial_id", "split", "winner"),
            (
                _TRIAL_ID,
                _SPLIT,
                Column(
                    "winner", _TEXT, "", "; ".join(f"`{name}`: {sentence}" for name, sentence in WINNERS.items()) + "."
                ),
                Column("share", _FLOAT, "0..1", "Share of the scenes of the split; those of a split add up to 1."),
            ),
        ),
        Table(
            "suggestions",
            "What searches and refinements chose to train, in which order, and what came of it. A search goes on from "
            "these rows.",
            ("search", "number"),
            (
                Column("search", _TEXT, "", "Identity of the search: what it asks for and how, but not its budget."),
                Column("sweep", _TEXT, "", "Name of its sweep file."),
                Column(
                    "number",
                    _INT,
                    "",
                    "Place in the order of asking, from 0; below 0 for cells that other sweeps left.",
                ),
                Column("batch", _INT, "", "Suggestions of one batch were asked for together; null below 0."),
                Column("origin", _TEXT, "", f"One of {', '.join(ORIGINS)}."),
                Column("state", _TEXT, "", f"One of {', '.join(SUGGESTION_STATES)}."),
                Column("point", _TEXT, "", "The cell's values on the axes of the search, as JSON by dotted key."),
                Column("trial_ids", pa.list_(_TEXT), "", "The cell's replicates."),
                Column(
                    "asked_point", _TEXT, "", "What the sampler had asked for, where no trial can be it; else null."
                ),
                Column("objective", pa.list_(_FLOAT), "", "What was maximised or minimised; null unless complete."),
                Column(
                    "intermediate",
                    pa.list_(pa.list_(_FLOAT)),
                    "0..1",
                    "The objective's accuracy by evaluation, then by replicate; null where no rule stops trials.",
                ),
                Column("pending", pa.list_(_INT), "", "Earlier numbers whose outcome the sampler did not know."),
                Column("budget", _INT, "cells", "Cells that the search was to train when this was asked for."),
                Column("asked_at", _TIME, "UTC", "When it was chosen."),
                Column("finished_at", _TIME, "UTC", "When its outcome was known; null while it is running."),
            ),
        ),
        Table(
            "runs",
            "One row for each `lrsym sweep`: where the rows came from.",
            ("run_id",),
            (
                Column("run_id", _TEXT, "", "Identity of the run."),
                Column("sweep", _TEXT, "", "Name of the sweep."),
                Column("started_at", _TIME, "UTC", "When the run began."),
                Column("finished_at", _TIME, "UTC", "When it ended; null while it runs or if it was killed."),
                Column("engine", _TEXT, "", "local or ray."),
                Column("workers", _INT, "", "Packs trained at a time."),
                Column("device", _TEXT, "", "cpu or cuda."),
                Column("gpus", _INT, "", "GPUs that the workers share; null on a CPU, and in older rows of clusters."),
                Column("hardware", _TEXT, "", "Processor or accelerator model, as the driver sees it."),
                Column("threads", _INT, "", "torch threads of each worker."),
                Column("n_planned", _INT, "trials", "Trials this run set out to train."),
                Column("lrsym_version", _TEXT, "", "Version of lrsym."),
                Column("trainer_version", _INT, "", "Version of the trainer, part of every trial_id."),
                Column("commit", _TEXT, "", "Git commit of lrsym's checkout; null outside one."),
                Column("dirty", pa.bool_(), "", "Whether that checkout had uncommitted changes."),
                Column("python", _TEXT, "", "Version of Python."),
                Column("torch", _TEXT, "", "Version of torch."),
                Column("host", _TEXT, "", "Name of the driver's machine."),
            ),
        ),
    )
}

ALONG_TRAINING = {"ablations": "ablation_curves", "terms": "term_curves", "measures": "measure_curves"}
"""Tables of the end of training, each with the table of the same along training."""

TABLES |= {name: _along_training(TABLES[table], name) for table, name in ALONG_TRAINING.items()}


def axis_columns() -> tuple[str, ...]:
    """Return the names of the `trials` columns that are axes, the seed included."""
    return tuple(axis.name for axis in axes())


def as_markdown() -> str:
    """Return the columns page: one section for each table."""
    lines = ["# Tables and columns", "", "Written by `lrsym columns --markdown`; a test holds this page to the code."]
    for table in TABLES.values():
        lines += ["", f"## {table.name}", "", table.sentence, f"Key: {', '.join(table.key)}.", ""]
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type} | {c.unit} | {c.sentence} |" for c in table.columns]
    return "\n".join(lines) + "\n"
