"""docs/replication.md and the README say what the committed rows say: every table, and every number in a sentence."""

import json
from collections import Counter

import polars as pl
import pytest

from lrsym.config import axes
from lrsym.results.store.store import load_trials
from tests import pages
from tests.committed import REFERENCE, estimate, ids, order_on_unseen, paper_claims, rows, spread, trials
from tests.pages import ROOT
from tests.running import lrsym

PAGE = "docs/replication.md"
SETTINGS = {"0.02", "0.1", "0.3", "0.2", "0.9", "2601.12809"}
"""Axis values and the threshold of a phase, which no row is needed for, and the number of the paper."""

ARMS = (
    "fixed steps", "fixed epochs", "paper, in full", "PyTorch's start", "PyTorch's start, full model", "dropout",
    "fresh seeds",
)  # fmt: skip
CLAIMS = f"| claim | sentence | {' | '.join(ARMS)} |"
LEFT_OUT = "| left out | order | global | label set |"
COVERAGE = "| coverage | ordered pairs trained | untrained pairs: order | global | unseen pairs: order | global |"
HALF_SEEN = "| pairs of | order | global | label set |"
EQUAL_DATA = "| scenes of two objects | labels x layouts | unseen_order | unseen_inset | unseen_global |"
GAUGE = "| multiplier | token std | nothing left out | EP left out | PP left out | EP+PP+BP left out |"
TOKEN_STD = "| token std before the multiplier sqrt(128) | order on unseen pairs |"
DIVERSITY = {
    axis: f"| {axis} | unseen_order | unseen_global | seen_global | trials |"
    for axis in ("n_pair_labels", "layouts_per_pair")
}


# Tables


@pytest.mark.slow
def test_the_table_of_claims():
    shown = {name: cells for name, _, *cells in pages.table(PAGE, CLAIMS)}
    found = {}
    for claim in paper_claims():
        assert all(arm["missing"] == 0 for arm in claim["arms"])
        verdicts = {arm["arm"]: arm["verdict"] for arm in claim["arms"]}
        assert {*verdicts} <= {*ARMS}
        found[claim["id"]] = [verdicts.get(arm, "") for arm in ARMS]
    assert shown == found


def test_the_table_of_ablations():
    found = rows("ablations", "recipe").filter(split="unseen")
    shown = pages.table(PAGE, LEFT_OUT)
    assert {name.split()[0] for name, *_ in shown} == {*found["term"]}
    for name, *cells in shown:
        for metric, cell in zip(("order", "global", "labelset"), cells, strict=True):
            values = found.filter(term=name.split()[0], metric=metric)["value"]
            assert (len(values), cell) == (20, spread(values))


def test_the_table_of_coverage():
    for name, n_pairs, *cells in pages.table(PAGE, COVERAGE):
        one = name == "one order of each pair"
        cell = trials("coverage", coverage=1.0 if one else float(name), pair_orders="one" if one else "both")
        columns = ("uncovered_order", "uncovered_global", "unseen_order", "unseen_global")
        assert cells == ["" if cell[c].null_count() else spread(cell[c]) for c in columns]
        assert n_pairs == f"{105 if one else round(210 * float(name))}"


def test_the_table_of_half_seen_pairs():
    found = trials("recipe")
    for split, (_, *cells) in zip(("seen", "half", "unseen"), pages.table(PAGE, HALF_SEEN), strict=True):
        assert cells == [spread(found[f"{split}_{metric}"]) for metric in ("order", "global", "labelset")]


@pytest.mark.parametrize("axis", DIVERSITY)
def test_the_tables_of_diversity(axis):
    found = trials("labels_by_layouts")
    for value, *cells, n in pages.table(PAGE, DIVERSITY[axis]):
        cell = found.filter(pl.col(axis) == int(value))
        named = [cell[c] for c in ("unseen_order", "unseen_global", "seen_global")]
        assert (cells, int(n)) == ([f"{v.mean():.2f} ± {v.std():.2f}" for v in named], cell.height)


