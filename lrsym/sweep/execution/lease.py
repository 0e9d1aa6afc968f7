"""Leases: which trials each driver has in training, so that several share the work of one results folder.

RESULTS/leases/RUN_ID.json, written anew with each pack and every HEARTBEAT_SECONDS, gone when the run ends. Nothing is
locked: a driver names its trials first and looks at the others' leases then, so of two that want the same trial at the
same moment at least one sees the other, and gives way. A lease that is not heeded costs time, never rows.
"""

import contextlib
import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import FileSystem
from lrsym.sweep.workers.processes import stop_signals_blocked

HEARTBEAT_SECONDS = 10.0
"""How often a driver says that it is there."""

LIFETIME_SECONDS = 60.0
"""A lease that was not written for so long is nobody's: several heartbeats, should a disk or a clock lag. So far clocks
must agree, whichever is ahead."""

_FOLDER, _SUFFIX = "leases", ".json"


@dataclass(frozen=True)
class Holder:
    """A process that drives a sweep; `boot` tells its machine, since that was started, and its space of pids."""

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> Self:
        """Return this process."""
        return cls(socket.gethostname(), _boot(), os.getpid(), (_state_and_start(os.getpid()) or ("", ""))[1])

    def is_gone(self) -> bool:
        """Return whether it is a process of this machine that has ended; of others nobody knows."""
        here = Holder.this_process()
        if (self.host, self.boot) != (here.host, here.boot):
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:  # somebody else's
            pass
        known = _state_and_start(self.pid)
        return known is not None and (known[0] in "ZX" or known[1] != self.started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True)
class Claim:
    """What a lease says: `alone` is what no other may do at the same time, None for a plain sweep."""

    run_id: str
    holder: Holder
    heartbeat: float
    alone: str | None
    trial_ids: frozenset[str]

    def is_current(self) -> bool:
        """Return whether it was written in the last LIFETIME_SECONDS, as far as its clock and ours agree."""
        return abs(time.time() - self.heartbeat) <= LIFETIME_SECONDS

    def is_stale(self) -> bool:
        """Return whether nobody holds it any more, as far as one look can tell.

        Of a clock that does not agree with ours it is stale, too: else what a machine left whose clock was ahead would
        keep others waiting for ever. To heed it too little costs time, never rows; a `Lease` looks again, and sees.
        """
        return not self.is_current() or self.holder.is_gone()


def read_claims(files: FileSystem, *, but: str = "") -> dict[str, Claim]:
    """Return what the leases say, stale ones included, by the name of their file; not that of the file `but`."""

    def read(name: str) -> Claim | None:
        # Just removed, or none of ours.
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return _from_json(json.loads(files.get(name)))
        return None

    names = [name for name in files.list(_FOLDER, suffix=_SUFFIX) if name != but]
    return {name: claim for name, claim in zip(names, files.map(read, names), strict=True) if claim is not None}


def live_claims(files: FileSystem) -> dict[str, Claim]:
    """Return what the leases say that somebody holds, by the name of their file."""
    return {name: claim for name, claim in read_claims(files).items() if not claim.is_stale()}


def remove_stale_leases(files: FileSystem) -> None:
    """Remove the leases that nobody holds any more, as killed drivers leave them, as far as they can be removed."""
    for name, claim in read_claims(files).items():
        if claim.is_stale():
            with contextlib.suppress(OSError):  # that of somebody else
                files.delete(name)


def require_alone(files: FileSystem, alone: str | None, *, claims: Iterable[Claim] | None = None) -> None:
    """Raise UsageError where another process does what is to be done by one at a time."""
    for claim in live_claims(files).values() if claims is None else claims:
        if alone is not None and claim.alone == alone:
            raise UsageError(
                f"{alone} is being run in {files.root} by {claim.holder}, and what it trains next depends on what "
                "has ended: one process at a time; wait for it or stop it, and give one command more --workers, or "
                "--engine ray for several machines"
            )


