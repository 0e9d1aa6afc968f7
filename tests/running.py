"""Starting lrsym as a user would, in this process or in one of its own, and watching its processes."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from unittest import mock

import polars as pl

from lrsym.cli.app import main
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import load

HANG_SECONDS = 600.0
"""After so long a test waits for what does not come: a guard, and no timing, also of a machine that is slow or busy."""


def lrsym(*words, code=0):
    """What the command `lrsym` prints in this process, on standard error where the exit code expected is 2."""
    out, err = _lrsym(*words, code=code)
    return err if code == 2 else out


def lrsym_errors(*words):
    """What the command `lrsym` prints on standard error when it ends well."""
    return _lrsym(*words, code=0)[1]


def _lrsym(*words, code):
    out, err = io.StringIO(), io.StringIO()
    found = 0
    with mock.patch.object(sys, "argv", ["lrsym", *map(str, words)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            found = stop.code or 0
    assert found == code, err.getvalue() + out.getvalue()
    return out.getvalue(), err.getvalue()


def start(*words: object, **options) -> subprocess.Popen[str]:
    """A Python process with these words, as its own process group, as a shell would start it."""
    # A shell starts what it runs in the background with SIGINT ignored, and that would be inherited down to here.
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **heed, **options
    )


def start_sweep(path: Path, results: Path, *options: str) -> subprocess.Popen[str]:
    """`lrsym sweep` with two workers."""
    return start("-m", "lrsym", "sweep", path, "--results", results, "--workers", "2", *options)


def finish(process: subprocess.Popen[str], *, timeout: float = HANG_SECONDS) -> tuple[int, str, str]:
    """Exit code, standard output and standard error at the end of `process`; its group is killed if it has none."""
    try:
        out, err = process.communicate(timeout=timeout)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stderr.close()
        raise
    return process.returncode, out, err


def wait_for(condition, *, seconds: float = HANG_SECONDS):
    """What `condition()` gives, as soon as that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def wait_for_the_end_of(workers: list[int]) -> None:
    """Return when none of the processes is there any more."""
    wait_for(lambda: not any(Path(f"/proc/{w}").exists() for w in workers))


def parts(results: Path) -> list[Path]:
    """The part files of the table trials."""
    return list((results / "trials").glob("*.parquet"))


def processes() -> Iterator[tuple[int, int, str]]:
    """Process number, parent and command line of everything that runs."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            yield int(folder.name), int(parent), (folder / "cmdline").read_text()
        except OSError:  # it is gone already
            continue


def workers_of(driver: int, engine: str = "local") -> list[int]:
    """Processes that train for `driver`: its spawned children, or the busy actors of the raylet that it started."""
    if engine == "local":
        return [pid for pid, parent, command in processes() if parent == driver and "spawn_main" in command]
    raylets = [pid for pid, parent, _ in processes() if parent == driver]
    return [pid for pid, parent, command in processes() if parent in raylets and "ray::ImplicitFunc" in command]


def assert_complete_and_single(results: Path, n: int, *, tables=("curves", "ablations", "terms")):
    """Every trial done, once, and no row of any table twice."""
    raw = pl.concat([pl.read_parquet(p) for p in parts(results)])
    assert len(raw) == raw["trial_id"].n_unique() == n
    assert set(raw["status"]) == {"done"}
    for name in tables:
        table = load(results, name).collect()
        assert table["trial_id"].n_unique() == n
        assert not table.select(TABLES[name].key).is_duplicated().any()