@pytest.mark.slow
def test_the_table_of_equal_data():
    shown = pages.table(PAGE, EQUAL_DATA)
    assert len(shown) == 12
    for scenes, cell, *cells in shown:
        labels, layouts = map(int, cell.split(" x "))
        found = trials("labels_by_layouts", n_pair_labels=labels, layouts_per_pair=layouts)
        assert int(scenes) == labels * (labels - 1) * layouts
        assert (found.height, cells) == (5, [spread(found[f"unseen_{m}"]) for m in ("order", "inset", "global")])


def test_the_table_of_the_gauge():
    found = order_on_unseen().filter(pl.col("trial_id").is_in(ids("embedding_scale")))
    shown = pages.table(PAGE, GAUGE)
    assert len(shown) == 6
    for multiplier, std, *cells in shown:
        near = [(pl.col("embedding_scale") - float(multiplier)).abs() < 0.01]
        cell = found.filter(*near, (pl.col("init_token_std") - float(std)).abs() < 0.001)
        assert cells == [spread(cell[term]) for term in ("none", "EP", "PP", "EP+PP+BP")]


def test_the_table_of_initial_scales():
    for std, cell in pages.table(PAGE, TOKEN_STD):
        assert cell == spread(trials("init_scale", init_token_std=float(std))["unseen_order"])


# Sentences: a function for each paragraph, which returns the fragments that the page must contain.


def verdicts():
    n, left = (Counter(arm[key] for claim in paper_claims() for arm in claim["arms"]) for key in ("verdict", "holm"))
    return [
        f"{n['supported']} verdicts are *supported*, {n['refuted']} *refuted*, {n['undecided']} *undecided*, "
        f"{n['untestable']} *untestable*",
        f"{left['supported']} and {left['refuted']} are left after Holm's correction",
    ]


def mechanism():
    base, ep, keys = (of_the_recipe(term).mean() for term in ("none", "EP", "EP+PP+BP"))
    found = rows("terms", "recipe").filter(term="EP", encoder="vision").with_columns(pl.col("slope").abs())
    ranked = found.sort("slope").group_by("trial_id").agg(first=pl.col("slope").last(), second=pl.col("slope").get(-2))
    return [
        f"order on pairs of labels that never met is {base:.2f}",
        f"takes it to {ep:.2f}; leaving out all position-key terms takes it to {keys:.2f}",
        f"its slope is {ranked['first'].min():.1f} to {ranked['first'].max():.1f} logits a pixel in the steepest head "
        f"of each of the twenty seeds, at most {ranked['second'].max():.2f} in every other head",
    ]


def of_the_recipe(term):
    return order_on_unseen().filter(pl.col("trial_id").is_in(ids("recipe")))[term]


def with_range(term):
    values = of_the_recipe(term)
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def one_after_another():
    found = trials("labels_by_layouts")
    single, seen, unseen = (found[f"steps_to_{s}_global"].fill_null(10**9) for s in ("single", "seen", "unseen"))
    reached = seen < 10**9
    in_order = (reached & (single <= seen) & (seen <= unseen)).sum()
    assert in_order == reached.sum()
    missed = (unseen == 10**9).sum()
    return [
        f"in all {in_order} of {found.height} trials that reach it on seen pairs; {missed} of the {found.height} did"
    ]


def variants():
    assert {*trials("both_directions", text_blocks=1)["unseen_order"]} == {0.5}
    full, simple = (trials("full_model", layer_norm=norm)["unseen_order"] for norm in ("pre", "none"))
    return [
        "order on unseen pairs is 0.50 in every seed",
        f"orders unseen pairs at {spread(full)} after 2,000 steps of batch 64, the simplified one in that setting at "
        f"{spread(simple)[:-1]}; n = {len(full)} each",
    ]


