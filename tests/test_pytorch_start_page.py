"""docs/pytorch_start.md says what its rows say: every table, and every number in a sentence."""

import polars as pl
import pytest

from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.store.store import load
from tests import pages
from tests.committed import REFERENCE, ids, mean_in_words, spread, trials
from tests.pages import ROOT

PAGE = "docs/pytorch_start.md"
LABELS = "| labels | steps | single, in-set | seen, in-set | unseen, in-set | unseen, order | unseen, global |"
FULL = (
    "| labels, full model | steps | single, in-set | seen, in-set | unseen, in-set | unseen, order | unseen, global |"
)
STEPS = "| labels | seen, in-set | unseen, in-set | unseen, order | unseen, global | `ep` | `value` | `none` |"
LAYOUTS = "| layouts | steps | seen, in-set | unseen, in-set | unseen, order |"
DECAY = "| weight decay | decay times | seen, in-set | unseen, in-set | unseen, order |"
PATHS = "| labels | `ep` | `value` | `mixed` | `none` |"
SEEDS = "| seed | path | as trained | EP | PP | EP+PP+BP | VP | EP+VP |"
COLUMNS = ("single_inset", "seen_inset", "unseen_inset", "unseen_order", "unseen_global")
TERMS = ("none", "EP", "PP", "EP+PP+BP", "VP", "EP+VP")


def rows(**where):
    return trials("pytorch_start", **where)


def by(axis, found, columns, told, *, n=10):
    """A row for each value of `axis`: what `told` says of the cell, and the means of `columns` over `n` seeds."""
    table = []
    for (value,), cell in found.sort(axis).group_by(axis, maintain_order=True):
        assert cell.height == n
        table.append([f"{value:g}", told(cell), *(mean_in_words(cell[column]) for column in columns)])
    return table


def steps(cell):
    return f"{cell['trained_steps'][0]:,}"


def full_model():
    table = []
    for (labels,), cell in (
        trials("pytorch_start_full_model").sort("n_pair_labels").group_by("n_pair_labels", maintain_order=True)
    ):
        assert cell.height == 3
        table.append([f"{labels}", steps(cell), *(spread(cell[column]) for column in COLUMNS)])
    return table


def equal_steps():
    """The table of trials with equal steps, and how many of each cell took which path."""
    found = trials("pytorch_start_steps")
    assert {*found["trained_steps"]} == {44_000}
    assert {*found["path"]} == {"ep", "value", "none"}
    means = by("n_pair_labels", found, COLUMNS[1:], steps, n=5)
    counts = by("n_pair_labels", found, (), lambda cell: cell, n=5)
    return [
        [labels, *row, *(f"{cell.filter(path=path).height}" for path in ("ep", "value", "none"))]
        for (labels, _, *row), (_, cell) in zip(means, counts, strict=True)
    ]


def ten_labels(**where):
    return trials("pytorch_start_layouts", n_pair_labels=10, **where)


def tables():
    """Every table of the page by its first row."""
    ten_layouts, recipe = ten_labels(layouts_per_pair=10), ten_labels(weight_decay=0.2)
    return {
        FULL: full_model(),
        LABELS: by("n_pair_labels", rows(), COLUMNS, steps),
        STEPS: equal_steps(),
        LAYOUTS: by("layouts_per_pair", recipe, COLUMNS[1:4], steps),
        DECAY: by("weight_decay", ten_layouts, COLUMNS[1:4], lambda cell: f"{cell['decay_times'][0]:.1f}"),
        PATHS: paths(),
        SEEDS: seeds(),
    }


def paths():
    found = rows().sort("n_pair_labels")
    table = []
    for (labels,), cell in found.group_by("n_pair_labels", maintain_order=True):
        counts = dict(cell.group_by("path").len().iter_rows())
        assert {*counts} <= {"ep", "value", "mixed", "none"}
        table.append([f"{labels}", *(f"{counts.get(path, 0)}" for path in ("ep", "value", "mixed", "none"))])
    return table


def left_out(n_pair_labels):
    """Order on unseen pairs with each term left out, a row for each seed."""
    found = load(REFERENCE, "ablations", trial_ids=ids("pytorch_start")).filter(split="unseen", metric="order")
    wide = found.collect().pivot("term", index="trial_id", values="value")
    cell = rows(n_pair_labels=n_pair_labels)
    return cell.join(wide, on="trial_id").sort("seed")


def seeds():
    return [
        [f"{row['seed']}", f"`{row['path']}`", *(f"{row[term]:.2f}" for term in TERMS)]
        for row in left_out(15).iter_rows(named=True)
    ]


def test_every_table_is_what_the_rows_say():
    wanted = tables()
    assert sorted(pages.headings(PAGE)) == sorted(wanted)
    for heading, table in wanted.items():
        assert pages.table(PAGE, heading) == table


def gain(metric):
    """What 15 labels give over 5 in equal steps, paired by seed, with its interval."""
    found = trials("pytorch_start_steps").pivot("n_pair_labels", index="seed", values=metric)
    mean = estimate_mean((found["15"] - found["5"]).to_list())
    return f"{mean.mean:+.2f} ({mean.low:.2f} to {mean.high:.2f})"


def sentences():
    fifteen, ten = left_out(15), left_out(10)
    counts = {n: dict(cell.group_by("path").len().iter_rows()) for n, cell in ((15, fifteen), (10, ten))}
    value, ep = fifteen.filter(path="value"), fifteen.filter(path="ep")
    return [
        f"15 labels minus 5 give, paired by seed, {gain('unseen_inset')} in-set and {gain('unseen_order')} of order",
        f"At 15 labels {counts[15]['value']} of ten seeds read order from the values and {counts[15]['ep']} from the "
        f"scores, at 10 labels {counts[10]['value']} and {counts[10].get('ep', 0)}",
        f"on the value path from {value['none'].mean():.2f} to {value['VP'].mean():.2f} without VP and to "
        f"{value['EP+PP+BP'].mean():.2f} without EP+PP+BP; on the score path to {ep['VP'].mean():.2f} and "
        f"{ep['EP+PP+BP'].mean():.2f}, from {ep['none'].mean():.2f}",
        f"over all ten seeds {fifteen['EP'].mean():.2f} without EP, {fifteen['VP'].mean():.2f} without VP and "
        f"{fifteen['EP+VP'].mean():.2f} without both",
    ]


def test_a_sentence_says_what_the_rows_say():
    for sentence in sentences():
        assert sentence in pages.text(PAGE)


@pytest.mark.slow
def test_a_number_in_a_sentence_is_in_a_table_or_in_a_sentence_that_is_checked():
    told = " ".join(cell for table in tables().values() for row in table for cell in row)
    numbers = pages.unchecked(PAGE, sentences=sentences(), settings=("0.2", "2601.12809"))
    assert not [number for number in numbers if number not in told]


def test_the_rows_are_all_there_and_of_pytorchs_start():
    found = pl.concat([rows(), trials("pytorch_start_layouts")]).unique("trial_id")
    assert found.height == 90
    assert {*found["init_position_std"]} == {*found["init_token_std"]} == {1.0}
    assert isinstance(found, pl.DataFrame)
    assert (ROOT / "sweeps/pytorch_start.toml").is_file()
