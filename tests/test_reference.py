"""The committed rows belong to the shipped sweeps, and they say what the README says."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from lrsym.results.store.store import load, load_trials
from lrsym.sweep.spec.sweep_file import load as load_sweep

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "results/reference"
SHIPPED = [path.stem for path in sorted((ROOT / "sweeps").glob("*.toml")) if path.stem != "demo"]


def ids(sweep):
    return [trial.trial_id for trial in load_sweep(ROOT / f"sweeps/{sweep}.toml").trials]


def without(term, *, metric, sweep="recipe"):
    """Values on unseen pairs with `term` left out, one for each trial."""
    rows = load(REFERENCE, "ablations", trial_ids=ids(sweep)).filter(term=term, metric=metric, split="unseen").collect()
    return rows["value"]


@pytest.mark.parametrize("sweep", SHIPPED)
def test_every_trial_of_a_shipped_sweep_is_in_the_reference(sweep):
    wanted = ids(sweep)
    assert set(load_trials(REFERENCE, trial_ids=wanted).filter(status="done").collect()["trial_id"]) == set(wanted)


def test_the_recipe_generalises_to_unseen_pairs():
    assert without("none", metric="order").mean() >= 0.88
    assert without("none", metric="global").mean() >= 0.88


def test_ep_carries_the_relation_and_all_position_keys_together_carry_all_of_it():
    assert without("EP", metric="order").mean() <= 0.62
    assert without("EP+PP+BP", metric="order").mean() == pytest.approx(0.5, abs=0.01)
    for term in ("PE", "PP", "BP", "VP"):
        assert without(term, metric="order").mean() == pytest.approx(without("none", metric="order").mean(), abs=0.05)


def test_with_multiplier_one_either_of_ep_and_pp_matters_little_and_together_they_are_all():
    rows = load(REFERENCE, "ablations", trial_ids=ids("embedding_scale")).filter(split="unseen", metric="order")
    one = load_trials(REFERENCE).filter(pl.col("embedding_scale") == 1.0).select("trial_id")
    means = dict(rows.join(one, on="trial_id").group_by("term").agg(pl.col("value").mean()).collect().iter_rows())
    assert means["EP"] > 0.85
    assert means["PP"] > 0.85
    assert means["EP+PP+BP"] == pytest.approx(0.5, abs=0.01)


def test_the_readmes_ablation_table_is_what_the_rows_say():
    lines = (ROOT / "README.md").read_text().splitlines()
    table = {line.split("|")[1].split()[0]: line for line in lines if line.count("|") == 5 and "(" in line}
    for term in ("none", "EP", "PE", "PP", "BP", "EE", "BE", "VP", "EP+VP", "EP+PP+BP", "EE+PE+BE"):
        for metric, cell in zip(("order", "global", "labelset"), table[term].split("|")[2:5], strict=True):
            values = without(term, metric=metric)
            assert len(values) == 20
            assert cell.strip() == f"{values.mean():.2f} ({values.min():.2f}-{values.max():.2f})"


def test_the_readmes_table_of_claims_is_what_the_rows_say():
    words = ["claims", str(ROOT / "claims/paper.toml"), "--results", str(REFERENCE), "--no-page", "--json"]
    done = subprocess.run([sys.executable, "-m", "lrsym", *words], capture_output=True, text=True, check=True)
    table = (ROOT / "README.md").read_text().partition("<!-- claims:begin -->")[2].partition("<!-- claims:end -->")[0]
    told = {
        row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[3:6]]
        for row in table.splitlines()[3:]
        if row
    }
    found = {}
    for claim in json.loads(done.stdout)["claims"]:
        verdicts = {arm["arm"]: arm["verdict"] for arm in claim["arms"]}
        assert all(arm["missing"] == 0 for arm in claim["arms"])
        named = [verdicts.get(arm, "") for arm in ("fixed steps", "fixed epochs", "paper, in full")]
        found[claim["id"]] = named if any(named) else [*verdicts.values(), "", ""]
    assert told == found


def lines_of(heading):
    """The rows of the README's table under the given first row."""
    lines = [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]
    rest = lines[lines.index(heading) + 2 :]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in itertools.takewhile(lambda r: r, rest)]


def told(values):
    return f"{values.mean():.2f} ({values.min():.2f}-{values.max():.2f})"


def test_the_readmes_table_of_coverage_is_what_the_rows_say():
    rows = load_trials(REFERENCE, trial_ids=ids("coverage")).collect()
    heading = "| coverage | ordered pairs trained | untrained pairs: order | global | unseen pairs: order | global |"
    for name, _, *cells in lines_of(heading):
        one = name == "one order of each pair"
        cell = rows.filter(coverage=1.0 if one else float(name), pair_orders="one" if one else "both")
        columns = ("uncovered_order", "uncovered_global", "unseen_order", "unseen_global")
        assert cells == ["" if cell[c].null_count() else told(cell[c]) for c in columns]


def test_the_readmes_table_of_half_seen_pairs_is_what_the_rows_say():
    rows = load_trials(REFERENCE, trial_ids=ids("recipe")).collect()
    table = lines_of("| pairs of | order | global | label set |")
    for split, (_, *cells) in zip(("seen", "half", "unseen"), table, strict=True):
        assert cells == [told(rows[f"{split}_{metric}"]) for metric in ("order", "global", "labelset")]


@pytest.mark.parametrize("axis", ["n_pair_labels", "layouts_per_pair"])
def test_the_readmes_tables_of_diversity_are_what_the_rows_say(axis):
    rows = load_trials(REFERENCE, trial_ids=ids("labels_by_layouts")).collect()
    for value, *cells, n in lines_of(f"| {axis} | unseen_order | unseen_global | seen_global | trials |"):
        cell = rows.filter(pl.col(axis) == int(value))
        named = [cell[c] for c in ("unseen_order", "unseen_global", "seen_global")]
        assert (cells, int(n)) == ([f"{v.mean():.2f} ± {v.std():.2f}" for v in named], cell.height)
