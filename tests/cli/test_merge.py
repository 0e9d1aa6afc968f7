"""`lrsym diff` and `lrsym merge` as a user meets them: no conflict is resolved in silence, and nothing is lost."""

import json
import re
import shutil

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lrsym.results.analysis import overlap
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep.execution.lease import Lease
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.traceback_log import logged_failure
from lrsym.sweep.spec.sweep_file import load
from tests.running import lrsym
from tests.small_trials import pack_of


@pytest.fixture(scope="module")
def parted(trained, tmp_path_factory):
    """A folder with two copies of the results of a sweep that each lack the trials of another seed."""
    (path, results), folder = trained, tmp_path_factory.mktemp("parted")
    for seed, name in enumerate(("one", "other")):
        shutil.copytree(results, folder / name)
        lrsym("forget", path, "--results", folder / name, "--where", f"seed = {seed}", "--yes")
    return folder


@pytest.fixture
def two(trained, parted, tmp_path):
    """A sweep file, and two results of it that each lack the trials of another seed."""
    for name in ("one", "other"):
        shutil.copytree(parted / name, tmp_path / name)
    return trained[0], tmp_path / "one", tmp_path / "other"


def change(results, seed):
    """Let the trials of a seed have another result."""
    table = TABLES["trials"]
    rows = (
        load_trials(results)
        .filter(seed=seed)
        .collect()
        .with_columns(
            unseen_order=1 - pl.col("unseen_order"),
            train_order=pl.lit(0.25),
            finished_at=pl.col("finished_at").dt.offset_by("1d"),
        )
    )
    store = Store(str(results))
    for name in ("curves", "ablations", "terms", "measures", "confusions"):
        for file in store.files.list(name):
            store.files.delete(file)
    store.write("f" * 32, {"trials": rows.select(table.written.names()).to_arrow().cast(table.arrow)})


@pytest.mark.slow
def test_diff_counts_what_is_in_one_alone_and_what_agrees(two):
    _, one, other = two
    told = json.loads(lrsym("diff", one, other, "--json"))
    assert (told["only_first"], told["only_second"], told["both"]) == (2, 2, 4)
    assert (told["counts"], told["conflicts"]) == ({"identical": 4}, [])
    text = lrsym("diff", one, other)
    assert f"2 trials are in {one} alone, 2 in {other} alone, 4 in both" in text
    assert "of both: 4 identical, 0 within tolerance, 0 grown apart, 0 drifted" in text


def test_merge_takes_what_is_missing_and_leaves_the_source_as_it_was(two):
    path, one, other = two
    before = {file: file.read_bytes() for file in other.rglob("*") if file.is_file()}
    told = json.loads(lrsym("merge", other, "--results", one, "--json"))["taken"]
    assert told == [{"source": str(other), "new": 2, "replaced": 0, "kept": 4, "weights": 0}]
    assert json.loads(lrsym("status", path, "--results", one, "--json"))["statuses"] == {"done": 8}
    assert {file: file.read_bytes() for file in other.rglob("*") if file.is_file()} == before
    assert "all 8 trials are in" in lrsym("sweep", path, "--results", one)


@pytest.mark.slow
def test_several_folders_are_merged_into_a_new_one(two, tmp_path):
    path, one, other = two
    lrsym("merge", one, other, "--results", tmp_path / "all")
    assert json.loads(lrsym("status", path, "--results", tmp_path / "all", "--json"))["statuses"] == {"done": 8}


def test_other_results_of_a_trial_are_told_and_nothing_is_taken_until_a_side_is_chosen(two):
    _, one, other = two
    change(other, seed=2)
    before = sorted(file.name for file in one.rglob("*"))
    text = lrsym("merge", other, "--results", one, code=2)
    assert text.startswith(f"error: 2 trials have other results in {other} than in {one}, and nothing is taken")
    assert f"lrsym diff {one} {other}" in text
    assert sorted(file.name for file in one.rglob("*")) == before
    text = lrsym("diff", one, other)
    assert "2 drifted" in text
    assert re.search(rf": \w+ [\d.]+ in {one}, [\d.]+ in {other}", text)


@pytest.mark.slow
@pytest.mark.parametrize("side", ["here", "there"])
def test_the_side_that_is_chosen_is_in_the_result(two, side):
    _, one, other = two
    change(other, seed=2)
    wanted = load_trials(one if side == "here" else other).filter(seed=2).collect().sort("trial_id")["unseen_order"]
    lrsym("merge", other, "--results", one, "--prefer", side)
    rows = load_trials(one).collect()
    assert rows.height == 8
    assert rows.filter(seed=2).sort("trial_id")["unseen_order"].to_list() == wanted.to_list()


