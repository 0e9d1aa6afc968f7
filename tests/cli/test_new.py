"""`lrsym new` as a user meets it: a shipped sweep under another name, and nothing that was there is written over."""

import json
import subprocess
import sys
import zipfile

import pytest

from lrsym.sweep.spec import shipped
from lrsym.sweep.spec.sweep_file import load_any
from tests.pages import ROOT
from tests.running import lrsym


@pytest.mark.parametrize("name", ["demo", "rates", "atlas"])
def test_a_new_file_is_the_shipped_sweep_under_its_own_name(tmp_path, name):
    path = tmp_path / "mine_2.toml"
    said = lrsym("new", path, "--from", name)
    assert f"lrsym plan {path}" in said
    mine, theirs = load_any(path), load_any(ROOT / f"sweeps/{name}.toml")
    assert mine.name == "mine_2"
    assert mine.head.command.split()[:3] == ["lrsym", *theirs.head.command.split()[1:2], str(path)]
    if name != "rates":
        assert mine.trial_ids() == theirs.trial_ids()


@pytest.mark.slow
def test_demo_is_copied_where_nothing_is_named_and_the_list_tells_every_question(tmp_path):
    lrsym("new", tmp_path / "a.toml")
    assert load_any(tmp_path / "a.toml").trial_ids() == load_any(ROOT / "sweeps/demo.toml").trial_ids()
    listed = json.loads(lrsym("new", "--list", "--json"))["sweeps"]
    assert {*listed} == {path.stem for path in (ROOT / "sweeps").glob("*.toml")}
    assert listed["demo"] in lrsym("new", "--list")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "a file to write is missing"),
        (["{}/a.toml", "--list"], "a.toml beside it; leave one of them out"),
        (["{}/a.toml", "--from", "recip"], "got recip; did you mean recipe?"),
        (["{}/a.toml", "--from", "zzz"], "shipped are atlas, autoregressive"),
        (["{}/a.txt"], "ends in .toml, got a.txt"),
        (["{}/a b.toml"], "letters, digits, _ and -"),
        (["{}/no/a.toml"], "there is no folder"),
        (["{}/there.toml"], "is there already and is not written over"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_changes(tmp_path, words, said):
    (tmp_path / "there.toml").write_text("mine")
    assert said in lrsym("new", *(word.format(tmp_path) for word in words), code=2)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there.toml", "mine")]


def test_without_a_checkout_the_files_are_those_that_were_installed(tmp_path, monkeypatch):
    (tmp_path / "lrsym").mkdir()
    monkeypatch.setattr(shipped.lrsym, "__file__", str(tmp_path / "lrsym/__init__.py"))
    monkeypatch.setattr(shipped.importlib.metadata, "files", lambda _: [])
    said = lrsym("new", "--list", code=2)
    assert "this installation of lrsym has no sweep files" in said


@pytest.mark.slow
def test_a_wheel_holds_every_sweep_and_claims_file_and_what_is_installed_finds_them(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("lrsym-*.whl")
    named = {name.partition(".data/data/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    for folder in ("sweeps", "claims"):
        assert {f"share/lrsym/{folder}/{p.name}" for p in (ROOT / folder).glob("*.toml")} <= named
    target = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", target], check=True)
    python = target / "bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--ignore-installed", wheel], check=True)
    (site,) = target.glob("lib/python*/site-packages")  # before the checkout's own
    others = [path for path in sys.path if "site-packages" in path]
    made = subprocess.run(
        [target / "bin/lrsym", "new", "mine.toml", "--from", "recipe"], cwd=tmp_path, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join([str(site), *others])},
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert load_any(tmp_path / "mine.toml").name == "mine"
