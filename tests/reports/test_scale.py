"""A page of 100,000 trials: how large it is, and what it leaves out."""

import numpy as np
import polars as pl
import pytest

from lrsym.reports.page import make_page
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.spec.sweep_file import parse
from lrsym.vocabulary import ABLATIONS, METRICS

pytestmark = pytest.mark.slow

MAX_MEGABYTES = 15

SCENES = 900
"""Scenes of a split: accuracies are whole multiples of one of them."""


STEPS = sorted({int(step) for step in np.geomspace(1, 3000, 20)})
"""Of evaluations."""


def write(root, found):
    """Rows of every trial with accuracies at random, as many different ones as there would be."""
    rng = np.random.default_rng(0)
    rows = pl.DataFrame([axis_values(trial) for trial in found.trials], infer_schema_length=None)
    n = rows.height

    def accuracies(size):
        return rng.integers(0, SCENES + 1, size) / SCENES

    names = [f"{split}_{metric}" for split in ("train", "single", "seen", "unseen", "half") for metric in METRICS]
    rows = rows.with_columns(
        *(pl.Series(name, accuracies(n)) for name in names),
        *(pl.Series(f"steps_to_{name}", rng.choice(STEPS, n)) for name in names),
        pl.Series("seconds", rng.uniform(1, 9, n)),
        status=pl.lit("done"),
        run_id=pl.lit("r"),
    )
    ids = rows.select("trial_id")

    def crossed(**values):
        frame = ids
        for name, column in values.items():
            frame = frame.join(pl.DataFrame({name: column}), how="cross")
        return frame.with_columns(value=pl.Series(accuracies(frame.height)))

    tables = {
        "curves": crossed(step=STEPS, split=["train", "seen", "unseen"], metric=["order"]),
        "ablations": crossed(term=[*ABLATIONS], split=["unseen"], metric=["order"]),
        "trials": rows,
    }
    for name, frame in tables.items():
        table = TABLES[name]
        whole = frame.match_to_schema(
            table.written, missing_columns="insert", integer_cast="upcast", float_cast="upcast"
        )
        tables[name] = whole.to_arrow().cast(table.arrow)
    Store(str(root)).write("part", tables)


@pytest.fixture(scope="module", params=[20, 1], ids=["5,000 cells of 20 seeds", "100,000 cells of one seed"])
def made(request, tmp_path_factory):
    seeds = request.param
    rates = [round(0.0001 * i, 6) for i in range(1, 100 // seeds + 1)]
    found = parse(
        f'name = "large"\nreplicates = {seeds}\n[grid]\n"scenes.n_pair_labels" = {[*range(5, 45)]}\n'
        f'"scenes.layouts_per_pair" = {[*range(1, 26)]}\n"optim.learning_rate" = {rates}\n'
        '[base]\n"scenes.n_labels" = 60\n',
        source="large.toml",
    )
    root = tmp_path_factory.mktemp("large")
    write(root, found)
    return found, make_page([found], str(root))


def test_it_is_small_enough_to_send(made):
    found, page = made
    assert len(found) == 100_000
    assert len(page.html.encode()) < MAX_MEGABYTES * 1e6


def test_it_says_what_is_left_out_and_still_has_every_row(made):
    _, page = made
    assert "every seed is shown of up to 2,000 trials" in " ".join(page.left_out)
    assert "Rows of the trials as CSV" in page.html
