"""Checks of the tests themselves: shapes in signatures are enforced while tests run."""

import gc
import glob
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("LRSYM_RESULTS", None)
if not glob.glob("/dev/nvidia*"):
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported, by whatever test is first

# What is compiled once is there for every process that a test starts, and for the next run.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    sys.dont_write_bytecode = False

import uuid
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

install_import_hook("lrsym.testbed", "beartype.beartype")

# No deadline and no look at the speed: a machine may be slow. CI asks for the profile `full` as well.
for name, n_examples in (("full", 200), ("quick", 20)):
    settings.register_profile(
        name, max_examples=n_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile("quick")


@pytest.fixture(scope="session")
def s3_server():
    """A server on loopback that speaks S3, started for the first test that wants it."""
    from tests.s3_server import running

    with running() as server:
        yield server


@pytest.fixture
def s3(s3_server, monkeypatch):
    """That server, well-behaved, found by this process and those it starts; `s3.url` is a new place in its bucket."""
    s3_server.reset()
    s3_server.make_bucket()
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    s3_server.url = f"s3://bucket/{uuid.uuid4().hex}/results"
    return s3_server


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Let a test with the mark `slow_after(n)` be slow from its case n + 1 on."""
    cases = Counter()
    for item in items:
        mark = item.get_closest_marker("slow_after")
        if mark and not item.get_closest_marker("slow"):
            cases[item.parent.nodeid, item.originalname] += 1
            if cases[item.parent.nodeid, item.originalname] > mark.args[0]:
                item.add_marker("slow")


def pytest_collection_finish():
    """Spare the collector what the imports left: it stays until the end, and each full collection would visit it."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)  # and what the tests make is small beside a machine's memory


def pytest_unconfigure():
    """Let the collector have them again: the interpreter's end would tell what Triton's bindings then still hold."""
    gc.unfreeze()
