"""`lrsym export` and `lrsym import`: what they print, where they write, and what they refuse."""

import json
import sys

import pytest

import lrsym as package
from tests.reports import made_up
from tests.running import lrsym
from tests.small_trials import write_sweep

NEEDS = {"duckdb": "duckdb", "mlflow": "mlflow", "tensorboard": "tensorboardX", "wandb-offline": "wandb"}


@pytest.fixture
def root(tmp_path):
    made_up.write(tmp_path / "r", made_up.sweep().trials)
    return tmp_path / "r"


def test_by_default_it_lies_in_the_results_and_the_same_command_again_keeps_it(root):
    text = lrsym("export", "--to", "tensorboard", "--results", root)
    place = root / "exports/r-tensorboard"
    assert text == f"12 runs written\n{place}\nlook at it: tensorboard --logdir {place}\n"
    assert lrsym("export", "--to", "tensorboard", "--results", root).startswith("12 there already\n")
    data = json.loads(lrsym("export", "--to", "csv", "--results", root, "--json"))
    assert (data["place"], data["trials"], data["rows"]["trials"]) == (str(root / "exports/r-csv"), 12, 12)


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("to", NEEDS)
def test_without_its_tool_an_export_is_one_line_with_the_command_that_installs_it(root, monkeypatch, to):
    monkeypatch.setitem(sys.modules, NEEDS[to], None)
    text = lrsym("export", "--to", to, "--results", root, code=2)
    extra = to.partition("-")[0]
    assert text == f'error: --to {to} needs {NEEDS[to]}, which is missing; pip install "lrsym[{extra}]"\n'
    assert not (root / "exports").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--to", "duckdbb"),
            "--to must be one of csv, duckdb, mlflow, tensorboard, wandb-offline, got duckdbb; did you mean",
        ),
        (("--to", "csv", "--out", "s3://b/x"), "--out must be a path on this machine, got s3://b/x"),
        (("--to", "csv", "--out", " "), "--out must name a file or a folder"),
        (("--to", "csv", "--set", "optim.steps=3"), "without one; name the file"),
        (("FILE", "--to", "csv"), "no trial of small in"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(root, tmp_path, words, message):
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("export", *(path if word == "FILE" else word for word in words), "--results", root, code=2)
    assert message in text
    assert len(text.splitlines()) == 1
    assert not (root / "exports").exists()


def test_without_results_it_says_so(tmp_path):
    assert "there are no results in" in lrsym("export", "--to", "csv", "--results", tmp_path / "none", code=2)


def test_an_import_says_what_came_and_how_to_look_at_it(root, tmp_path):
    place = tmp_path / "exp/train_a"
    place.mkdir(parents=True)
    (place / "params.json").write_text('{"lr": 0.1}')
    (place / "result.json").write_text('{"loss": 2.0, "training_iteration": 1, "trial_id": "a", "done": true}\n')
    text = lrsym("import", tmp_path / "exp", "--results", tmp_path / "o")
    assert text.splitlines() == [
        f"1 trial of exp imported into {tmp_path}/o, 1 point of their curves",
        f'look at them: lrsym query "select * from trials" --results {tmp_path}/o',
    ]
    assert "holds trials that lrsym trained" in lrsym("import", tmp_path / "exp", "--results", root, code=2)


def test_from_python_it_is_a_function_with_the_same_words(root, tmp_path):
    done = package.export(made_up.sweep(), tmp_path / "x", to="csv", results=root, where="seed = 0")
    assert (done.place, done.rows["trials"]) == (str(tmp_path / "x"), 4)
    with pytest.raises(package.UsageError, match=r"^to must be one of csv"):
        package.export(to="excel", results=root)
    with pytest.raises(package.UsageError, match=r"^to must be a text, got 3"):
        package.export(to=3, results=root)
    with pytest.raises(package.UsageError, match=r"^source must be an Optuna storage"):
        package.import_trials(tmp_path / "typo", tmp_path / "o")


@pytest.mark.slow
def test_results_in_an_object_store_are_exported_here_and_trials_imported_there(s3, tmp_path, monkeypatch):
    made_up.write(s3.url, made_up.sweep(seeds=1).trials)
    monkeypatch.chdir(tmp_path)
    data = json.loads(lrsym("export", "--to", "csv", "--results", s3.url, "--json"))
    assert data["place"] == "exports/results-csv"
    assert (tmp_path / "exports/results-csv/trials.csv").exists()
    place = tmp_path / "exp/train_a"
    place.mkdir(parents=True)
    (place / "result.json").write_text('{"loss": 2.0, "training_iteration": 1, "trial_id": "a", "done": true}\n')
    assert "holds trials that lrsym trained" in lrsym("import", tmp_path / "exp", "--results", s3.url, code=2)
    lrsym("import", tmp_path / "exp", "--results", f"{s3.url}-of-others")
    asked = "select loss from trials"
    assert json.loads(lrsym("query", asked, "--results", f"{s3.url}-of-others", "--json")) == [{"loss": 2.0}]
    path = write_sweep(tmp_path, steps=5)
    words = ("--workers", 1, "--results", f"{s3.url}-of-others")
    assert "imported from other tools" in lrsym("sweep", path, *words, code=2)