def model_size():
    cells = trials("model_size").group_by("d_model", "n_heads", "n_pair_labels").agg(pl.col("unseen_order").mean())
    lo, hi = ({d: cells.filter(d_model=d)["unseen_order"].sort()[end] for d in (16, 32, 64, 128)} for end in (0, -1))
    return [
        f"{lo[64]:.2f} to {hi[64]:.2f} there, {lo[128]:.2f} to {hi[128]:.2f} at 128, {lo[32]:.2f} to {hi[32]:.2f} at "
        f"32 and {lo[16]:.2f} to {hi[16]:.2f} at 16"
    ]


def layouts():
    few, many = (trials("labels_by_layouts", n_pair_labels=10, layouts_per_pair=n) for n in (5, 20))
    order, inset = (many[f"unseen_{m}"].mean() - few[f"unseen_{m}"].mean() for m in ("order", "inset"))
    return [f"From 5 to 20, at 10 labels, order rises by {order:.2f} and `inset` by {inset:.2f} (n = 5)"]


def few_labels():
    arms = [
        trials("labels_by_layouts", n_pair_labels=5, layouts_per_pair=10),
        trials("fixed_epochs", n_pair_labels=5, weight_decay=0.2),
        trials("paper_recipe", n_pair_labels=5),
    ]
    order, whole = ([arm[f"unseen_{metric}"].mean() for arm in arms] for metric in ("order", "global"))
    return [
        f"order is {order[0]:.2f}, {order[1]:.2f} and {order[2]:.2f} in the three arms, and `global` {whole[0]:.2f} "
        f"(undecided), {whole[1]:.2f} and {whole[2]:.2f}"
    ]


def new_claims():
    told = json.loads(lrsym("claims", ROOT / "claims/new.toml", "--results", REFERENCE, "--no-page", "--json"))[
        "claims"
    ]
    first, fresh = (
        {claim["id"]: claim["arms"][0] for claim in told},
        {claim["id"]: claim["arms"][1] for claim in told if len(claim["arms"]) > 1},
    )
    assert [name for name, arm in first.items() if arm["verdict"] == "supported"] == ["N2", "N4", "N5"]
    assert [name for name, arm in first.items() if arm["verdict"] == "undecided"] == ["N1", "N3"]
    assert all(part["after_rows"] for arm in first.values() for part in arm["parts"])
    assert {part["holm"] for part in first["N5"]["parts"]} == {"undecided"}
    left = sum(arm["holm"] == "supported" for arm in first.values())
    assert {name: (arm["verdict"], arm["holm"]) for name, arm in fresh.items()} == {
        "N1": ("supported", "supported"), "N3": ("supported", "supported"), "N4": ("undecided", "undecided"),
    }  # fmt: skip
    assert {name: {part["after_rows"] for part in arm["parts"]} for name, arm in fresh.items()} == {
        "N1": {True}, "N3": {False}, "N4": {False},
    }  # fmt: skip
    old = {*ids("recipe_fresh_seeds")}
    one_order = trials("coverage_fresh_seeds", pair_orders="one")["seen_labelset"]
    lost = one_order.filter(one_order < 0.75)
    assert trials("coverage", pair_orders="one")["seen_labelset"].min() > 0.75
    half, one = (trials("coverage", **where)["mirror_pairs"] for where in ({"coverage": 0.5}, {"pair_orders": "one"}))
    assert {*one} == {0.0}
    return [
        f"as 5 seeds are few; {left} is left after Holm's",
        f"of the trials of N1 {len(old & {*ids('embedding_scale_fresh_seeds')})} are the recipe's on fresh seeds",
        f"but {len(lost)} of {len(one_order)} models",
        f"a batch has {half[0]:.0f} such mirror pairs on average where half of the pairs are drawn",
    ]


