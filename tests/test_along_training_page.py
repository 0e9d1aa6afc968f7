"""docs/along_training.md says what its rows say: every table, and every number in a sentence."""

import functools
import json

import polars as pl
import pytest

from lrsym.results.analysis.aggregate import replicate_value
from lrsym.results.analysis.crossover import compare_models, crossings
from lrsym.results.analysis.onset import onsets, trajectories, who_leads
from lrsym.results.analysis.order_parameter import moments, slopes
from lrsym.results.store.store import load, load_trials
from lrsym.sweep.spec.sweep_file import load as load_sweep
from lrsym.vocabulary import ORDERED, PATHS
from tests import pages
from tests.pages import ROOT
from tests.running import lrsym

PAGE, ROWS = "docs/along_training.md", ROOT / "results/onset"
FIRST = "| start of the positions | attention first | together | order first | attention from step | order from step |"
WHEN = "| start of the positions | path at the end | seeds | attention from step | order from step | path from step |"
SYMMETRY = "| labels | coverage | m above 0 | size of m | U | order |"
MODELS = "| model | AIC | k | c | b | s |"
STARTS = (0.02, 1.0)


@functools.cache
def ids(sweep):
    return [trial.trial_id for trial in load_sweep(ROOT / f"sweeps/{sweep}.toml").trials]


def rows(table, sweep):
    return load(ROWS, table, trial_ids=ids(sweep)).collect()


@functools.cache
def seeds():
    """A row for each trial of the sweep onset: its onsets and its start."""
    found = onsets(trajectories(rows("ablation_curves", "onset"), rows("measure_curves", "onset")))
    return found.join(rows("trials", "onset").select("trial_id", "seed", "init_position_std"), on="trial_id")


def steps(values):
    """Median, lowest and highest step."""
    told = values.drop_nulls()
    if not len(told):
        return ""
    return f"{told.median():,.0f} ({told.min():,}-{told.max():,})"


def first():
    table = []
    for start in STARTS:
        of_start = seeds().filter(init_position_std=start)
        leads = who_leads(of_start)
        counts = [str(leads[name]) for name in ("attention", "neither", "order")]
        table.append([f"{start:g}", *counts, steps(of_start["attention_at"]), steps(of_start["order_at"])])
    return table


def when():
    table = []
    for start in STARTS:
        for path in PATHS:
            found = seeds().filter(init_position_std=start, path=path)
            if found.height:
                told = [steps(found[name]) for name in ("attention_at", "order_at", "path_at")]
                table.append([f"{start:g}", f"`{path}`", f"{found.height}", *told])
    return table


@functools.cache
def trials():
    """A row for each trial of the sweep symmetry: m, its cell, and whether it orders."""
    of_trials = rows("trials", "symmetry").with_columns(orders=replicate_value("unseen_order") > ORDERED)
    kept = of_trials.select("trial_id", "seed", "coverage", "n_pair_labels", "orders")
    return slopes(rows("terms", "symmetry")).join(kept, on="trial_id")


def symmetry():
    by = ["n_pair_labels", "coverage"]
    order = trials().group_by(by).agg(orders=pl.col("orders").mean())
    table = []
    for row in moments(trials(), by=by).join(order, on=by).sort(by).iter_rows(named=True):
        told = [f"{row[name]:.2f} ({row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f})" for name in told_moments()]
        table.append([f"{row['n_pair_labels']}", f"{row['coverage']:g}", *told, f"{row['orders']:.2f}"])
    return table


def told_moments():
    return ("positive", "magnitude", "binder")


def number(value):
    return "" if value is None else f"{value:.2f}"


@functools.cache
def models():
    return compare_models(trials(), x="coverage", size="n_pair_labels", success="orders")


def compared():
    return [
        [f"`{row['model']}`", f"{row['aic']:.1f}", *(number(row[name]) for name in ("k", "c", "b", "s"))]
        for row in models().iter_rows(named=True)
    ]


def tables():
    return {FIRST: first(), WHEN: when(), SYMMETRY: symmetry(), MODELS: compared()}


@pytest.mark.slow
def test_every_table_is_what_the_rows_say():
    wanted = tables()
    assert sorted(pages.headings(PAGE)) == sorted(wanted)
    for heading, table in wanted.items():
        assert pages.table(PAGE, heading) == table


def test_all_trials_are_there_and_done():
    for sweep in ("onset", "symmetry"):
        found = load_trials(ROWS, trial_ids=ids(sweep)).collect()
        assert found.height == len(ids(sweep))
        assert {*found["status"]} == {"done"}


@functools.cache
def claims():
    words = ("claims", ROOT / "claims/onset.toml", "--results", ROWS, "--no-page", "--json")
    return {one["id"]: one["arms"][0] for one in json.loads(lrsym(*words))["claims"]}


@pytest.mark.slow
def test_ranges_were_registered_before_the_rows_were_trained():
    assert [part["after_rows"] for arm in claims().values() for part in arm["parts"]] == [False] * 3


def signs(sweep):
    """How many seeds of a sweep of the reference have m above 0, and how many there are."""
    found = slopes(load(ROOT / "results/reference", "terms", trial_ids=ids(sweep)))
    return (found["m"] > 0).sum(), found.height


def sentences():
    leads, told = who_leads(seeds().filter(init_position_std=0.02)), claims()
    of_values = seeds().filter(init_position_std=1.0)
    recipe, fresh = signs("recipe"), signs("recipe_fresh_seeds")
    deltas = dict(models().select("model", "delta").rows())
    few, many = crossings(trials(), x="coverage", size="n_pair_labels").sort("size").to_dicts()
    assert [told[name]["verdict"] for name in ("O1", "O2", "O3")] == ["undecided", "supported", "undecided"]
    assert models()["model"].to_list()[:2] == ["moves", "sharpens"]
    assert many["share"] == 0
    settled = of_values.filter(path="pp")["path_at"].max()
    assert of_values.filter(path="value")["path_at"].min() > settled
    return [
        f"in {leads['neither']} of 20 seeds both have their onset at the same evaluation, in {leads['attention']} "
        f"attention is first, in {leads['order']} order",
        f"first evaluation at which either is above {ORDERED}",
        f"up to step {settled:,} on PP",
        f"One of {of_values.height} seeds is on it",
        "changes order by less than 0.02",
        f"above 0 in {recipe[0]} of {recipe[1]} seeds, in its fresh seeds in {fresh[0]} of {fresh[1]}",
        f"is worse by {deltas['sharpens']:.0f} in AIC",
        f"those of 6 and 10 labels do in {few['share']:.0%} of resamples".replace("%", " %"),
        f"the share of seeds that order unseen pairs, above {ORDERED}",
    ]


@pytest.mark.slow
def test_a_sentence_says_what_the_rows_say():
    page = pages.text(PAGE)
    assert not [sentence for sentence in sentences() if sentence not in page]
    assert of_paths(0.02) == {"ep": 20}
    assert of_paths(1.0)["value"] == 1


def of_paths(start):
    return dict(seeds().filter(init_position_std=start).group_by("path").len().iter_rows())


@pytest.mark.slow
def test_no_figure_of_the_page_is_left_unchecked():
    assert pages.unchecked(PAGE, sentences=sentences(), settings=("0.5",)) == []
