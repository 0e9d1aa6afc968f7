"""The command line as a user meets it: what it prints, with which exit code, and that mistakes write nothing."""

import io
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import polars as pl
import pytest
from typer.testing import CliRunner

from lrsym.cli import app as cli
from lrsym.results.store.store import Store
from lrsym.sweep.execution.train_pack import failed_rows
from lrsym.sweep.spec.sweep_file import load
from tests.sweep.engines.test_engines import finish, start, write_sweep


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A sweep of 8 small trials, trained once for this file."""
    folder = tmp_path_factory.mktemp("trained")
    path = write_sweep(folder, steps=12)
    code, _, err = finish(start(path, folder / "results", "--pack", "4"))
    assert code == 0, err
    return path, folder / "results"


def lrsym(*words, code=0):
    """Run the command in this process; what it prints, on standard error where code is 2."""
    out, err = io.StringIO(), io.StringIO()
    found = 0
    with mock.patch.object(sys, "argv", ["lrsym", *map(str, words)]), redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as stop:
            found = stop.code or 0
    assert found == code, err.getvalue() + out.getvalue()
    return err.getvalue() if code == 2 else out.getvalue()


def test_plan_counts_what_is_new_and_prints_the_command_to_run(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    results = tmp_path / "results"
    report = json.loads(lrsym("plan", path, "--results", results, "--workers", 2, "--json"))
    assert {k: report[k] for k in ("trials", "new", "done", "failed")} == {
        "trials": 8,
        "new": 8,
        "done": 0,
        "failed": 0,
    }
    assert report["command"] == f"lrsym sweep {path} --workers 2 --results {results}"
    assert report["command"] in lrsym("plan", path, "--results", results, "--workers", 2)
    assert not results.exists()


def test_the_command_to_run_repeats_the_options_that_were_given(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    words = ("--workers", 3, "--pack", 2, "--device", "cpu", "--engine", "ray")
    command = json.loads(lrsym("plan", path, *words, "--json"))["command"]
    assert command == f"lrsym sweep {path} --workers 3 --pack 2 --device cpu --engine ray"


def test_the_command_to_try_again_keeps_the_weights_too(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    words = ("--results", tmp_path / "r", "--workers", 1, "--timeout", 1e-9, "--save-weights")
    text = lrsym("sweep", path, *words, code=1)
    assert f"lrsym sweep {path} --workers 1 --timeout 1e-09 --save-weights --results {tmp_path / 'r'}" in text


@pytest.mark.parametrize(("size", "packs"), [("1", 8), ("3", 3), ("8", 1)])
def test_pack_sets_how_many_trials_train_together(tmp_path, size, packs):
    path = write_sweep(tmp_path, steps=5)
    report = json.loads(lrsym("plan", path, "--results", tmp_path / "r", "--pack", size, "--json"))
    assert report["packs"] == packs


def test_asking_results_that_are_not_there_says_so(tmp_path):
    assert "there are no results" in lrsym("query", "select 1 from trials", "--results", tmp_path / "typo", code=2)


def test_pictures_of_different_cells_do_not_overwrite_each_other(trained):
    names = set()
    for where in ("seed < 2", "seed > 2", "seed = 2", "seed <> 2", "seed <= 2"):
        report = json.loads(lrsym("plot", "curves", trained[0], "--results", trained[1], "--where", where, "--json"))
        names.add(report["pictures"][0])
    assert len(names) == 5


def test_an_ending_given_with_out_is_not_doubled(trained, tmp_path):
    for ending in ("html", "png", "vl.json"):
        lrsym("plot", "curves", trained[0], "--results", trained[1], "--out", tmp_path / f"one.{ending}")
    assert {p.name for p in tmp_path.iterdir()} == {"one.html", "one.png", "one.vl.json"}


def test_pictures_go_into_a_folder_that_is_given(trained, tmp_path):
    report = json.loads(lrsym("plot", "curves", trained[0], "--results", trained[1], "--out", tmp_path, "--json"))
    assert [Path(p).parent for p in report["pictures"]] == [tmp_path] * 3


def test_plan_after_a_sweep_has_nothing_to_do_and_a_wider_sweep_only_what_is_new(trained):
    path, results = trained
    report = json.loads(lrsym("plan", path, "--results", results, "--json"))
    assert (report["new"], report["done"], report["packs"]) == (0, 8, 0)
    assert "all 8 trials are in" in lrsym("sweep", path, "--results", results)
    wider = path.with_name("wider.toml")
    wider.write_text(path.read_text().replace("[1, 4]", "[1, 4, 5]"))
    report = json.loads(lrsym("plan", wider, "--results", results, "--json"))
    assert (report["new"], report["done"]) == (4, 8)


def test_another_sweep_that_shares_trials_shares_their_rows(trained):
    path, results = trained
    other = path.with_name("other.toml")
    other.write_text(path.read_text().replace('name = "small"', 'name = "other"').replace("[1, 4]", "[4]"))
    report = json.loads(lrsym("status", other, "--results", results, "--json"))
    assert report["statuses"] == {"done": 4}
    assert report["missing"] == 0


def test_failed_trials_are_planned_again_and_status_says_why(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    trials = load(path).trials
    rows = failed_rows(trials[:3], status="crashed", message="worker killed by SIGKILL", run_id="r")
    Store(tmp_path / "r").write("p", rows)
    report = json.loads(lrsym("plan", path, "--results", tmp_path / "r", "--json"))
    assert (report["new"], report["failed"], report["done"]) == (5, 3, 0)
    text = lrsym("status", path, "--results", tmp_path / "r")
    assert "3 crashed" in text
    assert "3 x crashed: worker killed by SIGKILL" in text
    assert "5 missing" in text


QUERY = "select layouts_per_pair, count(*) as n, avg(train_order) as mean from trials group by 1 order by 1"


def test_query_answers_in_text_json_and_csv(trained):
    _, results = trained
    rows = json.loads(lrsym("query", QUERY, "--results", results, "--json"))
    assert [(r["layouts_per_pair"], r["n"]) for r in rows] == [(1, 4), (4, 4)]
    frame = pl.read_csv(io.StringIO(lrsym("query", QUERY, "--results", results, "--csv")))
    assert frame["mean"].to_list() == pytest.approx([r["mean"] for r in rows])
    assert "layouts_per_pair" in lrsym("query", QUERY, "--results", results)


def test_query_joins_tables_and_shows_every_row(trained):
    _, results = trained
    sql = "select t.seed, a.term, a.value from trials t join ablations a on t.trial_id = a.trial_id"
    assert len(json.loads(lrsym("query", sql, "--results", results, "--json"))) > 100


def test_query_can_keep_to_the_trials_of_one_sweep(trained):
    path, results = trained
    part = path.with_name("part.toml")
    part.write_text(path.read_text().replace('name = "small"', 'name = "part"').replace("[1, 4]", "[4]"))
    rows = json.loads(lrsym("query", QUERY, "--results", results, "--sweep", part, "--json"))
    assert [(r["layouts_per_pair"], r["n"]) for r in rows] == [(4, 4)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [("selec x", "query failed"), ("select nope from trials", "nope"), ("select 1 from trails", "tables are trials")],
)
def test_a_query_that_is_wrong_is_one_clear_line(trained, sql, message):
    text = lrsym("query", sql, "--results", trained[1], code=2)
    assert text.startswith("error: ")
    assert message in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["phase"], "small-phase-unseen_order"),
        (["phase", "--metric", "seen_global"], "small-phase-seen_global"),
        (["curves"], "small-curves-order"),
        (["ablation"], "small-ablation-unseen"),
        (["profile", "--where", "layouts_per_pair = 4"], "small-profile-layouts_per_pair-eq-4"),
    ],
)
def test_plots_are_saved_as_html_png_and_vega_lite(trained, tmp_path, words, name):
    path, results = trained
    report = json.loads(lrsym("plot", words[0], path, "--results", results, *words[1:], "--json"))
    pictures = [Path(p) for p in report["pictures"]]
    assert [p.name for p in pictures] == [f"{name}.html", f"{name}.png", f"{name}.vl.json"]
    assert all(p.parent == results / "plots" and p.stat().st_size > 1000 for p in pictures)


def test_where_keeps_the_trials_that_meet_it(trained, tmp_path):
    path, results = trained
    lrsym("plot", "curves", path, "--results", results, "--where", "layouts_per_pair = 4", "--out", tmp_path / "one")
    drawn = json.loads((tmp_path / "one.vl.json").read_text())
    assert "layouts_per_pair" not in {k for d in drawn["datasets"].values() for row in d for k in row} or {
        row["layouts_per_pair"] for d in drawn["datasets"].values() for row in d if "layouts_per_pair" in row
    } == {4}


@pytest.mark.parametrize("kind", ["ablation", "profile"])
def test_a_plot_of_terms_says_why_a_trained_sweep_has_none(tmp_path, kind):
    path = write_sweep(tmp_path, steps=5)
    path.write_text(path.read_text().replace("[base]", '[base]\n"model.layer_norm" = "pre"'))
    lrsym("sweep", path, "--results", tmp_path / "r", "--workers", "1")
    result = CliRunner().invoke(cli.app, ["plot", kind, str(path), "--results", str(tmp_path / "r")])
    assert "model.layer_norm none or post" in str(result.exception)
    assert "train first" not in str(result.exception)


def test_a_plot_of_an_untrained_sweep_says_train_first_whatever_the_condition(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    words = ["plot", "ablation", str(path), "--results", str(tmp_path / "r"), "--where", "seed = 0"]
    assert "train first: lrsym sweep" in str(CliRunner().invoke(cli.app, words).exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plot", "phase", "{file}", "--metric", "nope"], "metric must be"),
        (["plot", "phase", "{file}", "--x", "colour"], "colour"),
        (["plot", "phase", "{file}", "--where", "nope = 3"], "no condition on the table trials"),
        (["plot", "phase", "{file}", "--where", "seed = 99"], "leave --where out"),
        (["plot", "ablation", "{file}", "--split", "train"], "split"),
        (["sweep", "{file}", "--engine", "dask"], "--engine must be one of auto, local, ray"),
        (["sweep", "{file}", "--device", "tpu"], "--device must be one of"),
        (
            ["sweep", "{file}", "--workers", "0"],
            "--workers must be auto or a number of packs trained at a time from 1 on, got 0",
        ),
        (["sweep", "{file}", "--workers", "many"], "--workers must be auto or a number of packs"),
        (["plan", "{file}", "--workers", "-1"], "--workers must be auto or a number of packs"),
        (["sweep", "{file}", "--pack", "many"], "--pack must be auto or a number"),
        (["sweep", "{file}", "--pack", "0"], "--pack must be auto or a number of trials from 1 on, got 0"),
        (["sweep", "{file}", "--timeout", "-1"], "--timeout must be positive, got -1.0; leave it out for no limit"),
        (["query", "select 1 from trials", "--json", "--csv"], "exclude each other"),
        (["query", "drop table trials"], "ask with SELECT"),
        (["query", "select * from terms", "--csv"], "CSV holds no lists"),
        (["plot", "phase", "{file}", "--threshold", "7"], "--threshold must be"),
        (["plot", "ablation", "{file}", "--split", "train"], "among seen, unseen"),
        (["sweep", "{file}", "--timeout", "nan"], "--timeout must be positive"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_with_a_remedy_and_code_2(trained, words, message):
    path, results = trained
    before = sorted(p for p in results.rglob("*") if p.is_file())
    text = lrsym(*[w.format(file=path) for w in words], "--results", results, code=2)
    assert text.startswith("error: ")
    assert message in text
    assert sorted(p for p in results.rglob("*") if p.is_file()) == before


@pytest.mark.parametrize("verb", ["plan", "sweep", "status"])
def test_a_bad_sweep_file_writes_nothing_and_names_key_and_line(tmp_path, verb):
    path = write_sweep(tmp_path, steps=5)
    path.write_text(path.read_text().replace("[1, 4]", "[1, 60]"))
    text = lrsym(verb, path, "--results", tmp_path / "r", code=2)
    line = path.read_text().splitlines().index('"scenes.layouts_per_pair" = [1, 60]') + 1
    assert text.startswith(f"error: {path}:{line}: ")
    assert "60" in text
    assert not (tmp_path / "r").exists()


def test_status_says_that_a_folder_is_not_there_yet(tmp_path):
    text = lrsym("status", write_sweep(tmp_path, steps=5), "--results", tmp_path / "r")
    assert f"missing in {tmp_path / 'r'}, which is not there yet" in text


def test_drawing_before_training_says_how_to_train(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("plot", "phase", path, "--results", tmp_path / "r", code=2)
    assert f"train first: lrsym sweep {path}" in text


@pytest.mark.parametrize("verb", ["plan", "sweep", "status"])
def test_a_damaged_table_is_one_clear_line(tmp_path, verb):
    path = write_sweep(tmp_path, steps=5)
    (tmp_path / "r" / "trials").mkdir(parents=True)
    (tmp_path / "r" / "trials" / "mine.parquet").write_text("no parquet")
    text = lrsym(verb, path, "--results", tmp_path / "r", code=2)
    assert text.startswith("error: a table in the results cannot be read")
    assert "move foreign or damaged files" in text


def test_results_that_cannot_be_written_are_one_clear_line(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "runs").write_text("a file where a folder must be")
    text = lrsym("sweep", path, "--results", tmp_path / "r", code=2)
    assert "check path, permissions and free space" in text


def test_results_that_cannot_be_made_are_told_before_a_pilot(tmp_path):
    path = write_sweep(tmp_path, steps=440_000)
    (tmp_path / "file").write_text("a file where a folder must be")
    text = lrsym("sweep", path, "--results", tmp_path / "file" / "r", code=2)
    assert "check path, permissions and free space" in text
    assert "pilot" not in text


def test_a_device_that_is_not_there_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("lrsym.sweep.driver._has_gpu", lambda: False)
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("sweep", path, "--results", tmp_path / "r", "--device", "cuda", "--engine", "local", code=2)
    assert "use --device cpu" in text
    assert not (tmp_path / "r").exists()


def test_a_file_without_its_head_is_a_warning_and_still_planned(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("# Cost")))
    result = CliRunner().invoke(cli.app, ["plan", str(path), "--results", str(tmp_path / "r")])
    assert result.exit_code == 0
    assert "warning" in result.output
    assert "Cost" in result.output


def test_compact_keeps_the_answers(trained, tmp_path):
    shutil.copytree(trained[1], tmp_path / "r")
    before = lrsym("query", QUERY, "--results", tmp_path / "r")
    assert json.loads(lrsym("compact", "--results", tmp_path / "r", "--json"))["merged_files"] > 5
    assert lrsym("query", QUERY, "--results", tmp_path / "r") == before


def test_a_run_is_recorded_with_where_it_came_from(trained):
    rows = json.loads(lrsym("query", "select * from runs", "--results", trained[1], "--json"))
    assert len(rows) == 1
    assert {k: rows[0][k] for k in ("sweep", "engine", "workers", "device", "n_planned")} == {
        "sweep": "small", "engine": "local", "workers": 2, "device": "cpu", "n_planned": 8,
    }  # fmt: skip
    assert rows[0]["finished_at"] is not None
    assert rows[0]["torch"].startswith("2.13.0")


def test_all_verbs_explain_themselves():
    text = CliRunner().invoke(cli.app, ["--help"]).output
    assert all(verb in text for verb in ("plan", "sweep", "status", "claims", "query", "plot", "compact", "axes"))
