"""Every table and column of the store, once: name, type, unit and one sentence.

Writers, readers and the documentation page are held to this module by tests.
"""

import pyarrow as pa

from lrsym.config.axes import axes
from lrsym.results.store.table import FLOAT, INT, TEXT, TIME, Column, Table
from lrsym.results.store.trial_columns import TRIAL_ID, trial_columns
from lrsym.vocabulary import (
    ABLATED_SIDES,
    MEASURES,
    METRICS,
    ORIGINS,
    SCORE_TERMS,
    SPLITS,
    SUGGESTION_STATES,
    TEXT_ABLATIONS,
    WINNERS,
)

_SPLIT = Column("split", TEXT, "", f"One of {', '.join(SPLITS)}.")
_METRIC = Column("metric", TEXT, "", f"One of {', '.join(METRICS)}.")
_STEP = Column("step", INT, "steps", "Optimiser steps taken before this evaluation.")


def _along_training(table: Table, name: str) -> Table:
    """Return the table of the rows that `table` has, at every evaluation of a trial."""
    trial_id, *others = table.columns
    sentence = f"The table {table.name} along training: its rows at every evaluation, where eval.mechanism is points."
    return Table(name, sentence, ("trial_id", "step", *table.key[1:]), (trial_id, _STEP, *others))


