"""What driver and workers of a Ray cluster share: the packs, who has which, and signs of life.

Ray notices processes and nodes that end; one that stands still it waits for.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lrsym.errors import UsageError
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.workers.news import SIGN_SECONDS

KILL_SECONDS = 30.0
"""How long the driver waits for a node to kill a process: Ray sees for itself where the node is gone."""


ANSWER_SECONDS = 60.0
"""How long the board may take to answer, which takes milliseconds: for one that stands still Ray waits without end."""


@dataclass(frozen=True)
class Sighting:
    """A worker with a pack: its Tune trial, node and process, for how many seconds it has it, and was not heard of.

    What has `trained` and writes its rows has met its time.
    """

    tune_trial: str
    node: str
    pid: int
    busy: float = 0.0
    silent: float = 0.0
    trained: bool = False


@ray.remote(num_cpus=0)
class PackBoard:
    """An actor from which a worker takes the pack that its Tune trial names: Tune's state stays small."""

    def __init__(self) -> None:
        self._packs: dict[str, Pack] = {}
        self._taken: dict[str, _Taken] = {}

    def put(self, pack: Pack) -> None:
        """Make a pack available to one worker: it is put again for each try."""
        self._packs[pack.id] = pack

    def take(self, pack_id: str, worker: Sighting) -> Pack:
        """Return the pack with that id, which `worker` has from now on."""
        now = time.monotonic()
        self._taken[pack_id] = _Taken(worker, since=now, heard=now)
        return self._packs.pop(pack_id)

    def sign(self, pack_id: str, *, trained: bool = False) -> None:
        """Note that the worker with that pack is alive, and whether it has trained it."""
        if taken := self._taken.get(pack_id):  # else it has just left
            taken.heard = time.monotonic()
            taken.trained |= trained

    def leave(self, pack_id: str, worker: Sighting) -> None:
        """Note that `worker` has that pack no more; another may have it by now."""
        taken = self._taken.get(pack_id)
        if taken and taken.worker.tune_trial == worker.tune_trial:
            del self._taken[pack_id]

    def sightings(self) -> dict[str, Sighting]:
        """Return who has which pack."""
        now = time.monotonic()
        return {
            pack_id: replace(taken.worker, busy=now - taken.since, silent=now - taken.heard, trained=taken.trained)
            for pack_id, taken in self._taken.items()
        }


@dataclass
class _Taken:
    """What the board knows of a worker with a pack: since when it has it, and when it was heard of last."""

    worker: Sighting
    since: float
    heard: float
    trained: bool = False


def start_board() -> Any:
    """Return the handle of a new board on the driver's node: lost only with the driver, whichever other node is."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = PackBoard  # Ray's decorator has no type
    return actor.options(scheduling_strategy=here).remote()


def answer(asked: Any) -> Any:
    """Return what a board answers to `asked`. Raises UsageError where it is lost, or has not answered in time."""
    try:
        return ray.get(asked, timeout=ANSWER_SECONDS)
    except RayTaskError:  # a mistake in the board itself
        raise
    except RayError as error:
        raise UsageError(
            f"the actor of the Ray cluster that has the packs was lost ({type(error).__name__}); run the same command "
            "again: it trains what has not ended"
        ) from error


def this_worker(tune_trial: str) -> Sighting:
    """Return this process, which runs that Tune trial."""
    return Sighting(tune_trial, ray.get_runtime_context().get_node_id(), os.getpid())


@contextlib.contextmanager
def signs_of_life(board: Any, pack_id: str, worker: Sighting) -> Iterator[None]:
    """Let a thread tell the board every SIGN_SECONDS that this process is alive; in the end `worker` leaves it."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(SIGN_SECONDS):
            board.sign.remote(pack_id)

    thread = threading.Thread(target=beat, name="lrsym-signs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        board.leave.remote(pack_id, worker)


def kill(worker: Sighting) -> None:
    """Kill a process of the cluster, on its node; one that is gone already is well."""
    there = NodeAffinitySchedulingStrategy(worker.node, soft=False)
    with contextlib.suppress(RayError):
        ray.get(_kill.options(scheduling_strategy=there).remote(worker.pid), timeout=KILL_SECONDS)


def _kill_here(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


_kill: Any = ray.remote(num_cpus=0, max_retries=0)(_kill_here)
