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
from ray._private import services, utils

import lrsym
from lrsym.errors import UsageError
from lrsym.sweep.workers.processes import environment, worker_environment

ANSWER_SECONDS = 5.0
"""How long the head of a cluster may take to answer."""

_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is the driver's to answer, Tune heeds it only between packs
    "TUNE_GLOBAL_CHECKPOINT_S": "60",  # the experiment state is written rarely
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # workers stay in the driver's folder
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a CPU worker does not lose sight of a GPU
}
"""What Ray and Tune read from the environment, where the user has said nothing else."""


@contextlib.contextmanager
def connected(workers: int, threads: int) -> Iterator[None]:
    """Be connected to the cluster at RAY_ADDRESS, else to a Ray of our own with slots for `workers`.

    Disconnects at the end what was connected here, and leaves environment and logging as they were, whatever Ray has
    changed: a script may go on to run an experiment of its own.
    """
    settings = {"TUNE_MAX_PENDING_TRIALS_PG": str(2 * workers), **_SETTINGS}
    with environment({name: value for name, value in settings.items() if name not in os.environ}):
        if ray.is_initialized():
            yield
            return
        _check_address()
        with _to_cluster(threads) if os.environ.get("RAY_ADDRESS") else _to_own(workers, threads):
            yield


@contextlib.contextmanager
def _to_cluster(threads: int) -> Iterator[None]:
    names = [name for name in _SETTINGS if name in os.environ]
    variables = {**{name: os.environ[name] for name in names}, **worker_environment(threads)}
    with _session(runtime_env={"env_vars": variables}):
        yield


@contextlib.contextmanager
def _to_own(workers: int, threads: int) -> Iterator[None]:
    # Ray's workers import from the driver's folder, too: what is named lrsym there, as a clone is, is no package.
    here, given = str(Path(lrsym.__file__).parents[1]), os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = os.pathsep.join([here, *(path for path in given if path not in ("", here))])
    # Workers inherit; a runtime environment would cost seconds.
    with (
        environment({**worker_environment(threads), "PYTHONPATH": paths}),
        _session(address="local", num_cpus=workers * threads, include_dashboard=False),
    ):
        yield


@contextlib.contextmanager
def _session(**settings: Any) -> Iterator[None]:
    """Be connected by `ray.init(**settings)`, without a word of Ray's on standard output."""
    with _levels_kept():
        _connect(**settings)
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # it would print the death of each worker
        with contextlib.redirect_stdout(sys.stderr):  # Ray prints that a worker died: one of its threads, and shutdown
            try:
                yield
            finally:
                ray.shutdown()


@contextlib.contextmanager
def _levels_kept() -> Iterator[None]:
    """Put back, at the end, which messages Ray's loggers let through."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.split(".")[0] == "ray"]
    before = [logger.level for logger in loggers]
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _connect(**settings: Any) -> None:
    """Connect to the cluster at RAY_ADDRESS, or to a Ray of its own. Raises UsageError where there is none."""
    try:
        with _apart_from_our_signals():
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **settings)
    except ConnectionError as error:
        if not os.environ.get("RAY_ADDRESS"):
            raise
        raise _no_cluster(str(error).partition(". ")[0]) from error
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # below Python Ray's library has put one in its place, which aborts


@contextlib.contextmanager
def _apart_from_our_signals() -> Iterator[None]:
    """Let what Ray starts here have process groups of their own, and leave SIGTERM to the handler that is there.

    A shell, a terminal and a batch system signal the whole group of a command. Ray's servers would end at once, and a
    driver that still asks them for something is ended by Ray's library without a word of ours; so does Ray's handler of
    SIGTERM, from the first moment of its start.
    """
    start, set_handler = services.ConsolePopen, utils.set_sigterm_handler
    services.ConsolePopen, utils.set_sigterm_handler = partial(start, process_group=0), lambda handler: None
    try:
        yield
    finally:
        services.ConsolePopen, utils.set_sigterm_handler = start, set_handler


def count_cluster_gpus() -> int:
    """Return the number of GPUs of the cluster at RAY_ADDRESS, which this connects to meanwhile."""
    _check_address()
    with environment({}), _levels_kept():
        _connect()
        try:
            return _gpus()
        finally:
            ray.shutdown()


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
    if address in ("", "local"):
        return
    if address == "auto":
        address = _find_cluster()
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    # A port above 65535 would be taken for what is left of it after division by 65536.
    if "://" in address or not host or not (port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65535):
        raise UsageError(
            f"RAY_ADDRESS must be host:port of the cluster's head with a port from 1 to 65535, or auto, got {address}; "
            "http:// addresses are for ray job submit --address"
        )
    # On the head's own machine Ray takes a loopback address for the node's.
    hosts = [host, *([ray.util.get_node_ip_address()] if host in ("127.0.0.1", "localhost") else [])]
    reasons = []
    for name in hosts:
        try:
            socket.create_connection((name, int(port)), timeout=ANSWER_SECONDS).close()
        except (OSError, ValueError) as error:  # the last where it can be no name
            reasons.append(getattr(error, "strerror", None) or str(error))
        else:
            return
    raise _no_cluster(reasons[0] if os.environ["RAY_ADDRESS"] != "auto" else f"{address}: {reasons[0]}")


def _find_cluster() -> str:
    """Return the address that Ray takes `auto` for: what runs on this machine, or ran when its file was written."""
    try:
        return services.get_ray_address_from_environment("auto", None)
    except ConnectionError as error:
        raise _no_cluster(str(error).partition(". ")[0]) from error


def _no_cluster(reason: str) -> UsageError:
    address = os.environ["RAY_ADDRESS"]
    return UsageError(f"no Ray cluster answers at RAY_ADDRESS {address} ({reason}); start it, or unset the variable")
