"""The names that code, columns, axis titles and documentation share, each with its sentence.

Source of the definitions: arXiv:2601.12809; the candidate sets of the accuracies are ours, because the
paper leaves them open.
"""

from collections.abc import Collection, Mapping
from typing import TypeVar

T = TypeVar("T")


def by_name(names: Collection[str], values: Mapping[str, T]) -> dict[str, T]:
    """Return `values` in the order of `names`. Raises ValueError unless each name has a value, and nothing else has."""
    if unmatched := {*names} ^ {*values}:
        raise ValueError(
            f"every one of {', '.join(names)} must have its value, and no other; see to {sorted(unmatched)}"
        )
    return {name: values[name] for name in names}


SPLITS = {
    "train": "the training scenes",
    "single": "single-object scenes at held-out positions",
    "seen": "trained ordered pairs in held-out layouts",
    "unseen": "every layout of the ordered pairs of held-out labels",
    "half": "half-seen pairs, of a pair label and a held-out label, in layouts drawn at random",
    "uncovered": "every layout of the pairs of pair labels that coverage or pair_orders leaves untrained",
}

METRICS = {
    "order": "share of two-object scenes whose caption scores above its swap; chance 0.5, ties count half",
    "inset": "top-1 accuracy among the captions of the same split; a tie is a miss",
    "pairs": "top-1 accuracy among every caption of two labels, on two-object scenes; a tie is a miss",
    "global": "top-1 accuracy among every caption of the vocabulary; a tie is a miss",
    "labelset": "share of scenes whose top-1 caption of all names the right labels, in whatever order; a tie is a miss",
}


def is_accuracy(column: str) -> bool:
    """Return whether a column is named after a split and a metric, such as `unseen_order`: its values lie in 0..1."""
    split, _, metric = column.partition("_")
    return split in SPLITS and metric in METRICS


CHANCE = {"order": 0.5}
"""Accuracy of guessing, for the metrics whose chance level does not depend on the sweep."""

SCORE_TERMS = {
    "EE": "token of the query on token of the key",
    "EP": "token of the query on position of the key",
    "PE": "position of the query on token of the key",
    "PP": "position of the query on position of the key",
    "BE": "query bias on token of the key",
    "BP": "query bias on position of the key",
}

POSITION_KEY = ("EP", "PP", "BP")
"""Score terms that depend on the key's position: their sum does not change with the gauge."""

CONTENT_KEY = ("EE", "PE", "BE")
"""Score terms that depend on the key's token: their sum does not change with the gauge."""

ROTARY_TERM = {"R": "turning of queries and keys by their distance, in the first block (rotary positions)"}

ABLATIONS = {
    "none": (),
    **{term: (term,) for term in (*SCORE_TERMS, *ROTARY_TERM)},
    "VP": ("VP",),
    "EP+PP+BP": POSITION_KEY,
    "EE+PE+BE": CONTENT_KEY,
    "EP+VP": ("EP", "VP"),
    "EP+PP+BP+VP": (*POSITION_KEY, "VP"),
    "mean VP": ("mean VP",),
}
"""What is left out at inference, by the name in column `term` of the table `ablations`."""

VALUE_TERMS = {
    "VP": "position in the values",
    "mean VP": "position in the values, the mean over all positions in its place",
}
"""What can be left out of the values, or of them made the same for all keys."""

TEXT_ABLATIONS = {name: ABLATIONS[name] for name in ("EP", "PP", "BP", "EP+PP+BP", "VP")}
"""What is left out of the text encoder, by the name in column `term` of the table `text_ablations`. Without VP besides
EP+PP+BP one block takes a caption for its swap, and rounding decides."""

ABLATED_SIDES = {"text": "the text encoder alone", "both": "both encoders"}
"""Where it is left out, by the name in column `encoder` of that table."""

PATHS = {
    "value": "through the values: at chance without VP, ordered without EP+PP+BP",
    "ep": "through the scores: at chance without EP+PP+BP, ordered without VP; losing EP costs over twice what PP does",
    "pp": "through the scores likewise, and losing PP costs over twice what EP costs",
    "mixed": "otherwise: through the scores where neither of EP and PP costs over twice the other, or not by one alone",
    "none": "not ordered, so there is nothing to read",
}
"""How order on unseen pairs is read, by the name in column `path` of the table `trials`; the rule is in
results/store/mechanism_path.py."""

