"""docs/fresh_seeds.md says what its rows say: every table, and every number in a sentence."""

import functools
import json

import polars as pl
import pytest

from lrsym.results.store.store import load, load_trials
from tests import pages
from tests.committed import ids, mean_in_words
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
SYMMETRY = "| positions | coverage | order | in-set | seeds with m above 0 |"
EQUAL = "| scenes of two objects | labels x layouts | order | in-set | global |"
FULL = "| epochs | rate | single, in-set | seen, in-set | in-set | order |"
CAPTIONS = "| true captions spared | order | in-set | pairs | label set | global |"


@functools.cache
def recognition():
    """A row for each trial: its columns, and what wins where a scene of unseen pairs is missed."""
    won = load(ROWS, "confusions").filter(split="unseen").collect().pivot("winner", index="trial_id", values="share")
    trials = load_trials(ROWS, trial_ids=ids("recognition")).collect()
    return trials.join(won, on="trial_id")


def trials(sweep):
    return load_trials(ROWS, trial_ids=ids(sweep)).collect()


@functools.cache
def claims():
    words = ("claims", ROOT / "claims/fresh_seeds.toml", "--results", ROWS, "--no-page", "--json")
    return json.loads(lrsym(*words))["claims"]


def parts():
    """The parts, each with the id of its claim."""
    return [(claim["id"], part) for claim in claims() for arm in claim["arms"] for part in arm["parts"]]


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
        [f"{partners}", "yes" if spared else "no"] + [mean_in_words(cell[column]) for column in COLUMNS]
        for (partners, spared), cell in recognition().sort(axes).group_by(axes, maintain_order=True)
    ]


def table(sweep, axes, heads, columns):
    """A row for each cell of a sweep, ascending: what `heads` makes of its axes, and the means of `columns`."""
    by_cell = trials(sweep).sort(axes, maintain_order=True).group_by(axes, maintain_order=True)
    return [[*heads(*axes_of), *(mean_in_words(cell[column]) for column in columns)] for axes_of, cell in by_cell]


def symmetry():
    """The cells, each with the number of its seeds whose slope is above 0."""
    up = (
        load(ROWS, "terms").filter(encoder="vision", term="EP+PP+BP")
        .group_by("trial_id").agg(up=pl.col("slope").mean() > 0).collect()
    )  # fmt: skip
    counts = (
        trials("symmetry_positions").join(up, on="trial_id").group_by("n_positions", "coverage").agg(pl.col("up").sum())
    )
    known = {(n, share): f"{count} of 30" for n, share, count in counts.iter_rows()}
    rows = table("symmetry_positions", ["n_positions", "coverage"], lambda n, share: (n, share), INSET)
    return [[f"{n}", f"{share:g}", *means, known[n, share]] for n, share, *means in rows]


def equal_data():
    def head(labels, layouts):
        return f"{labels * (labels - 1) * layouts}", f"{labels} x {layouts}"

    rows = table("equal_data", ["n_pair_labels", "layouts_per_pair"], head, (*INSET, "unseen_global"))
    return sorted(rows, key=lambda row: (int(row[0]) // 300, int(row[1].split()[0])))


def full():
    columns = ("single_inset", "seen_inset", "unseen_inset", "unseen_order")
    return table(
        "pytorch_start_full", ["learning_rate", "epochs"], lambda rate, epochs: (f"{epochs:,}", f"{rate:g}"), columns
    )


def captions():
    columns = tuple(f"unseen_{metric}" for metric in ("order", "inset", "pairs", "labelset", "global"))
    return table("recognition_captions", ["multi_positive"], lambda spared: ("yes" if spared else "no",), columns)


TABLES = {JUDGED: judged, RECOGNITION: cells, SYMMETRY: symmetry, EQUAL: equal_data, FULL: full, CAPTIONS: captions}
INSET = ("unseen_order", "unseen_inset")


@pytest.mark.slow
def test_every_table_is_what_the_rows_say():
    wanted = {heading: rows() for heading, rows in TABLES.items()}
    assert sorted(pages.headings(PAGE)) == sorted(wanted)
    for heading, table in wanted.items():
        assert pages.table(PAGE, heading) == table


SWEEPS = ("recognition", "recognition_captions", "symmetry_positions", "equal_data", "pytorch_start_full")


@pytest.mark.parametrize("sweep", SWEEPS)
def test_all_trials_are_there_and_done(sweep):
    assert {*trials(sweep)["trial_id"]} == {*ids(sweep)}
    assert {*trials(sweep)["status"]} == {"done"}


@pytest.mark.slow
def test_ranges_were_registered_before_the_rows_were_trained():
    assert {part["after_rows"] for _, part in parts()} == {False}
    assert not [arm for claim in claims() for arm in claim["arms"] if arm["missing"]]


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


@pytest.mark.slow
def test_a_number_in_a_sentence_is_in_a_table():
    told = " ".join(cell for rows in TABLES.values() for row in rows() for cell in row)
    assert not [number for number in pages.unchecked(PAGE, sentences=(), settings=()) if number not in told]