@pytest.mark.slow
def test_sources_that_disagree_with_each_other_are_told_before_anything_is_taken(two, tmp_path):
    _, one, other = two
    change(other, seed=2)
    text = lrsym("merge", one, other, "--results", tmp_path / "all", code=2)
    assert f"2 trials have other results in {other} than in {one}, and nothing is taken" in text
    assert not (tmp_path / "all").exists()


def test_what_is_in_training_is_not_replaced(two):
    path, one, other = two
    change(other, seed=2)
    with Lease(Store(str(one)).files, "run") as lease:
        lease.claim(load(path).trial_ids())
        assert "can be replaced while nobody trains them" in lrsym(
            "merge", other, "--results", one, "--prefer", "there", code=2
        )


@pytest.mark.slow
def test_a_failure_that_was_taken_is_tried_again_by_the_next_sweep(two, tmp_path):
    path, _, other = two
    failed = load(path).trials[0]
    lrsym("forget", path, "--results", other, "--where", "seed = 0", "--yes")
    rows = status_rows([failed], status="crashed", message="why", run_id="r")
    Store(str(other)).write(f"{pack_of(failed).id}-failed", rows)
    lrsym("merge", other, "--results", tmp_path / "all")
    done = json.loads(lrsym("sweep", path, "--results", tmp_path / "all", "--pack", 1, "--workers", 1, "--json"))
    assert done["statuses"] == {"done": 4}
    assert json.loads(lrsym("status", path, "--results", tmp_path / "all", "--json"))["statuses"] == {"done": 8}


@pytest.mark.slow
def test_a_search_goes_on_where_it_was_taken_to(searched, tmp_path):
    path, results = searched
    lrsym("merge", results, "--results", tmp_path / "all", "--sweep", path)
    before, after = (lrsym("status", path, "--results", root) for root in (results, tmp_path / "all"))
    assert after.replace(str(tmp_path / "all"), str(results)) == before


def test_tables_that_are_not_as_they_were_written_are_not_taken(two):
    _, one, other = two
    file = next((other / "curves").glob("*.parquet"))
    frame = pl.read_parquet(file)
    table = pq.read_table(file)
    pq.write_table(table.set_column(4, "value", pa.array([0.5] * frame.height)).cast(table.schema), file)
    text = lrsym("merge", other, "--results", one, code=2)
    assert f"{other} has 1 file not as written, such as {file}, and nothing is taken" in text
    assert load_trials(one).collect().height == 6


def test_a_damaged_folder_takes_nothing(two):
    _, one, other = two
    file = next((one / "trials").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:50])
    before = sorted(path.name for path in one.rglob("*"))
    text = lrsym("merge", other, "--results", one, code=2)
    assert f"1 damaged part in the results: {file} is cut short" in text
    assert sorted(path.name for path in one.rglob("*")) == before


@pytest.mark.slow
def test_the_traceback_of_a_crash_comes_with_it(two, tmp_path):
    path, _, other = two
    lrsym("forget", path, "--results", other, "--where", "seed = 0", "--yes")
    failure = logged_failure(ValueError("a bug"), str(other))
    rows = status_rows(load(path).trials[:1], status="crashed", message=failure.message, run_id="r")
    Store(str(other)).write("0" * 32, rows)
    lrsym("merge", other, "--results", tmp_path / "all")
    assert [log.read_bytes() for log in (tmp_path / "all/logs").iterdir()] == [
        log.read_bytes() for log in (other / "logs").iterdir()
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("diff", "{one}", "{nowhere}"), "there are no results in"),
        (("merge", "{nowhere}", "--results", "{one}"), "there are no results in"),
        (("merge", "{one}", "--results", "{one}"), "cannot be merged into itself"),
        (("merge", "{other}", "--results", "{one}", "--prefer", "newer"), "--prefer must be here or there, got newer"),
        (
            ("diff", "{one}", "{other}", "--tolerance", "2"),
            "--tolerance must be a difference of accuracies from 0 to 1, got 2; the usual one is 0.05",
        ),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(two, tmp_path, words, message):
    _, one, other = two
    before = sorted(tmp_path.rglob("*"))
    text = lrsym(*(w.format(one=one, other=other, nowhere=tmp_path / "nowhere") for w in words), code=2)
    assert message in text
    assert len(text.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_each_pair_of_folders_is_compared_once_and_again_only_where_another_source_brought_trials(
    two, tmp_path, monkeypatch
):
    _, one, other = two
    compared, compare = [], overlap.overlap

    def counting(first, second, **options):
        compared.append((first, second))
        return compare(first, second, **options)

    monkeypatch.setattr(overlap, "overlap", counting)
    lrsym("merge", other, "--results", one)
    assert compared == [(str(one), str(other))]
    compared.clear()
    lrsym("merge", one, other, "--results", tmp_path / "all")
    new = str(tmp_path / "all")
    assert compared == [(new, str(one)), (new, str(other)), (str(one), str(other)), (new, str(other))]