TABLES = {
    table.name: table
    for table in (
        Table("trials", "One row for each trial: its axes, its outcome, its cost.", ("trial_id",), trial_columns()),
        Table(
            "curves",
            "Learning curves.",
            ("trial_id", "step", "split", "metric"),
            (
                TRIAL_ID,
                _STEP,
                _SPLIT,
                Column("metric", TEXT, "", f"One of {', '.join(METRICS)}; loss (of the batch) on split train."),
                Column("value", FLOAT, "0..1 or nats", "The accuracy or loss."),
            ),
        ),
        Table(
            "ablations",
            "Accuracies at the end of training with score or value terms left out at inference.",
            ("trial_id", "term", "split", "metric"),
            (
                TRIAL_ID,
                Column(
                    "term",
                    TEXT,
                    "",
                    "What was left out of the first block of the vision encoder or decoder; none is the baseline. "
                    "`mean VP`: VP, with its mean over all positions in its place.",
                ),
                _SPLIT,
                _METRIC,
                Column("value", FLOAT, "0..1", "The accuracy."),
            ),
        ),
        Table(
            "text_ablations",
            "Accuracies on unseen pairs at the end of training with terms left out of the text encoder. What is left "
            "out of the image side alone stands in the table ablations.",
            ("trial_id", "encoder", "term", "split", "metric"),
            (
                TRIAL_ID,
                Column(
                    "encoder", TEXT, "", "; ".join(f"`{name}`: {what}" for name, what in ABLATED_SIDES.items()) + "."
                ),
                Column("term", TEXT, "", f"What was left out of the first block, one of {', '.join(TEXT_ABLATIONS)}."),
                _SPLIT,
                _METRIC,
                Column("value", FLOAT, "0..1", "The accuracy."),
            ),
        ),
        Table(
            "terms",
            "Profiles of the score terms along the keys, for the query that is read out ([CLS] or [EOT]).",
            ("trial_id", "encoder", "head", "term"),
            (
                TRIAL_ID,
                Column("encoder", TEXT, "", "vision or text; decoder where kind is autoregressive."),
                Column("head", INT, "", "Attention head, from 0."),
                Column(
                    "term",
                    TEXT,
                    "",
                    f"One of {', '.join(SCORE_TERMS)}, or the sums EP+PP+BP and EE+PE+BE; R with rotary positions.",
                ),
                Column(
                    "query",
                    INT,
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
                    FLOAT,
                    "logit/pixel",
                    "Least-squares slope of the profile over the pixels, on a grid of its means over rows "
                    "(captions above: over columns); null for token profiles and for text.",
                ),
                Column(
                    "monotonicity",
                    FLOAT,
                    "-1..1",
                    "Kendall's tau between pixel and profile: 1 rises everywhere, -1 falls; null as slope.",
                ),
                Column(
                    "ramp",
                    FLOAT,
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
                TRIAL_ID,
                Column("encoder", TEXT, "", "vision, decoder, text, or both for what compares the two."),
                Column("block", INT, "", "Block application, from 0; null for what belongs to the whole model."),
                Column("head", INT, "", "Attention head, from 0; null as block."),
                Column("measure", TEXT, "", "Which number."),
                Column("value", FLOAT, "logit or 0..1 or -1..1", "The number; logits for std_ and delta_."),
            ),
        ),
        Table(
            "confusions",
            "What wins at the end of training: on which share of a split's scenes each kind of caption scores highest.",
            ("trial_id", "split", "winner"),
            (
                TRIAL_ID,
                _SPLIT,
                Column(
                    "winner", TEXT, "", "; ".join(f"`{name}`: {sentence}" for name, sentence in WINNERS.items()) + "."
                ),
                Column("share", FLOAT, "0..1", "Share of the scenes of the split; those of a split add up to 1."),
            ),
        ),
        Table(
            "suggestions",
            "What searches and refinements chose to train, in which order, and what came of it. A search goes on from "
            "these rows.",
            ("search", "number"),
            (
                Column("search", TEXT, "", "Identity of the search: what it asks for and how, but not its budget."),
                Column("sweep", TEXT, "", "Name of its sweep file."),
                Column(
                    "number", INT, "", "Place in the order of asking, from 0; below 0 for cells that other sweeps left."
                ),
                Column("batch", INT, "", "Suggestions of one batch were asked for together; null below 0."),
                Column("origin", TEXT, "", f"One of {', '.join(ORIGINS)}."),
                Column("state", TEXT, "", f"One of {', '.join(SUGGESTION_STATES)}."),
                Column("point", TEXT, "", "The cell's values on the axes of the search, as JSON by dotted key."),
                Column("trial_ids", pa.list_(TEXT), "", "The cell's replicates."),
                Column("asked_point", TEXT, "", "What the sampler had asked for, where no trial can be it; else null."),
                Column("objective", pa.list_(FLOAT), "", "What was maximised or minimised; null unless complete."),
                Column(
                    "intermediate",
                    pa.list_(pa.list_(FLOAT)),
                    "0..1",
                    "The objective's accuracy by evaluation, then by replicate; null where no rule stops trials.",
                ),
                Column("pending", pa.list_(INT), "", "Earlier numbers whose outcome the sampler did not know."),
                Column("budget", INT, "cells", "Cells that the search was to train when this was asked for."),
                Column("asked_at", TIME, "UTC", "When it was chosen."),
                Column("finished_at", TIME, "UTC", "When its outcome was known; null while it is running."),
            ),
        ),
        Table(
            "runs",
            "One row for each `lrsym sweep`: where the rows came from.",
            ("run_id",),
            (
                Column("run_id", TEXT, "", "Identity of the run."),
                Column("sweep", TEXT, "", "Name of the sweep."),
                Column("started_at", TIME, "UTC", "When the run began."),
                Column("finished_at", TIME, "UTC", "When it ended; null while it runs or if it was killed."),
                Column("engine", TEXT, "", "local or ray."),
                Column("workers", INT, "", "Packs trained at a time."),
                Column("device", TEXT, "", "cpu or cuda."),
                Column("gpus", INT, "", "GPUs that the workers share; null on a CPU, and in older rows of clusters."),
                Column("hardware", TEXT, "", "Processor or accelerator model, as the driver sees it."),
                Column("threads", INT, "", "torch threads of each worker."),
                Column("n_planned", INT, "trials", "Trials this run set out to train."),
                Column("lrsym_version", TEXT, "", "Version of lrsym."),
                Column("trainer_version", INT, "", "Version of the trainer, part of every trial_id."),
                Column("commit", TEXT, "", "Git commit of lrsym's checkout; null outside one."),
                Column("dirty", pa.bool_(), "", "Whether that checkout had uncommitted changes."),
                Column("python", TEXT, "", "Version of Python."),
                Column("torch", TEXT, "", "Version of torch."),
                Column("host", TEXT, "", "Name of the driver's machine."),
            ),
        ),
    )
}

ALONG_TRAINING = {"ablations": "ablation_curves", "terms": "term_curves", "measures": "measure_curves"}
"""Tables of the end of training, each with the table of the same along training."""

TABLES |= {name: _along_training(TABLES[table], name) for table, name in ALONG_TRAINING.items()}

OF_TRIALS = ("trials", *(name for name, table in TABLES.items() if name != "trials" and table.key[0] == "trial_id"))
"""Tables whose rows belong to trials: `trials` first, which says of which attempt the others are."""


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
