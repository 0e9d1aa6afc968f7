"""Doors between the rooms, checked in fresh processes, and the check shown able to fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from lrsym.sweep.spec.sweep_file import load as load_sweep
from tests.small_trials import write_checkpoint

HEAVY = ("torch", "ray", "optuna", "polars", "pyarrow", "pandas", "altair", "scipy", "typer", "safetensors")


def imported_by(code, *, folder=None):
    """Which of the heavy libraries a fresh process has loaded after `code`."""
    probe = f"{code}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", probe], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        (
            "import lrsym, lrsym.config.trial, lrsym.config.axes, lrsym.vocabulary, lrsym.errors, lrsym.toml_source",
            set(),
        ),
        ("import lrsym.testbed.training.training, lrsym.testbed.mechanism.mechanism", {"torch"}),
        ("import lrsym.results.plots.draw, lrsym.results.store.store", {"polars", "pyarrow", "altair"}),
        ("import lrsym.claims.file, lrsym.claims.verdict", set()),
        ("import lrsym.claims.page, lrsym.claims.judging", {"polars", "pyarrow", "altair"}),
        ("import lrsym.explain.page, lrsym.results.store.lookup", {"polars", "pyarrow", "altair"}),
        ("import lrsym.sweep.spec.sweep_file", set()),
        ("import lrsym.sweep.execution.train_pack", {"torch", "polars", "pyarrow"}),
        ("import lrsym.sweep.engines.local, lrsym.sweep.driver, lrsym.sweep.pilot.choice", {"polars", "pyarrow"}),
        ("import lrsym.explain.compute, lrsym.explain.retrain", {"torch", "safetensors", "polars", "pyarrow"}),
        ("import lrsym.cli.app", {"typer"}),
        ("import lrsym; lrsym.load_weights", {"torch", "safetensors", "pyarrow"}),
        ("import lrsym; lrsym.load_trials('nowhere'); lrsym.plot_phase", {"polars", "pyarrow", "altair"}),
        ("import lrsym; lrsym.query, lrsym.__version__, dir(lrsym)", {"polars", "pyarrow"}),
    ],
)
def test_a_room_loads_no_library_that_it_has_no_business_with(code, allowed):
    assert imported_by(code) <= allowed


def test_the_check_sees_a_library_that_is_loaded():
    assert imported_by("import pyarrow") == {"pyarrow"}


def test_a_pack_trains_without_ray_and_pandas_and_a_figure_is_redrawn_without_torch(tmp_path):
    code = f"from tests.fitted import train; from tests.small_trials import small; train({str(tmp_path)!r}, [small()])"
    assert not {"ray", "pandas"} & imported_by(code)
    draw = (
        "import lrsym; from lrsym.results.plots.save import save; from pathlib import Path\n"
        f"save(lrsym.plot_phase(lrsym.load_trials({str(tmp_path)!r})), Path({str(tmp_path / 'picture')!r}))"
    )
    assert not {"torch", "ray"} & imported_by(draw)
    ask = (
        f"from lrsym.results.store.store import Store; s = Store({str(tmp_path)!r}); s.statuses(), s.part_statuses('p')"
    )
    assert "pandas" not in imported_by(ask)
    pilot = f"from lrsym.sweep.pilot.disk_usage import *; disk_usage(Path({str(tmp_path)!r}), 'p', points=3)"
    assert "pandas" not in imported_by(pilot)
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_claims_are_judged_and_their_page_written_without_torch(tmp_path):
    words = ["lrsym", "claims", "claims/recipe.toml", "--results", "results/reference", "--claim", "EP"]
    ask = (
        f"import sys; from lrsym.cli.app import main; sys.argv = {[*words, '--out', str(tmp_path / 'page.html')]!r}\n"
        "try: main()\nexcept SystemExit: pass"
    )
    found = imported_by(ask, folder=Path(__file__).parent.parent)
    assert "scipy" in found
    assert not {"torch", "ray"} & found
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_a_status_reads_checkpoints_without_torch_and_ray(tmp_path):
    sweep = Path(__file__).parent.parent / "sweeps/demo.toml"
    write_checkpoint(tmp_path, load_sweep(sweep).trials[:2], step=1, steps=2)
    words = ["lrsym", "status", str(sweep), "--results", str(tmp_path)]
    ask = (
        "import io, sys; from contextlib import redirect_stdout; from lrsym.cli.app import main\n"
        f"sys.argv, out = {words!r}, io.StringIO()\n"
        "try:\n    with redirect_stdout(out): main()\nexcept SystemExit: pass\n"
        "assert '2 unfinished trials have a checkpoint, at 50%' in out.getvalue()"
    )
    found = imported_by(ask)
    assert "polars" in found
    assert not {"torch", "ray"} & found
