"""What a sweep on Ray leaves of a script's own environment: Ray itself is started in the last test alone."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lrsym.errors import UsageError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `ray.init` was given, with the environment and the level of Tune's messages that it met."""
    import ray

    met = []

    def init(**settings: Any) -> None:
        met.append({**settings, "environ": dict(os.environ)})
        ray._private.utils.set_sigterm_handler(lambda number, frame: sys.exit(number))  # as Ray's does
        os.environ |= {"PYTHONBREAKPOINT": "ray's", "TUNE_GLOBAL_CHECKPOINT_S": "ray's"}
        del os.environ["UNWANTED_BY_RAY"]
        logging.getLogger("ray").setLevel(logging.ERROR)

    for name in ("RAY_ADDRESS", "OMP_NUM_THREADS", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    monkeypatch.setenv("TUNE_GLOBAL_CHECKPOINT_S", "7")
    monkeypatch.setenv("UNWANTED_BY_RAY", "1")
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    return met


@pytest.mark.parametrize("fails", [False, True])
def test_a_script_has_its_environment_and_rays_messages_again(started, caplog, fails):
    from lrsym.sweep.engines.ray_tune.connection import connected

    caplog.set_level(logging.INFO, "ray.tune")
    caplog.set_level(logging.WARNING, "ray")
    before, on_sigterm = dict(os.environ), signal.getsignal(signal.SIGTERM)
    try:
        with connected(2, threads=1):
            assert signal.getsignal(signal.SIGTERM) is on_sigterm
            assert logging.getLogger("ray.tune").level == logging.CRITICAL
            assert os.environ["TUNE_MAX_PENDING_TRIALS_PG"] == "4"
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    (met,) = started
    assert (
        met["environ"].items()
        >= {
            "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
            "TUNE_GLOBAL_CHECKPOINT_S": "7",  # the user's own
            "OMP_NUM_THREADS": "1",
        }.items()
    )
    assert dict(os.environ) == before
    assert [logging.getLogger(name).level for name in ("ray.tune", "ray")] == [logging.INFO, logging.WARNING]


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """RAY_ADDRESS names a port of this machine at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")
        yield


def test_workers_of_a_cluster_are_given_what_they_cannot_inherit(started, listening):
    from lrsym.sweep.engines.ray_tune.connection import connected

    before = dict(os.environ)
    with connected(1, threads=3):
        pass
    (met,) = started
    variables = met["runtime_env"]["env_vars"]
    assert (variables["OMP_NUM_THREADS"], variables["RAY_CHDIR_TO_TRIAL_DIR"]) == ("3", "0")
    assert dict(os.environ) == before


def test_where_no_cluster_answers_the_environment_is_as_it_was(started, monkeypatch):
    from lrsym.sweep.engines.ray_tune.connection import connected

    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    before = dict(os.environ)
    with pytest.raises(UsageError, match="host:port"), connected(1, threads=1):
        pass
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "address",
    [
        "a..b:1",
        ".x:1",
        f"{'x' * 70}:1",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "127.0.0.1:" + "9" * 5000,
        "\udcff:1",
        ":1",
        "[]:1",
        " :1",
        "[::1:1",
    ],
)
def test_what_can_be_no_address_is_one_sentence(started, monkeypatch, address):
    from lrsym.sweep.engines.ray_tune.connection import connected

    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UsageError, match="RAY_ADDRESS"), connected(1, threads=1):
        pass
    assert started == []


def test_no_port_is_taken_for_another(started, listening, monkeypatch):
    from lrsym.sweep.engines.ray_tune.connection import connected

    host, _, port = os.environ["RAY_ADDRESS"].rpartition(":")
    monkeypatch.setenv("RAY_ADDRESS", f"{host}:{int(port) + 65536}")
    with pytest.raises(UsageError, match="port from 1 to 65535"), connected(1, threads=1):
        pass
    assert started == []


@pytest.mark.parametrize("written", [True, False])
def test_where_auto_means_a_cluster_that_is_gone_one_line_says_so_at_once(started, monkeypatch, tmp_path, written):
    from ray._private import services

    from lrsym.sweep.engines.ray_tune.connection import connected

    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr(services, "find_gcs_addresses", frozenset)
    if written:
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray/ray_current_cluster").write_text(address)
    why = rf"RAY_ADDRESS auto \({address}: Connection refused\)" if written else "RAY_ADDRESS auto .*Could not find any"
    with pytest.raises(UsageError, match=f"{why}.*unset the variable"), connected(1, threads=1):
        pass
    assert started == []


def test_a_cluster_that_is_gone_is_nothing_to_a_sweep_with_a_ray_of_its_own(started, monkeypatch, tmp_path):
    from lrsym.sweep.engines.ray_tune.connection import connected

    (tmp_path / "ray").mkdir()
    (tmp_path / "ray/ray_current_cluster").write_text("127.0.0.1:1")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with connected(2, threads=1):
        pass
    assert [met["address"] for met in started] == ["local"]


def test_the_gpus_of_a_cluster_are_counted_without_a_trace(started, listening, monkeypatch, caplog):
    import ray

    from lrsym.sweep.engines.ray_tune.connection import count_cluster_gpus

    monkeypatch.setattr(ray, "cluster_resources", lambda: {"GPU": 3.0})
    caplog.set_level(logging.WARNING, "ray")
    before = dict(os.environ)
    assert count_cluster_gpus() == 3
    assert dict(os.environ) == before
    assert logging.getLogger("ray").level == logging.WARNING


SCRIPT = """
import json, logging, os

before = dict(os.environ)
from lrsym.sweep.engines.ray_tune.connection import connected

imported = dict(os.environ)
level = logging.getLogger("ray").level
for _ in range(2):
    with connected(1, threads=1):
        assert dict(os.environ) != imported
changed = [{name for name in {*before, *now} if before.get(name) != now.get(name)} for now in (imported, os.environ)]
print(json.dumps([*map(sorted, changed), logging.getLogger("ray").level - level]))
"""


@pytest.mark.slow
@pytest.mark.ray
def test_ray_itself_leaves_nothing_in_the_environment_of_a_script_not_even_its_import():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    imported, after, level = json.loads(done.stdout)
    assert not {name for name in imported + after if "RAY" in name or "TUNE" in name or "BREAKPOINT" in name}
    assert after == imported
    assert level == 0
