"""A results folder that is not there is told so by everything that reads, with the results that it may stand for."""

import inspect
import shlex

import pytest

import lrsym as package
from lrsym.cli.examples import EXAMPLES
from lrsym.errors import UsageError
from lrsym.results.store.place import name_place
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from tests.pages import ROOT
from tests.running import lrsym, lrsym_errors
from tests.small_trials import write_sweep

WRITING = {"new", "plan", "sweep", "watch", "refine", "import", "axes", "columns", "doctor", "merge"}
"""Verbs that read no results, make their folder, or wait for it."""

READING = [verb for verb in EXAMPLES if verb not in WRITING]

FUNCTIONS = {
    name: function
    for name in package.__all__
    if name not in ("plan", "run_sweep", "refine", "import_trials", "status")
    and inspect.isfunction(function := package.__getattr__(name))
    and "results" in inspect.signature(function).parameters
}

ARGUMENTS = {
    "best": {"metric": "unseen_order"},
    "claims": {"file": ROOT / "claims/recipe.toml"},
    "contrast": {"of": {"layouts_per_pair": 20}, "against": {"layouts_per_pair": 5}},
    "explain": {"trial": "sweeps/demo.toml", "path": "page.html"},
    "export": {"to": "csv"},
    "plot_contrast": {"of": {"layouts_per_pair": 20}, "against": {"layouts_per_pair": 5}},
    "plot_search": {"search": ROOT / "sweeps/rates.toml"},
    "query": {"sql": "select 1 from trials"},
    "report": {"sweeps": "sweeps/demo.toml", "path": "page.html"},
    "seeds_until": {"until": 0.02, "metric": "unseen_order"},
}
"""What a function takes besides sweep and results."""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A folder with results and the shipped files, where the commands are run."""
    Store(str(tmp_path / "results")).write("run-1", {"runs": TABLES["runs"].build([{"run_id": "1"}])})
    for name in ("sweeps", "claims"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow_after(4)
@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("verb", READING)
def test_every_verb_that_reads_says_so(verb):
    words = shlex.split(EXAMPLES[verb])[1:]
    words = [word for word in words if word != "--watch"]
    words = ["diff", "resluts", "results"] if verb == "diff" else [*words, "--results", "resluts"]
    text = lrsym(*words, code=0 if verb == "status" else 2)
    assert "resluts, which is not there (did you mean results?)" in text


@pytest.mark.slow_after(8)
@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_that_reads_says_so(name):
    function = FUNCTIONS[name]
    given = {"sweep": "sweeps/demo.toml", "trials": "sweeps/demo.toml", "results": "resluts", **ARGUMENTS.get(name, {})}
    given = {key: value for key, value in given.items() if key in inspect.signature(function).parameters}
    with pytest.raises(UsageError, match=r"resluts, which is not there \(did you mean results\?\)"):
        function(**given)


@pytest.mark.usefixtures("beside")
def test_a_folder_that_is_not_there_may_lie_in_one_that_is_mistyped(tmp_path):
    Store("results/atlas").write("run-1", {"runs": TABLES["runs"].build([{"run_id": "1"}])})
    assert name_place("reslts/atlas") == "reslts/atlas, which is not there (did you mean results/atlas?)"
    assert name_place(f"{tmp_path}/results/atls") == (
        f"{tmp_path}/results/atls, which is not there (did you mean {tmp_path}/results/atlas?)"
    )


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("verb", ["plan", pytest.param("sweep", marks=pytest.mark.slow)])
def test_verbs_that_make_a_folder_warn_of_one_that_has_nearly_its_name(tmp_path, verb):
    path, words = write_sweep(tmp_path, steps=1, seeds=1), ["--no-pilot", "--limit", 1, "--workers", 1]
    said = lrsym_errors(verb, path, "--results", "resutls", *words)
    assert "warning: resutls is not there yet; did you mean results? Then give --results results" in said
    for other in ("elsewhere", "results-2"):
        assert "did you mean" not in lrsym_errors(verb, path, "--results", other, *words)


@pytest.mark.usefixtures("beside")
def test_what_is_there_and_what_is_like_nothing_else_is_named_as_it_is(tmp_path):
    assert name_place("results") == "results"
    assert name_place("s3://bucket/resluts") == "s3://bucket/resluts"
    assert name_place("elsewhere") == "elsewhere, which is not there yet"
    (tmp_path / "old-backups").mkdir()  # holds no results
    assert name_place("old-backup") == "old-backup, which is not there yet"
