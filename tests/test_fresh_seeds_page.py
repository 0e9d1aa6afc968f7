"""docs/fresh_seeds.md says what its rows say: every table, and every number in a sentence."""

import functools
import json

import polars as pl
import pytest

from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.store.store import load, load_trials
from tests import pages
from tests.committed import ids
from tests.pages import ROOT
from tests.running import lrsym

PAGE, ROWS = "docs/fresh_seeds.md", ROOT / "results/fresh_seeds"
JUDGED = "| claim | what is asked | claimed | estimate | verdict | after Holm |"
RECOGNITION = (
    "| partners | true captions spared | order | in-set | pairs | label set | global | lost to one label "
    "| seen, global | half-seen, order | half-seen, global |"
)
COLUMNS = (
    *(f"unseen_{metric}" for metric in ("order", "inset", "pairs", "labelset", "global")),
    *("single", "seen_global", "half_order", "half_global"),
)
NOT_TRAINED = {"R3", "S1", "S2", "P1", "P2", "D1"}


@functools.cache
def recognition():
    """A row for each trial: its columns, and what wins where a scene of unseen pairs is missed."""
    won = load(ROWS, "confusions").filter(split="unseen").collect().pivot("winner", index="trial_id", values="share")
    trials = load_trials(ROWS, trial_ids=ids("recognition")).collect()
    return trials.join(won, on="trial_id")


def mean(values):
    """The mean of the seeds and the half-width of its interval."""
    found = estimate_mean(values.to_list())
    return f"{found.mean:.2f} ± {(found.high - found.low) / 2:.2f}"


@functools.cache
def claims():
    words = ("claims", ROOT / "claims/fresh_seeds.toml", "--results", ROWS, "--no-page", "--json")
    return json.loads(lrsym(*words))["claims"]


def parts():
    """The parts that have rows, each with the id of its claim."""
    trained = (claim for claim in claims() if claim["id"] not in NOT_TRAINED)
    return [(claim["id"], part) for claim in trained for arm in claim["arms"] for part in arm["parts"]]


def claimed(part):
    low, high = part["at_least"], part["at_most"]
    if low is None or high is None:
        return f"at most {high:g}" if low is None else f"at least {low:g}"
    return f"{low:g} to {high:g}{' (equivalence)' if part['test'] == 'equivalence' else ''}"


def judged():
    table = []
    for name, part in parts():
        low, high = part["equivalence_interval"] or (part["low"], part["high"])
        found = f"{part['estimate']:.2f} ({low:.2f} to {high:.2f}, n = {part['n']})"
        table.append([name, part["name"], claimed(part), found, part["verdict"], part["holm"]])
    return table


def cells():
    axes = ["heldout_partners", "multi_positive"]
    return [
        [f"{partners}", "yes" if spared else "no"] + [mean(cell[column]) for column in COLUMNS]
        for (partners, spared), cell in recognition().sort(axes).group_by(axes, maintain_order=True)
    ]


@pytest.mark.slow
def test_every_table_is_what_the_rows_say():
    wanted = {JUDGED: judged(), RECOGNITION: cells()}
    assert sorted(pages.headings(PAGE)) == sorted(wanted)
    for heading, table in wanted.items():
        assert pages.table(PAGE, heading) == table


def test_all_trials_are_there_and_done():
    assert {*recognition()["trial_id"]} == {*ids("recognition")}
    assert {*recognition()["status"]} == {"done"}


def test_ranges_were_registered_before_the_rows_were_trained_and_some_have_no_rows():
    assert {part["after_rows"] for _, part in parts()} == {False}
    assert {claim["id"] for claim in claims() if all(arm["missing"] for arm in claim["arms"])} == NOT_TRAINED


def test_recognition_comes_late_with_partners_and_falls_with_the_loss_that_spares_what_is_true():
    labels = load(ROWS, "curves").filter(split="unseen", metric="labelset").collect()
    kept = recognition().select("trial_id", "heldout_partners", "multi_positive")
    by = ["heldout_partners", "multi_positive", "step"]
    means = labels.join(kept, on="trial_id").group_by(by).agg(pl.col("value").mean())
    partners, spared = (
        dict(means.filter(**where).select("step", "value").iter_rows())
        for where in ({"heldout_partners": 50}, {"multi_positive": True})
    )
    assert max(value for step, value in partners.items() if 300 < step <= 1078) < 0.01
    assert partners[1798] > 0.2
    assert max(spared, key=lambda step: spared[step]) == 232


def test_a_number_in_a_sentence_is_in_a_table():
    told = " ".join(cell for table in (judged(), cells()) for row in table for cell in row)
    assert not [number for number in pages.unchecked(PAGE, sentences=(), settings=()) if number not in told]
