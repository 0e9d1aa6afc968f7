"""docs/mechanisms.md says what its rows say."""

import polars as pl
import pytest

from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.store.store import load, load_trials
from lrsym.sweep.spec.sweep_file import load as load_sweep
from lrsym.vocabulary import PATHS
from tests import pages
from tests.pages import ROOT

PAGE, ROWS = "docs/mechanisms.md", ROOT / "results/atlas"
STARTS = "| start of the positions | ep | mixed | pp | value | none |"
SWITCH = "| multiplier | 0.02 | 0.1 | 0.2 | 0.4 | 0.7 | 1 |"
VALUES = "| layouts | positions at 0.02-0.4 | at 0.7 | at 1 | most in a cell | seeds |"
UNLEARNED = "| labels | 1 layout | 2 layouts | 5 layouts | 20 layouts |"
CELL = "| path | seeds | share | which |"
NEAR = "| threshold | trials it may decide on | within 0.03 |"

TERMS = ("none", "EP", "PP", "VP", "EP+PP+BP")
AXES = ("n_pair_labels", "layouts_per_pair", "init_position_std", "embedding_scale")

CELL_SHOWN = {"n_pair_labels": 5, "layouts_per_pair": 20, "init_position_std": 1.0, "embedding_scale": 1.0}


@pytest.fixture(scope="module")
def trials():
    """A row for each trial: its path, its cell, and order on unseen pairs with each term left out."""
    order = load(ROWS, "ablations").filter(pl.col("term").is_in(TERMS), split="unseen", metric="order").collect()
    rows = load_trials(ROWS).select("trial_id", "status", "seed", "path", *AXES).collect()
    return rows.join(order.pivot("term", index="trial_id", values="value"), on="trial_id")


def number(count):
    return f"{count:,}"


def paths(rows, *names):
    return [number(rows.filter(path=name).height) for name in names]


def values(trials, axis):
    return trials[axis].unique().sort().to_list()


def by_start(trials):
    shown = ("ep", "mixed", "pp", "value", "none")
    return [
        [f"{start:g}", *paths(trials.filter(init_position_std=start), *shown)]
        for start in values(trials, "init_position_std")
    ]


def switch(trials):
    """At 20 layouts: trials on ep, mixed and pp, over all labels."""
    at = trials.filter(layouts_per_pair=20)

    def cell(multiplier, start):
        rows = at.filter(embedding_scale=multiplier, init_position_std=start)
        return " / ".join(paths(rows, "ep", "mixed", "pp"))

    starts = values(trials, "init_position_std")
    return [[f"{m:.3g}", *(cell(m, start) for start in starts)] for m in values(trials, "embedding_scale")]


def value_path(trials):
    def row(layouts):
        rows = trials.filter(layouts_per_pair=layouts)
        of = [rows.filter(pl.col("init_position_std") < 0.5), *(rows.filter(init_position_std=s) for s in (0.7, 1.0))]
        shares = [f"{part.filter(path='value').height} of {number(part.height)}" for part in of]
        on = rows.filter(path="value")
        most = max((cell.height for _, cell in on.group_by(AXES)), default=0)
        return [f"{layouts}", *shares, f"{most}", f"{on['seed'].n_unique()}"]

    return [row(layouts) for layouts in values(trials, "layouts_per_pair")]


def unlearned(trials):
    def cell(labels, layouts):
        rows = trials.filter(n_pair_labels=labels, layouts_per_pair=layouts)
        small, large = (rows.filter(init_position_std=start) for start in (0.02, 1.0))
        return "" if rows.is_empty() else f"{small.filter(path='none').height}, {large.filter(path='none').height}"

    layouts = values(trials, "layouts_per_pair")
    return [[f"{labels}", *(cell(labels, n) for n in layouts)] for labels in values(trials, "n_pair_labels")]


def one_cell(trials):
    cell = trials.filter(**CELL_SHOWN)

    def row(path):
        on = cell.filter(path=path)["seed"].sort().to_list()
        share = estimate_mean(list(map(float, cell["path"] == path)), interval="wilson")
        return [
            f"`{path}`", f"{len(on)}", f"{share.mean:.2f} ({share.low:.2f}-{share.high:.2f})", ", ".join(map(str, on)),
        ]  # fmt: skip

    return [row(path) for path in PATHS]


def by_scores(trials):
    """Trials that order by the scores, with the share of PP in what losing EP and losing PP cost; NaN for no loss."""
    loss = {term: (pl.col("none") - pl.col(term)).clip(0) for term in ("EP", "PP")}
    rows = trials.filter(pl.col("none") > 0.65, pl.col("EP+PP+BP") < 0.56, pl.col("VP") > 0.65)
    return rows.with_columns(pp=loss["PP"] / (loss["EP"] + loss["PP"]))