class Lease:
    """The lease of one run, while its context is open; a thread writes its heartbeat.

    `on_meet` gets the holder of every other lease once, from whichever thread sees it first.
    """

    def __init__(
        self,
        files: FileSystem,
        run_id: str,
        *,
        alone: str | None = None,
        on_meet: Callable[[Holder], None] = lambda holder: None,
        heartbeat: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._run_id, self._alone, self._on_meet = files, run_id, alone, on_meet
        self._holder, self._name = Holder.this_process(), f"{_FOLDER}/{run_id}{_SUFFIX}"
        self._held, self._lock, self._ended = set[str](), threading.RLock(), threading.Event()
        self._clock, self._seen = clock, dict[str, _Seen]()
        self._thread = threading.Thread(target=self._beat, args=(heartbeat,), name="lrsym-lease", daemon=True)
        self.met: dict[str, Holder] = {}
        """Holders of other leases that were seen, by run_id."""

    def others(self) -> list[Claim]:
        """Return the claims of other processes that hold them; files of those that nobody holds are removed."""
        with self._lock:
            claims = read_claims(self._files, but=self._name)
            live = [claim for name, claim in claims.items() if not self._is_stale(name, claim)]
            new = {claim.run_id: claim.holder for claim in live if claim.run_id not in self.met}
            self.met |= new
        for holder in new.values():
            with contextlib.suppress(Exception):  # what cannot be shown must not end the heartbeat
                self._on_meet(holder)
        return live

    def claim(self, trial_ids: Iterable[str]) -> set[str]:
        """Name those of the trials that no other lease names; return them. Raises OSError."""
        with self._lock:
            free = {*trial_ids}.difference(*(other.trial_ids for other in self.others()))
            if free:
                self._held |= free
                self._write()
                # Whoever has named them meanwhile sees this lease, or is seen here.
                contested = free & {i for other in self.others() for i in other.trial_ids}
                free -= contested
                self.release(contested)
                if contested:
                    self._write()
            return free

    def release(self, trial_ids: Iterable[str]) -> None:
        """Name these trials no more from the next time that the lease is written."""
        with self._lock:
            self._held.difference_update(trial_ids)

    def _is_stale(self, name: str, claim: Claim) -> bool:
        """Return whether nobody holds a claim; one that has changed while it was watched somebody does, whatever its
        clock says, and one that has not for LIFETIME_SECONDS nobody."""
        before, now = self._seen.get(name), self._clock()
        if before is None or before.claim != claim:
            self._seen[name] = _Seen(claim, now, changed=before is not None)
        seen = self._seen[name]
        if not claim.holder.is_gone() and now - seen.since <= LIFETIME_SECONDS:
            return not (claim.is_current() or seen.changed)
        with contextlib.suppress(OSError):  # that of somebody else
            self._files.delete(name)
        return True

    def _write(self) -> None:
        claim = Claim(self._run_id, self._holder, time.time(), self._alone, frozenset(self._held))
        self._files.put(self._name, _to_json(claim))

    def _beat(self, seconds: float) -> None:
        while not self._ended.wait(seconds):
            with contextlib.suppress(OSError), self._lock:  # a disk that is full, or away for a while
                self._write()
                self.others()

    def __enter__(self) -> Self:
        try:
            self._write()
            require_alone(self._files, self._alone, claims=self.others())
            with stop_signals_blocked():  # the thread leaves them to the main one
                self._thread.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._ended.set()
            self._thread.join()
        finally:  # a signal may end the waiting
            self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):  # it is stale soon
            self._files.delete(self._name)


@dataclass(frozen=True)
class _Seen:
    """A claim as it was read first, when that was, and whether its lease said something else before."""

    claim: Claim
    since: float
    changed: bool


def _to_json(claim: Claim) -> bytes:
    return json.dumps({**vars(claim), "holder": asdict(claim.holder), "trial_ids": [*claim.trial_ids]}).encode()


def _from_json(data: dict[str, Any]) -> Claim:
    """Return what a lease says; ValueError, TypeError or KeyError where it is none."""
    told, alone, heartbeat = data["holder"], data["alone"], float(data["heartbeat"])
    if not math.isfinite(heartbeat):
        raise ValueError(f"a heartbeat is a time, got {heartbeat}")
    return Claim(
        str(data["run_id"]),
        Holder(str(told["host"]), str(told["boot"]), int(told["pid"]), str(told["started"])),
        heartbeat,
        None if alone is None else str(alone),
        frozenset(map(str, data["trial_ids"])),
    )


def _boot() -> str:
    """Return what tells this start of this machine, and this space of pids, from others; empty where there is no
    such thing."""
    with contextlib.suppress(OSError):
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _state_and_start(pid: int) -> tuple[str, str] | None:
    """Return the state of a process, and when it began in ticks of its machine; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]  # fields 3 and 22 of proc_pid_stat(5)
    except (OSError, IndexError):
        return None
