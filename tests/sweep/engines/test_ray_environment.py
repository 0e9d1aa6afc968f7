"""What a sweep on Ray leaves of a script's own environment: Ray itself is not started here."""

import logging
import os
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

    for name in ("RAY_ADDRESS", "OMP_NUM_THREADS", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TUNE_GLOBAL_CHECKPOINT_S", "7")
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    return met


@pytest.mark.parametrize("fails", [False, True])
def test_a_script_has_its_environment_and_tunes_messages_again(started, caplog, fails):
    from lrsym.sweep.engines.ray_tune.connection import connected

    caplog.set_level(logging.INFO, "ray.tune")
    before = dict(os.environ)
    try:
        with connected(2, threads=1):
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
    assert logging.getLogger("ray.tune").level == logging.INFO


def test_workers_of_a_cluster_are_given_what_they_cannot_inherit(started, monkeypatch):
    from lrsym.sweep.engines.ray_tune.connection import connected

    monkeypatch.setenv("RAY_ADDRESS", "auto")
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