def near(trials):
    ordered, scores = trials.filter(pl.col("none") > 0.65), by_scores(trials)
    asked = [
        ("ordered, as trained: 0.65", trials, "none", (0.65,)),
        ("at chance, without EP+PP+BP: 0.56", ordered, "EP+PP+BP", (0.56,)),
        ("ordered, without EP+PP+BP: 0.65", ordered, "EP+PP+BP", (0.65,)),
        ("at chance, without VP: 0.56", ordered, "VP", (0.56,)),
        ("ordered, without VP: 0.65", ordered, "VP", (0.65,)),
        ("PP's share of what losing EP and losing PP cost: 1/3 and 2/3", scores, "pp", (1 / 3, 2 / 3)),
    ]

    def row(what, rows, column, thresholds):
        hits = rows.filter(pl.any_horizontal((pl.col(column) - at).abs() <= 0.03 for at in thresholds)).height
        return [what, number(rows.height), f"{hits} ({100 * hits / rows.height:.1f} %)"]

    return [row(*one) for one in asked]


TABLES = {
    STARTS: by_start, SWITCH: switch, VALUES: value_path, UNLEARNED: unlearned, CELL: one_cell, NEAR: near,
}  # fmt: skip


@pytest.mark.parametrize("heading", TABLES)
def test_a_table_has_what_the_rows_say(trials, heading):
    assert pages.table(PAGE, heading) == TABLES[heading](trials)


def sentences(trials):
    """The sentences of the page whose numbers are in no table."""
    ordered, on_value, scores = trials.filter(pl.col("none") > 0.65), trials.filter(path="value"), by_scores(trials)
    large = trials.filter(layouts_per_pair=20, init_position_std=1.0)
    value, pp = (
        large.filter(path=path).select(pl.len(), pl.col("none", "VP", "EP+PP+BP").mean().name.prefix("mean "))
        for path in ("value", "pp")
    )
    (n, order, values, positions), (n_pp, *means) = value.row(0), pp.row(0)
    lowest, highest = large.filter(path="value").select(low=pl.min("none"), high=pl.max("none")).row(0)
    outer = scores.filter((pl.col("pp") < 0.1) | pl.col("pp").is_between(0.9, 1, closed="right")).height
    literal = (
        scores.filter(pl.col("EP") < 0.56, pl.col("PP") > 0.65),
        scores.filter(pl.col("PP") < 0.56, pl.col("EP") > 0.65),
    )
    unclear = ordered.height - on_value.height - scores.height
    cells = trials.group_by(AXES).agg(pl.col("path").n_unique())
    by_labels = ", ".join(f"{on_value.filter(n_pair_labels=labels).height}" for labels in (5, 7, 9, 12))
    two = on_value.filter(pl.col("seed").is_in([14, 17])).height
    at = trials.filter(layouts_per_pair=20, embedding_scale=pl.col("embedding_scale").max(), init_position_std=0.7)
    few, many = (at.filter(n_pair_labels=labels, path="pp").height for labels in (5, 12))
    return [
        f"**{number(trials.height)} of the {number(len(load_sweep(ROOT / 'sweeps/atlas.toml').trials))} trials",
        f"{on_value.height} of {number(trials.height)} trials, all of them at 0.7 and 1,",
        f"Beside these {on_value.height} trials, and {unclear} that are not clear, the scores are the way**: "
        f"{number(scores.height)} of the {number(ordered.height)} trials that order",
        f"lies below 0.1 or above 0.9 in {number(outer)} of {number(scores.height)} trials",
        f"would call {literal[0].height} trials `ep`, {literal[1].height} `pp`",
        f"{few} of 20 seeds is on `pp` with 5 labels, {many} with 12",
        f"on one path in {cells.filter(path=1).height} of {cells.height} cells",
        f"({by_labels} trials)",
        f"Seeds 14 and 17 make {two} of the {on_value.height} trials",
        f"the {n} trials on the value path order {order:.2f} in the mean ({lowest:.2f} to {highest:.2f}), {values:.2f} "
        f"without VP and {positions:.2f} without EP+PP+BP; the {n_pp} on `pp` "
        f"{means[0]:.2f}, {means[1]:.2f} and {means[2]:.2f}.",
    ]


def test_the_numbers_of_the_sentences_are_those_of_the_rows(trials):
    found = sentences(trials)
    page = pages.text(PAGE)
    assert not [sentence for sentence in found if sentence not in page]
    assert f"{trials.filter(path='value').height} of {number(trials.height)} trials" in pages.text("README.md")
    cell = one_cell(trials)[0][2]
    settings = ("0.65", "0.56", "0.03", "0.02", "0.1", "0.2", "0.4", "0.7", "0.226", "11.3", "0.9")
    assert pages.unchecked(PAGE, sentences=[*found, f"{cell.removesuffix(')')}, Wilson)"], settings=settings) == []


def test_the_seeds_that_the_page_names_take_the_value_path_at_every_multiplier(trials):
    cells = trials.filter(n_pair_labels=12, layouts_per_pair=20, init_position_std=1.0, path="value")
    at_all = cells.group_by("seed").len().filter(len=5)["seed"].sort()
    assert at_all.to_list() == [16, 17]


def test_no_row_is_left_out(trials):
    assert set(trials["status"]) == {"done"}
    assert trials["path"].null_count() == 0
    assert set(trials.group_by(AXES).len()["len"]) == {20}
