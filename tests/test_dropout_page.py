"""docs/dropout.md says what its rows say."""

import numpy as np
import polars as pl
import pytest
import torch

from lrsym.config.trial import Trial
from lrsym.results.analysis.intervals import estimate_mean
from lrsym.results.store.store import load, load_trials
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import _scorer
from lrsym.testbed.training.training import fit
from tests import pages
from tests.committed import mean_in_words
from tests.fitted import CPU
from tests.pages import ROOT

ROWS = ROOT / "results/dropout"
TERMS = ("EP", "BP", "PE", "PP", "VP", "EP+PP+BP")
RECIPE = "| batch size | dropout | of attention | order | EP | BP | PE | PP | VP | EP+PP+BP | in-set | global |"
START = (
    "| labels | temperature decays | single, in-set | seen, in-set | unseen, order | unseen, in-set "
    "| EP | BP | VP | EP+PP+BP |"
)


@pytest.fixture(scope="module")
def order():
    """A row for each trial: order on unseen pairs with each term left out, beside the columns of the trial."""
    found = load(ROWS, "ablations").filter(split="unseen", metric="order").collect()
    return load_trials(ROWS).collect().join(found.pivot("term", index="trial_id", values="value"), on="trial_id")


def change(cell, term):
    """How order changes without the term, paired by seed, and the half-width of its interval."""
    found = estimate_mean((cell[term] - cell["none"]).to_list())
    mean, half = round(found.mean, 3), (found.high - found.low) / 2
    return f"{mean + 0.0:+.3f} ± {half:.3f}"


def cells(rows, *axes):
    return rows.sort(axes).group_by(axes, maintain_order=True)


def test_the_table_of_the_recipe(order):
    rows = order.filter(init_distribution="normal")
    wanted = [
        [
            *(
                f"{batch}",
                f"{stream:g}",
                f"{attention:g}",
                mean_in_words(cell["none"]),
                *(change(cell, term) for term in TERMS),
            ),
            *(mean_in_words(cell[column]) for column in ("unseen_inset", "unseen_global")),
        ]
        for (batch, stream, attention), cell in cells(rows, "batch_size", "dropout", "attention_dropout")
    ]
    assert len(wanted) == 9
    assert {cell.height for _, cell in cells(rows, "batch_size", "dropout", "attention_dropout")} == {20}
    assert pages.table("docs/dropout.md", RECIPE) == wanted


def test_the_table_of_pytorchs_start(order):
    rows = order.filter(init_distribution="uniform")
    columns = ("single_inset", "seen_inset", "none", "unseen_inset")
    wanted = [
        [f"{labels}", "yes" if decays else "no", *(mean_in_words(cell[column]) for column in columns)]
        + [change(cell, term) for term in ("EP", "BP", "VP", "EP+PP+BP")]
        for (labels, decays), cell in cells(rows, "n_pair_labels", "decay_temperature")
    ]
    assert {cell.height for _, cell in cells(rows, "n_pair_labels", "decay_temperature")} == {10}
    assert pages.table("docs/dropout.md", START) == wanted


def test_a_number_in_a_sentence_is_in_a_table():
    tables = " ".join(
        cell for heading in (RECIPE, START) for row in pages.table("docs/dropout.md", heading) for cell in row
    )
    numbers = pages.unchecked("docs/dropout.md", sentences=(), settings=("0.1", "0.2", "2601.12809"))
    assert not [number for number in numbers if number not in tables]


@pytest.mark.slow
@torch.no_grad()
def test_what_wins_on_unseen_pairs_is_the_caption_of_one_of_the_two_labels():
    axes = {"optim.batch_size": 64, "optim.steps": 3000, "eval.points": 1, "model.dropout": 0.1}
    trials = [Trial.from_axes({**axes, "seed": seed}) for seed in range(2)]  # of four: a minute less
    data = PackData.of(trials, device=CPU)
    with torch.enable_grad():
        *_, snapshot = fit(trials, data, device=CPU)
    numbers = torch.stack([torch.from_numpy(splits["unseen"]) for splits in data.splits])
    score, _ = _scorer(snapshot.model, data, left_out=(), text_left_out=())
    winners, right = score(numbers).argmax(dim=2), data.captions_of[numbers][:, :, 0]
    swapped = torch.from_numpy(sc.swap(trials[0].scenes, np.arange(len(data.captions))))
    single = swapped[winners] == winners
    named = (data.captions[winners][:, :, :1] == data.captions[right]).any(dim=2)
    won = (single & named).sum().item()
    assert won / numbers.numel() == pytest.approx(3188 / 3600, abs=0.07)  # by seed, and rounding moves some
    assert "3,188 of 3,600 scenes of four seeds" in pages.text("docs/dropout.md")


def test_no_row_is_left_out(order):
    assert order.height == 9 * 20 + 4 * 10
    assert set(order["status"]) == {"done"}
    assert order["none"].null_count() == 0
    assert isinstance(order, pl.DataFrame)
