"""`python -m tests.chaos`: kill, freeze and stop a sweep at random moments until it is done, and compare its rows.

The same command is run again and again, as a person or a batch system would, while workers, drivers and their
process groups are killed, frozen and stopped, and the store fails for a moment. Then the rows of every table must be
those of an undisturbed run, to the last digit and each once. Rounds follow each other until there were enough events.
The seed is printed; it fixes the events and the times between them, not what they meet.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load
from lrsym.sweep.spec.sweep_file import load as load_sweep
from tests import s3_server
from tests.running import start_sweep, workers_of
from tests.small_trials import write_sweep

PAUSE_SECONDS = {"local": (0.5, 4.0), "ray": (1.0, 15.0)}
"""Least and most time between two events; Ray takes longer to start."""

FROZEN_SECONDS = 0.5, 4.0
"""How long a process stands still that is frozen."""

MAX_STARTS = 1000
"""A round that takes more of them makes no progress."""

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

CODES = {0, -signal.SIGKILL, *(128 + number for number in _STOPS), *(-number for number in _STOPS)}
"""Exit codes of a sweep that nobody keeps from its store; a signal may meet Python before lrsym heeds it."""

PROVENANCE = ["seconds", "run_id", "finished_at"]
"""Columns that differ from run to run."""


@dataclass
class Report:
    """What happened: `events` by kind, `starts` of the command, rounds, and what was wrong in the end."""

    seed: int
    events: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    rounds: int = 0
    rows: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        listed = ", ".join(f"{n} x {kind}" for kind, n in sorted(self.events.items()))
        lines = [
            f"seed {self.seed}: {self.events.total()} events ({listed}) in {self.rounds} rounds, {self.starts} starts",
            f"{self.rows} rows compared with an undisturbed run, {len(self.faults)} faults",
        ]
        return "\n".join([*lines, *self.faults[:20]])


class Chaos:
    """Disturbs one command that trains `path` into a new place in each round."""

    def __init__(self, path: Path, *, engine: str, seed: int, folder: Path, server: s3_server.S3Server | None) -> None:
        self._path, self._engine, self._folder, self._server = path, engine, folder, server
        self._random, self.report = random.Random(seed), Report(seed)
        self._frozen: list[tuple[float, int]] = []
        self._store_failed = False

    def place(self, name: str) -> str:
        """Return where the results of that name lie."""
        return f"s3://bucket/{self._folder.name}/{name}" if self._server else str(self._folder / name)

    def start(self, results: str) -> subprocess.Popen[str]:
        """Start the command."""
        return start_sweep(self._path, results, "--pack", "1", "--no-pilot", "--quiet", "--engine", self._engine)

    def round(self, results: str, n_events: int) -> None:
        """Run the command until it ends well and undisturbed, with at most `n_events` events on the way."""
        self.report.rounds += 1
        left = n_events
        for _ in range(MAX_STARTS):
            self.report.starts += 1
            process, before = self.start(results), left
            while process.poll() is None and left > 0:
                if self._wait(process):
                    self._disturb(process, results)
                    left -= 1
            with contextlib.ExitStack() as stack:
                stack.callback(self._thaw, everything=True)
                while process.poll() is None:
                    self._wait(process)
            out, err = process.communicate()
            self._check_end(process.returncode, out + err)
            if process.returncode == 0 and left == before:
                return
        self.report.faults.append(f"no end after {MAX_STARTS} starts")

    def _wait(self, process: subprocess.Popen[str]) -> bool:
        """Let some time pass; return whether the process is still there."""
        end = time.monotonic() + self._random.uniform(*PAUSE_SECONDS[self._engine])
        while time.monotonic() < end and process.poll() is None:
            self._thaw()
            time.sleep(0.05)
        return process.poll() is None

    def _disturb(self, process: subprocess.Popen[str], results: str) -> None:
        events: dict[str, Callable[[], None]] = {
            "worker killed": lambda: self._signal(self._worker(process), signal.SIGKILL),
            "worker frozen": lambda: self._freeze(self._worker(process)),
            "driver frozen": lambda: self._freeze(process.pid),
            "driver killed": lambda: self._signal(process.pid, signal.SIGKILL),
            "group killed": lambda: os.killpg(process.pid, signal.SIGKILL),
            "SIGTERM": lambda: self._signal(process.pid, signal.SIGTERM),
            "SIGINT": lambda: os.killpg(process.pid, signal.SIGINT),
            "SIGHUP": lambda: os.killpg(process.pid, signal.SIGHUP),
            "store failed": lambda: self._fail_store(results),
        }
        kind = self._random.choice([*events, "worker killed", "worker killed", "worker frozen"])
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            events[kind]()
        self.report.events[kind] += 1

    def _worker(self, process: subprocess.Popen[str]) -> int:
        """Return a worker of the process; the driver where it has none yet."""
        workers = sorted(workers_of(process.pid, self._engine))
        return self._random.choice(workers) if workers else process.pid

    def _signal(self, pid: int, number: int) -> None:
        os.kill(pid, number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)  # what stands still heeds nothing but SIGKILL

    def _freeze(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        self._frozen.append((time.monotonic() + self._random.uniform(*FROZEN_SECONDS), pid))

    def _thaw(self, *, everything: bool = False) -> None:
        due = [pid for until, pid in self._frozen if everything or time.monotonic() > until]
        self._frozen = [entry for entry in self._frozen if entry[1] not in due]
        for pid in due:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _fail_store(self, results: str) -> None:
        """Let the object store refuse for a moment, or move the folder away for one."""
        self._store_failed = True
        if self._server:
            self._server.tell(fail={"status": 503, "times": self._random.choice([3, 30])})
            return
        away = f"{results}.away"
        if os.path.isdir(results):
            os.rename(results, away)
            time.sleep(self._random.uniform(0, 1.5))
            shutil.rmtree(results, ignore_errors=True)  # who made a new one there has lost what is in it
            os.rename(away, results)

    def _check_end(self, code: int, text: str) -> None:
        allowed = CODES | ({2} if self._store_failed else set())
        if code not in allowed or "Traceback" in text:
            self.report.faults.append(f"the command ended with code {code}: {text.strip()[-1000:]}")
        self._store_failed &= code != 0  # until then the store may fail the next one, too

    def compare(self, expected: str, results: str) -> None:
        """Note what differs between the rows of two places."""
        rows, faults = compare(self._path, expected, results)
        self.report.rows += rows
        self.report.faults += faults


def compare(path: Path, expected: str, results: str) -> tuple[int, list[str]]:
    """Return how many rows of the sweep `path` were compared between two places, and what is wrong in the second."""
    compared, faults, ids = 0, list[str](), load_sweep(path).trial_ids()
    raw = [row for name in Store(results).trial_parts() for row in _raw(results, name)]
    if sorted(raw) != sorted((trial_id, "done") for trial_id in ids):
        faults.append(f"{results}: trials on disk are not each there once and done: {Counter(raw)}")
    for table in (name for name in TABLES if name not in ("runs", "suggestions")):
        frame = rows_of(expected, table)
        if not rows_of(results, table).equals(frame):
            faults.append(f"{results}: the table {table} differs")
        compared += frame.height
    files = open_filesystem(results)
    left = [*files.list("leases"), *files.list("checkpoints")]
    if left:
        faults.append(f"{results}: left behind: {left}")
    return compared, faults


def rows_of(results: str, table: str) -> pl.DataFrame:
    """Return all rows of a table but for their provenance, in one order."""
    frame = load(results, table).collect().drop(PROVENANCE, strict=False)
    return frame.sort(TABLES[table].key)


def _raw(results: str, name: str) -> list[tuple[str, str]]:
    frame = pl.read_parquet(open_filesystem(results).get(name), columns=["trial_id", "status"])
    return list(frame.iter_rows())


def run(*, engine: str, store: str, events: int, seed: int, trials: int, steps: int, folder: Path) -> Report:
    """Disturb until there were so many events; return what came of it."""
    path = write_sweep(folder, steps=steps, seeds=trials // 2)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(s3_server.running()) if store == "s3" else None
        if server:
            server.make_bucket()
            os.environ.update(server.environment)
        chaos = Chaos(path, engine=engine, seed=seed, folder=folder, server=server)
        expected = chaos.place("undisturbed")
        _, err = (process := chaos.start(expected)).communicate()
        assert process.returncode == 0, err
        while chaos.report.events.total() < events and not chaos.report.faults:
            results = chaos.place(f"round{chaos.report.rounds}")
            chaos.round(results, events - chaos.report.events.total())
            if server:
                server.reset_faults()
            chaos.compare(expected, results)
        return chaos.report


def main() -> None:
    """Print what happened; the exit code is 1 where anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--store", choices=["folder", "s3"], default="folder")
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="by default another each time")
    parser.add_argument("--trials", type=int, default=16, help="an even number")
    parser.add_argument("--steps", type=int, default=1500)
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lrsym-chaos-") as folder:
        report = run(
            engine=asked.engine, store=asked.store, events=asked.events, seed=seed, trials=asked.trials,
            steps=asked.steps, folder=Path(folder),
        )  # fmt: skip
    print(report)
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
