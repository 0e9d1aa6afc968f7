"""`lrsym sweep` as a user meets it: what it trains and records, and what it refuses before training."""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from lrsym.sweep import driver
from lrsym.sweep.driver import Outcome
from tests.running import lrsym
from tests.small_trials import write_sweep


@pytest.mark.parametrize(
    ("statuses", "stopped_by", "code"), [({"timeout": 8}, None, 1), ({"done": 6}, signal.SIGINT, 130)]
)
def test_the_command_that_goes_on_after_failures_and_after_ctrl_c_keeps_every_option(
    tmp_path, monkeypatch, statuses, stopped_by, code
):
    pending = 8 - sum(statuses.values())
    outcome = Outcome(run_id="r", statuses=Counter(statuses), pending=pending, stopped_by=stopped_by, seconds=1.0)
    monkeypatch.setattr(driver, "run", lambda *_, **__: outcome)
    path = write_sweep(tmp_path, steps=5)
    words = ("--results", tmp_path / "r", "--workers", 1, "--timeout", 1e-9, "--save-weights")
    text = lrsym("sweep", path, *words, code=code)
    assert f"lrsym sweep {path} --workers 1 --timeout 1e-09 --save-weights --results {tmp_path / 'r'}" in text


def test_a_run_is_recorded_with_where_it_came_from(trained):
    rows = json.loads(lrsym("query", "select * from runs", "--results", trained[1], "--json"))
    assert len(rows) == 1
    assert {k: rows[0][k] for k in ("sweep", "engine", "workers", "device", "n_planned")} == {
        "sweep": "small", "engine": "local", "workers": 1, "device": "cpu", "n_planned": 8,
    }  # fmt: skip
    assert rows[0]["finished_at"] is not None
    assert rows[0]["torch"].startswith("2.13.0")


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


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("sweep", path, "--results", tmp_path / "r", "--device", "cuda", "--engine", "local", code=2)
    assert "use --device cpu" in text
    assert not (tmp_path / "r").exists()