ORDERED, AT_CHANCE = 0.65, 0.56
"""Order on unseen pairs above which a trial is called ordered, and below which it is called at chance (0.5)."""

MEASURES = {
    "attend_last": "share of scenes with more attention on the last object than on the first, minus that with less",
    "attention_difference": "mean attention on the last object minus on the first",
    "delta_label": "mean size of Delta_label, the EE logit at the last object minus at the first",
    "delta_pe": "mean of Delta_pe, the EP logit at the last object minus at the first",
    "relational": "share of scenes with |Delta_label| < |Delta_pe|, Delta_pe of the sign of its mean",
    "delta_content": "as delta_label, for the content-key terms EE+PE+BE",
    "delta_position": "as delta_pe, for the position-key terms EP+PP+BP",
    "relational_gauge_free": "as relational, for content-key against position-key terms",
    **{f"std_{term}": f"standard deviation of {term} over scenes and keys" for term in SCORE_TERMS},
    "weight_share": "standard deviation of X W_QK X^T, as share of it plus that of b_Q W_K X^T, over scenes and keys",
    "attention_first": "mean attention of [EOT] on the first-mentioned label",
    "attention_second": "mean attention of [EOT] on the second-mentioned label",
    "prefer_first": "share of captions whose first-mentioned label gets more attention of [EOT] than the second",
    "logit_scale": "what cosines are multiplied by in the loss, the inverse temperature; at most 100",
    "cosine_raw_trained": "mean cosine of the token embeddings of a label in both encoders, pair labels",
    "cosine_raw_heldout": "the same, held-out labels",
    "cosine_rotated_trained": "the same after the rotation fitted on pair labels, pair labels",
    "cosine_rotated_heldout": "the same after the rotation fitted on pair labels, held-out labels",
}
"""Numbers about the mechanism, of the read-out row. Scenes are those of unseen pairs, captions those of two labels;
first and last go along the first relation: left and right."""

WINNERS = {
    "true": "a caption that is true of the scene",
    "order": "one of two labels that are both there, but not true: the wrong order, or the wrong relation",
    "single": "one of a single label that is there, of a scene of more objects",
    "partner": "one of two labels of which one is there",
    "other": "one of labels that are not there",
}
"""What scores highest on a scene, by the name in column `winner` of the table `confusions`."""

STATUSES = {
    "done": "trained and evaluated",
    "diverged": "loss became non-finite; a result, drawn as such, never retried",
    "stopped": "ended early by a stop rule; trained in full by a sweep that does not ask for that rule",
    "out_of_memory": "the device ran out of memory; retried by the next sweep",
    "timeout": "the pack took longer than allowed; retried by the next sweep",
    "crashed": "the worker failed or was killed; retried by the next sweep",
}

TRAINING = "training"
"""Status of trials that have no row yet, where a sweep is shown while it runs."""

FINAL_STATUSES = ("done", "diverged")
"""Statuses that are results and final, whatever a sweep asks for."""

FAILED_STATUSES = ("out_of_memory", "timeout", "crashed")
"""Statuses that are infrastructure and are retried."""

AGREEMENTS = {
    "identical": "every value of its curves is the same to the last digit",
    "within tolerance": "it ended alike, and its last accuracies differ by no more than the tolerance",
    "grown apart": "it began alike and differs by more at its end, on another device, hardware or torch, or in another "
    "pack size: rounding does that, and one trial cannot tell it from a change",
    "drifted": "it ended in another way, or differs by more and rounding is no excuse",
    "failed": "this time it did not get to an end",
}
"""How a trial that was trained again compares with its rows."""

GRID_STOP_RULES = {"decided": "every split at ceiling or at chance, train at ceiling, for some evaluations"}
"""Rules that a sweep of a grid may stop trials by: these count as trained to the end, their last accuracies are
outcomes."""

SEARCH_STOP_RULES = {
    "asha": "the cell is not among the best third of those that came as far",
    "median": "the cell's mean is below the median of earlier cells at the same evaluation",
    "wilcoxon": "the cell is below the best one by a signed-rank test over seeds",
}
"""Rules that a search may stop cells by: what they stop was not trained to the end and has no outcome."""

STOP_RULES = GRID_STOP_RULES | SEARCH_STOP_RULES
"""Why a trial was stopped, by the name in column `stop_rule` of the table `trials`."""

