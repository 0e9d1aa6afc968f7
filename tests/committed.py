"""The committed rows, as tests ask for them: by sweep, by table, by claim of the paper."""

import functools
import json

from lrsym.results.analysis.intervals import ACCURACY_RESOLUTION, estimate_mean
from lrsym.results.store.store import load, load_trials
from lrsym.sweep.spec.sweep_file import load as load_sweep
from tests.pages import ROOT
from tests.running import lrsym

REFERENCE = ROOT / "results/reference"


@functools.cache
def ids(sweep):
    return [trial.trial_id for trial in load_sweep(ROOT / f"sweeps/{sweep}.toml").trials]


def trials(sweep, **where):
    return load_trials(REFERENCE, trial_ids=ids(sweep)).filter(**where).collect()


def rows(table, sweep=None):
    """The rows of a table, of all trials or of those of a sweep, beside the columns of their trial."""
    kept = ids(sweep) if sweep else None
    return load(REFERENCE, table, trial_ids=kept).join(load_trials(REFERENCE), on="trial_id").collect()


def mean_in_words(accuracies):
    """The mean of the seeds and the half-width of its interval."""
    found = estimate_mean(accuracies.to_list(), resolution=ACCURACY_RESOLUTION)
    return f"{found.mean:.2f} ± {(found.high - found.low) / 2:.2f}"


@functools.cache
def order_on_unseen():
    """A row for each trial: order on unseen pairs with each term left out, beside the columns of the trial."""
    found = load(REFERENCE, "ablations").filter(split="unseen", metric="order").collect()
    return load_trials(REFERENCE).collect().join(found.pivot("term", index="trial_id", values="value"), on="trial_id")


def spread(values):
    return f"{values.mean():.2f} ({values.min():.2f}-{values.max():.2f})"


@functools.cache
def paper_claims():
    return json.loads(lrsym("claims", ROOT / "claims/paper.toml", "--results", REFERENCE, "--no-page", "--json"))[
        "claims"
    ]


def estimate(claim, arm, part):
    """The estimate of a part of a claim of the paper in an arm."""
    (arms,) = (one["arms"] for one in paper_claims() if one["id"] == claim)
    (parts,) = (one["parts"] for one in arms if one["arm"] == arm)
    return parts[part]["estimate"]
