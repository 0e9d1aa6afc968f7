"""A Ray to run on: a cluster's, or one that is started on this machine and ends with the sweep."""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import ray
from ray._private import services

import lrsym
from lrsym.errors import UsageError
from lrsym.sweep.workers.processes import worker_environment

ANSWER_SECONDS = 5.0
"""How long the head of a cluster may take to answer."""


@contextlib.contextmanager
def connected(workers: int, threads: int) -> Iterator[None]:
    """Be connected to the cluster at RAY_ADDRESS, else to a Ray of our own with slots for `workers`.

    Disconnects at the end what was connected here.
    """
    if ray.is_initialized():
        yield
        return
    _check_address()
    if os.environ.get("RAY_ADDRESS"):
        settings: dict[str, Any] = {"runtime_env": {"env_vars": worker_environment(threads)}}
    else:  # started here, so workers inherit; a runtime environment would cost seconds
        os.environ.update(worker_environment(threads))
        # Ray's workers import from the driver's folder, too: what is named lrsym there, as a clone is, is no package.
        here, given = str(Path(lrsym.__file__).parents[1]), os.environ.get("PYTHONPATH", "").split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join([here, *(path for path in given if path not in ("", here))])
        settings = {"address": "local", "num_cpus": workers * threads, "include_dashboard": False}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    with _apart_from_our_signals():
        _connect(**settings)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # it would print the death of each worker
    _restore_sigterm(on_sigterm)
    with contextlib.redirect_stdout(sys.stderr):  # Ray prints that a worker died: one of its threads, and shutdown
        try:
            yield
        finally:
            ray.shutdown()


def _connect(**settings: Any) -> None:
    """Connect to the cluster at RAY_ADDRESS, or to a Ray of its own. Raises UsageError where there is none."""
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **settings)
    except ConnectionError as error:
        if not os.environ.get("RAY_ADDRESS"):
            raise
        raise _no_cluster(str(error).partition(". ")[0]) from error


@contextlib.contextmanager
def _apart_from_our_signals() -> Iterator[None]:
    """Let what Ray starts here have process groups of their own.

    A shell, a terminal and a batch system signal the whole group of a command. Ray's servers would end at once, and a
    driver that still asks them for something is ended by Ray's library without a word of ours.
    """
    start = services.ConsolePopen
    services.ConsolePopen = partial(start, process_group=0)
    try:
        yield
    finally:
        services.ConsolePopen = start


def count_cluster_gpus() -> int:
    """Return the number of GPUs of the cluster at RAY_ADDRESS, which this connects to meanwhile."""
    _check_address()
    on_sigterm = signal.getsignal(signal.SIGTERM)
    _connect()
    try:
        return _gpus()
    finally:
        ray.shutdown()
        _restore_sigterm(on_sigterm)


def _gpus() -> int:
    gpus = int(ray.cluster_resources().get("GPU", 0))
    if not gpus:
        raise UsageError("device cuda needs a GPU in the Ray cluster, it has none; use --device cpu")
    return gpus


def gpu_share(workers: int) -> float:
    """Return the part of a GPU that one worker gets: 1/n, because Ray takes no other fractions."""
    return 1 / ceil(workers / _gpus())


def _check_address() -> None:
    """Raise UsageError where RAY_ADDRESS cannot be a cluster's, or nothing listens there: Ray would wait minutes."""
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "auto", "local"):
        return
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not port.isdecimal():
        raise UsageError(
            f"RAY_ADDRESS must be host:port of the cluster's head, or auto, got {address}; "
            "http:// addresses are for ray job submit --address"
        )
    # On the head's own machine Ray takes a loopback address for the node's.
    host = host.strip("[]")
    hosts = [host, *([ray.util.get_node_ip_address()] if host in ("127.0.0.1", "localhost") else [])]
    reasons = []
    for name in hosts:
        try:
            socket.create_connection((name, int(port)), timeout=ANSWER_SECONDS).close()
        except (OSError, OverflowError) as error:
            reasons.append(getattr(error, "strerror", None) or str(error))
        else:
            return
    raise _no_cluster(reasons[0])


def _no_cluster(reason: str) -> UsageError:
    address = os.environ["RAY_ADDRESS"]
    return UsageError(f"no Ray cluster answers at RAY_ADDRESS {address} ({reason}); start it, or unset the variable")


def _restore_sigterm(handler: Any) -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own in its place, which aborts