SAMPLERS = {
    "tpe": "where good cells lie denser than the others",
    "gp": "where a Gaussian process expects most",
    "cmaes": "from a normal distribution that follows the best",
    "nsga2": "by crossing the best",
    "qmc": "evenly, whatever the outcome",
    "random": "at random, whatever the outcome",
}
"""How a search chooses the next cell, by the name of Optuna's sampler."""

LEARNING_SAMPLERS = ("tpe", "gp")
"""Samplers that can be told what other sweeps have trained."""

ORIGINS = {
    "asked": "chosen and trained, part of the budget",
    "repeated": "a cell that the search has asked for before, or whose rows were there; answered from them",
    "reused": "finished trials of any sweep, told to the sampler before it was asked",
}
"""Where a suggestion comes from."""

SUGGESTION_STATES = {
    "running": "asked for, without an outcome yet; a trial that failed is tried again by the next run",
    "complete": "its objective is known",
    "failed": "there is no objective: a trial diverged, or it is null",
}
"""How a suggestion stands."""

SUGGESTION_OUTCOMES = {
    "trained": "chosen, and all its replicates trained to the end",
    "running": SUGGESTION_STATES["running"],
    "failed": SUGGESTION_STATES["failed"],
    "stopped": "a rule stopped replicates early: what was told is their last mean, and no final value",
    "repeated": ORIGINS["repeated"],
    "reused": ORIGINS["reused"],
}
"""What became of a suggestion, in pictures and lists."""

PHASES = {
    "confusion": "train below the threshold",
    "memorisation": "train reaches it, held-out layouts of seen pairs do not",
    "layout generalisation": "seen pairs reach it, unseen pairs do not",
    "relational generalisation": "unseen pairs reach it",
}

BOUNDARY_DIRECTIONS = {
    "rises": "from fewer than half of the seeds to more, further along",
    "falls": "from more to fewer",
    "above": "at every value more than half of the seeds reach the level",
    "below": "at every value fewer than half do",
    "undecided": "about half do, and neither rising nor falling is sure",
    "unknown": "fewer than two values with an outcome",
}
"""How the share of seeds that reach a level goes along an axis; a boundary is where it is a half."""

PHASE_METRIC = "unseen_order"
"""Outcome that a phase diagram draws, and in whose metric phases are counted, if no other is asked for."""

PHASE_THRESHOLD = 0.9
"""Accuracy from which a phase counts as reached, if no other is asked for; that of the axis `threshold` by default."""

DEFAULT_TOLERANCE = 0.05
"""How far an accuracy, 0..1, may differ in a trial that is trained again, if nothing else is asked for: sums in another
order grow apart in thousands of steps; docs/reading.md has how far."""

VERDICTS = {
    "supported": "the whole interval lies in the claimed range",
    "refuted": "the whole interval lies outside the claimed range",
    "undecided": "the interval crosses an end of the claimed range, or there are too few replicates",
    "untestable": "what the claim takes for granted is not so in these rows, whatever the number is",
}
"""What the rows say about a claim."""

INTERVALS = {
    "t": "Student's t interval of the mean",
    "logit": "Student's t interval of the mean of accuracies, taken on logits, so that it stays between 0 and 1",
    "bootstrap": "bias-corrected and accelerated bootstrap interval of the mean",
    "wilson": "Wilson's score interval of the share of ones",
}
"""How the 95 % interval of an estimate over replicates is taken."""

TESTS = {
    "range": "the whole 95 % interval must lie in the claimed range",
    "equivalence": "two one-sided tests of 5 % must put the mean in the claimed range: so does its 90 % interval",
}
"""When a claimed range is supported; it is refuted when the whole 95 % interval lies outside."""

EXPORTS = {
    "csv": "a folder of CSV files, one for each table",
    "duckdb": "a DuckDB file with the same tables",
    "mlflow": "runs of an MLflow tracking store",
    "tensorboard": "event files for TensorBoard",
    "wandb-offline": "offline runs of Weights & Biases, which `wandb sync` uploads",
}
"""What `lrsym export` writes rows as."""

PICTURES = {
    "phase": "trials",
    "probabilities": "trials",
    "boundary": "trials",
    "line": "trials",
    "curves": "curves",
    "ablation": "ablations",
    "mechanism": "trials",
    "onset": "ablation_curves",
    "symmetry": "trials",
    "profile": "terms",
    "cost": "trials",
    "search": "suggestions",
}
"""Kinds of pictures, as the verbs of `lrsym plot`, each with the table that it is drawn from; `search` is of searches
alone."""