def weight_decay():
    steps = [trials("weight_decay", weight_decay=d)["unseen_global"].mean() for d in (0.2, 0.0)]
    ten = {"n_pair_labels": 10, "layouts_per_pair": 10}
    epochs = [trials("fixed_epochs", weight_decay=d, **ten)["unseen_global"].mean() for d in (0.2, 0.0)]
    return [
        f"`global` on unseen pairs is {steps[0]:.2f} with it and {steps[1]:.2f} without at 15 labels (fixed steps, "
        f"n = 5), {epochs[0]:.2f} and {epochs[1]:.2f} at 10 labels (fixed epochs, n = 10)"
    ]


def small_start():
    """As `order_on_unseen`, of the trials that start small and without dropout."""
    return order_on_unseen().filter(init_distribution="normal", init_position_std=0.02, dropout=0.0)


def cell_costs(term):
    """What leaving out `term` costs in order on unseen pairs: the mean of each cell, beside its axes."""
    cell = [axis.name for axis in axes.axes() if axis.name != "seed"]
    cost = (pl.col("none") - pl.col(term)).mean().alias("cost")
    return small_start().filter(pl.col(term).is_not_null()).group_by(cell).agg(cost)


def value_and_bias_terms():
    values = cell_costs("VP").filter(pl.col("init_token_std") < 0.29)["cost"].max()
    narrow = cell_costs("BP").filter(d_model=16)["cost"]
    bias = estimate("C6d", "fixed steps", 0)
    shares = [estimate("C8", arm, 0) for arm in ("fixed steps", "fixed epochs", "paper, in full")]
    assert all(estimate("C11a", arm, 1) > 0.9 for arm in ("fixed steps", "fixed epochs", "paper, in full"))
    return [
        f"costs a cell at most {values:.2f} of order",
        f"It costs {bias:.3f} of `global` in the recipe",
        f"of width 16 it costs {narrow.min():.2f} to {narrow.max():.2f} of order (n = 3 each)",
        f"Its standard deviation is {shares[0]:.2f}, {shares[1]:.2f} and {shares[2]:.2f} of the sum",
        f"Under dropout it is {estimate('C8', 'dropout', 0):.2f}, and refuted from below",
    ]


def three_objects():
    every, tenth = (trials("three_objects", coverage=share) for share in (1.0, 0.1))
    return [
        f"training scenes are ordered at {every['train_order'].mean():.2f} and unseen triples at "
        f"{every['unseen_order'].mean():.2f}. With a tenth of the 2,730 triples unseen ones stand at "
        f"{spread(tenth['unseen_order'])}"
    ]


def late_recognition():
    early = rows("curves", "recipe").filter(split="unseen", metric="labelset", step=1138)["value"]
    assert (len(early), early.min()) == (20, 1.0)
    long = trials("paper_recipe", n_pair_labels=15)
    labels = long["unseen_labelset"].sort()
    order = long["unseen_order"]
    return [
        "`unseen_labelset` is 1.00 in all twenty seeds of the recipe after 1,138 steps and "
        f"{spread(trials('recipe')['unseen_labelset'])} after 3,000",
        f"four of five seeds stand at {labels[1]:.2f} to {labels[4]:.2f} and one at {labels[0]:.2f}, while order is "
        f"{order.min():.2f} to {order.max():.2f} in all of them",
    ]


def position_key_terms():
    found = small_start().filter(pl.col("EP+PP+BP").is_not_null()).sort("EP+PP+BP", descending=True)
    two, others = found.head(2), found.tail(-2)
    assert [*two["seed"]] == [1, 3]
    assert {*two["init_token_std"]} == {0.3}
    assert {*found["init_position_std"]} == {0.02}
    said = {term: " and ".join(f"{value:.2f}" for value in two[term]) for term in ("none", "EP+PP+BP", "VP")}
    highest = f"{others['EP+PP+BP'].max():.2f}"
    return [
        f"{found.height} committed trials have these terms. Without them order on unseen pairs is at most {highest} in "
        "all but two",
        f"they order {said['none']}, without position-key terms {said['EP+PP+BP']}, and without VP {said['VP']}",
    ]


