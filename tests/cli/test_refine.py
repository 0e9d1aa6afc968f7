"""`lrsym refine` as a user meets it: what it says, what it refuses, and that it goes on where it was killed."""

import json
import os
import signal

import pytest

from lrsym.cli.refine import crossing_in_words
from lrsym.results.store.store import Store
from tests.running import assert_complete_and_single, finish, lrsym, parts, start, wait_for
from tests.small_trials import write_sweep
from tests.surfaces import boundary_of, grid_of


def write_plane(folder, *, steps=4, grid='"optim.learning_rate" = [0.001, 0.01, 0.1]'):
    """The small sweep with another axis: 2 x 3 cells of 2 replicates."""
    path = write_sweep(folder, steps=steps, seeds=2)
    text = path.read_text().replace('"optim.learning_rate" = 0.01\n', "")
    path.write_text(f"{text}\n{grid}\n")
    return path


@pytest.fixture(scope="module")
def refined(tmp_path_factory):
    """A refinement of 8 of 12 trials, and its report."""
    folder = tmp_path_factory.mktemp("refined")
    path, results = write_plane(folder), folder / "results"
    words = ["--budget", 8, "--results", results, "--workers", 1, "--pack", 2, "--json"]
    return path, results, json.loads(lrsym("refine", path, *words))


@pytest.mark.slow
def test_the_report_has_the_trials_the_cells_by_side_and_a_crossing_or_none_for_each_line(refined):
    _, results, report = refined
    assert report["statuses"] == {"done": 8}
    assert len(Store(str(results)).statuses()) == 8
    assert sum(report["cells"].values()) == 6
    assert report["along"] == "learning_rate"
    assert [row["layouts_per_pair"] for row in report["boundary"]] == [1, 4]


@pytest.mark.slow
def test_the_same_command_trains_nothing_and_names_the_picture(refined):
    path, results, _ = refined
    said = lrsym("refine", path, "--budget", 8, "--results", results)
    assert "8 trials are there, no other is needed" in said
    command = said.partition("picture: lrsym ")[2].split()
    assert command[:3] == ["plot", "phase", str(path)]
    assert len(lrsym(*command).splitlines()) == 5


@pytest.mark.slow
def test_a_picture_of_a_boundary_has_a_name_of_its_own(refined):
    path, results, _ = refined
    report = json.loads(lrsym("plot", "phase", path, "--refined", "--level", 0.6, "--results", results, "--json"))
    assert report["pictures"][1].endswith("small-phase-unseen_order-refined-level-0.6.png")


@pytest.mark.parametrize(
    ("away", "said"),
    [
        ([2, 3, 4], "n_heads 1: above everywhere"),
        ([-2, -3, -4], "n_heads 1: below everywhere"),
        ([0.5, 0.2, 0.9], "n_heads 1: undecided: no cell of 3 lies above or below"),
        ([2, 0.5, 0.5], "n_heads 1: above in 1 of 3 cells, undecided at d_model 20, 40"),
        ([-0.5, -2, -2], "n_heads 1: below in 2 of 3 cells, undecided at d_model 10"),
        ([-2, 2, 3], "n_heads 1: rises at 15 (12.5 to 17.5)"),
        ([-0.5, 0.5, 0.5], "n_heads 1: rises at 15 (<10 to >40); none of its 3 cells is decided"),
    ],
)
def test_a_line_is_on_a_side_everywhere_only_where_each_of_its_cells_is_decided(away, said):
    boundary = boundary_of(grid_of(d_model=[10, 20, 40], n_heads=[1, 2]), [x for one in away for x in (one, 9)], 0.51)
    row = boundary.crossings(along="d_model").row(0, named=True)
    assert crossing_in_words(row, boundary.grid, along="d_model") == said


def test_of_many_open_values_the_first_are_named():
    boundary = boundary_of(grid_of(d_model=[*range(1, 21)]), [5] + 19 * [0.1], 1)
    row = boundary.crossings(along="d_model").row(0, named=True)
    said = crossing_in_words(row, boundary.grid, along="d_model")
    assert said == "above in 1 of 20 cells, undecided at d_model 2, 3, 4, 5, 6, 7, 8, 9, ..."


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--metric", "unseen_luck"], "metric must be a split and a metric"),
        (["--metric", "uncovered_order"], "no trial has a value of uncovered_order; choose another --metric"),
        (["--level", "1"], "--level must be an accuracy above 0 and below 1, got 1"),
        (["--budget", "0"], "--budget must be a whole number from 1 to 2,000,000, got 0"),
        (["--budget", "3"], "--budget must be at least 4, the trials of a coarse start, got 3"),
        (["--interval", "-1"], "--interval must be a share of the cells from 0 and below 1, got -1"),
        (["--pack", "0"], "--pack must be auto or a number of trials from 1 to 999,999, got 0"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path, words, why):
    path = write_plane(tmp_path)
    budget = [] if "--budget" in words else ["--budget", 8]
    said = lrsym("refine", path, "--results", tmp_path / "results", *budget, *words, code=2)
    assert why in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_an_axis_of_words_is_refused_before_anything_is_trained(tmp_path):
    path = write_plane(tmp_path, grid='"eval.schedule" = ["linear", "log"]')
    said = lrsym("refine", path, "--results", tmp_path / "results", "--budget", 8, code=2)
    assert "a boundary runs over numbers, small varies schedule over linear, log; fix it under [base]" in said
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_killed_refinement_goes_on_to_the_same_number_of_trials(tmp_path, engine):
    path, results = write_plane(tmp_path, steps=600), tmp_path / "results"
    words = ["-m", "lrsym", "refine", path, "--budget", 10, "--results", results, "--workers", 2, "--pack", 1]
    process = start(*words, "--engine", engine)
    wait_for(lambda: len(parts(results)) >= 3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    code, _, err = finish(start(*words, "--engine", engine))
    assert code == 0, err
    assert_complete_and_single(results, 10)
