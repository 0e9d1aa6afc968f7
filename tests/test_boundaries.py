"""Doors between the rooms, checked in fresh processes, and the check shown able to fail."""

import itertools
import subprocess
import sys

import pytest

from lrsym.sweep.spec.sweep_file import load as load_sweep
from tests.fitted import train
from tests.pages import ROOT
from tests.small_trials import pack_of, small, write_checkpoint

HEAVY = (
    "torch", "torch._dynamo", "ray", "optuna", "polars", "pyarrow", "pandas", "altair", "scipy", "typer", "safetensors",
)  # fmt: skip


def imported_along(*codes, folder=None):
    """Which of the heavy libraries a fresh process has loaded after each of `codes`, run one after the other."""
    (found,) = imported_after("", codes, folder=folder)
    return found


def imported_after(start, *lists, folder=None):
    """The same for each of `lists` of codes, in a process of its own that begins as `start` leaves a fresh one."""
    probe = f"\nimport sys\nprint('loaded', *[m for m in {HEAVY!r} if m in sys.modules])\n"
    programs = ["".join(code + probe for code in codes) for codes in lists]
    fork = f"""
import os, sys
{start}
for program in {programs!r}:
    sys.stdout.flush()
    if not os.fork():
        exec(program, {{"__name__": "__main__"}})
        sys.exit()
    assert os.wait()[1] == 0
    print("ended", flush=True)
"""
    words = [sys.executable, "-W", "ignore", "-c", fork]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    *parts, _ = done.stdout.split("ended\n")
    return [[set(line.split()[1:]) for line in part.splitlines() if line.startswith("loaded")] for part in parts]


TABLES = {"polars", "pyarrow"}

TRAIN = """
import tempfile
from tests.fitted import train
from tests.small_trials import small
with tempfile.TemporaryDirectory() as root:
    assert train(root, [small()]) == {"done": 1}
"""
"""A pack as in a worker, where the compiler of torch would take a second to load."""

# A process for each list: what one import may load, the next may as well, so that nothing is excused by its place.
ROOMS = {
    "without torch": [
        (
            "import lrsym, lrsym.config.trial, lrsym.config.axes, lrsym.vocabulary, lrsym.errors, lrsym.toml_source",
            set(),
        ),
        ("import lrsym.claims.file, lrsym.claims.verdict", set()),
        ("import lrsym.sweep.spec.sweep_file", set()),
        ("import lrsym.sweep.engines.local, lrsym.sweep.driver, lrsym.sweep.pilot.choice", TABLES),
        ("import lrsym; lrsym.query, lrsym.__version__, dir(lrsym)", TABLES),
        ("import lrsym; lrsym.Sweep.grid('mine'); lrsym.run_sweep; lrsym.best; lrsym.status", TABLES),
        ("import lrsym.exchange.export, lrsym.exchange.importing, lrsym; lrsym.export, lrsym.import_trials", TABLES),
        ("import lrsym.results.plots.draw, lrsym.results.store.store", {*TABLES, "altair"}),
        ("import lrsym.claims.page, lrsym.claims.judging", {*TABLES, "altair"}),
        ("import lrsym.explain.page, lrsym.results.store.lookup", {*TABLES, "altair"}),
        ("import lrsym.reports.page; import lrsym; lrsym.report", {*TABLES, "altair"}),
        ("import lrsym; lrsym.load_trials('results/reference'); lrsym.plot_phase, lrsym.save", {*TABLES, "altair"}),
    ],
    "command line": [("import lrsym.cli.app", {"typer"})],
    "training": [
        ("import lrsym.testbed.training.training, lrsym.testbed.mechanism.mechanism", {"torch"}),
        ("import lrsym.sweep.execution.train_pack", {"torch", *TABLES}),
        ("import lrsym.explain.compute, lrsym.sweep.execution.retrain", {"torch", "safetensors", *TABLES}),
        (TRAIN, {"torch", "safetensors", *TABLES}),
    ],
    "weights": [("import lrsym; lrsym.load_weights", {"torch", "safetensors", "pyarrow"})],
}


@pytest.fixture(scope="module")
def loaded_by_rooms():
    """What the lists of `ROOMS` load; those that all may load torch begin with it, which takes a second to load."""
    found = {}
    for start in ("", "import torch"):
        alike = [
            name for name, codes in ROOMS.items() if all("torch" in allowed for _, allowed in codes) == bool(start)
        ]
        lists = [[code for code, _ in ROOMS[name]] for name in alike]
        found.update(zip(alike, imported_after(start, *lists), strict=True))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rooms", ROOMS)
def test_a_room_loads_no_library_that_it_has_no_business_with(loaded_by_rooms, rooms):
    loaded = loaded_by_rooms[rooms]
    too_many = [(code, found - allowed) for (code, allowed), found in zip(ROOMS[rooms], loaded, strict=True)]
    assert [(code, found) for code, found in too_many if found] == []


@pytest.mark.parametrize("rooms", ROOMS)
def test_of_rooms_that_are_asked_in_one_process_the_later_may_load_what_the_earlier_may(rooms):
    allowed = [libraries for _, libraries in ROOMS[rooms]]
    assert all(first <= second for first, second in itertools.pairwise(allowed))


def test_the_check_sees_a_library_when_it_is_loaded():
    assert imported_along("import json", "import pyarrow") == [set(), {"pyarrow"}]


@pytest.mark.slow
def test_rows_are_asked_drawn_and_judged_without_torch_and_ray_and_the_store_without_pandas(tmp_path):
    trials = small(), small(seed=1)
    train(tmp_path, trials)
    words = ["lrsym", "claims", "claims/recipe.toml", "--results", "results/reference", "--claim", "GAUGE"]
    use = {
        "the store": f"from lrsym.results.store.store import Store; Store({str(tmp_path)!r}).statuses()",
        "the pilot": "from pathlib import Path; from lrsym.sweep.pilot.disk_usage import *\n"
        f"disk_usage(Path({str(tmp_path)!r}), {pack_of(*trials).id!r}, points=3)",
        "a figure": "import lrsym; from lrsym.results.plots.save import save\n"
        f"save(lrsym.plot_phase(lrsym.load_trials({str(tmp_path)!r})), Path({str(tmp_path / 'picture')!r}))",
        "claims": f"import sys; from lrsym.cli.app import main\n"
        f"sys.argv = {[*words, '--out', str(tmp_path / 'page.html')]!r}\ntry: main()\nexcept SystemExit: pass",
    }
    loaded = dict(zip(use, imported_along(*use.values(), folder=ROOT), strict=True))
    assert [(name, found) for name, found in loaded.items() if found & {"torch", "ray"}] == []
    assert "pandas" not in loaded["the pilot"]
    assert "scipy" in loaded["claims"]
    assert (tmp_path / "picture.png").stat().st_size > 1000
    assert (tmp_path / "page.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_status_reads_checkpoints_without_torch_and_ray(tmp_path):
    sweep = ROOT / "sweeps/demo.toml"
    write_checkpoint(tmp_path, load_sweep(sweep).trials[:2], step=1, steps=2)
    words = ["lrsym", "status", str(sweep), "--results", str(tmp_path)]
    ask = (
        "import io, sys; from contextlib import redirect_stdout; from lrsym.cli.app import main\n"
        f"sys.argv, out = {words!r}, io.StringIO()\n"
        "try:\n    with redirect_stdout(out): main()\nexcept SystemExit: pass\n"
        "assert '2 unfinished trials have a checkpoint, at 50%' in out.getvalue()"
    )
    (found,) = imported_along(ask)
    assert "polars" in found
    assert not {"torch", "ray"} & found