PARAGRAPHS = [
    mechanism, one_after_another, variants, model_size, layouts, few_labels, new_claims, weight_decay,
    value_and_bias_terms, three_objects, late_recognition, position_key_terms, verdicts,
]  # fmt: skip


@pytest.mark.slow_after(6)
@pytest.mark.parametrize("paragraph", PARAGRAPHS, ids=lambda p: p.__name__)
def test_a_sentence_says_what_the_rows_say(paragraph):
    for fragment in paragraph():
        assert fragment in pages.text(PAGE)


@pytest.mark.slow
def test_claims_that_are_supported_in_one_arm_and_refuted_in_another_are_named():
    of_claims = {claim["id"]: {arm["verdict"] for arm in claim["arms"]} for claim in paper_claims()}
    both = [name for name, verdicts in of_claims.items() if {"supported", "refuted"} <= verdicts]
    listed = f"{', '.join(both[:-1])} and {both[-1]}"
    assert f"{listed} are supported in one arm and refuted in another" in pages.text(PAGE)


@pytest.mark.slow
def test_claims_that_are_undecided_after_the_papers_number_of_steps():
    arms = [arm for claim in paper_claims() for arm in claim["arms"] if arm["arm"] == "paper, in full"]
    n = sum(arm["verdict"] == "undecided" for arm in arms)
    assert f"{n} claims are undecided in that arm" in pages.text(PAGE)
    assert f"among others {n} claims after the paper's 440,000 steps" in pages.text("README.md")


def test_every_row_but_those_of_two_arms_starts_small_and_without_dropout_as_the_page_says():
    elsewhere = {
        trial_id
        for name in (
            "pytorch_start",
            "pytorch_start_steps",
            "pytorch_start_layouts",
            "pytorch_start_full_model",
            "dropout_recipe",
        )
        for trial_id in ids(name)
    }
    others = load_trials(REFERENCE).collect().filter(~pl.col("trial_id").is_in(elsewhere))
    assert {*others.filter(positions="learned")["init_position_std"]} == {0.02}
    assert others.filter(pl.col("dropout") > 0).height == 3
    assert "but for the 3 trials of the full model from the small start" in pages.text(PAGE)


@pytest.mark.slow
def test_no_table_and_no_number_of_the_page_is_left_unchecked():
    checked = [CLAIMS, LEFT_OUT, EQUAL_DATA, COVERAGE, HALF_SEEN, GAUGE, TOKEN_STD, *DIVERSITY.values()]
    assert sorted(pages.headings(PAGE)) == sorted(checked)
    fragments = [fragment for paragraph in PARAGRAPHS for fragment in paragraph()]
    assert pages.unchecked(PAGE, sentences=fragments, settings=SETTINGS) == []


def readme():
    base, ep, keys = map(with_range, ("none", "EP", "EP+PP+BP"))
    fastest = pl.read_parquet(ROOT / "benchmarks/results.parquet").filter(
        part="full_length_256", benchmark="speed, batch 256", variant="lrsym, local"
    )
    speed, low, high = (f"{fastest[c].item():.1f}" for c in ("value", "lowest", "highest"))
    return [
        f"{base} to {ep} to {keys}",
        *(sentence.replace("*", "") for sentence in verdicts()),
        f"{speed} times ({low} to {high}, n = {fastest['n'].item()})",
        *position_key_terms(),
    ]


@pytest.mark.slow
def test_the_readmes_numbers_are_what_the_rows_say():
    for fragment in readme():
        assert fragment in pages.text("README.md").replace("**", "")
    marked = [f"**{fragment}**" for fragment in readme()]
    assert pages.unchecked("README.md", sentences=[*marked, *readme()], settings={*SETTINGS, "3.11", "2.0"}) == []
