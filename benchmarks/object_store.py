"""`python -m benchmarks.object_store`: what an object store costs in requests and seconds, on a server on loopback.

Parts of one trial each, as a sweep in packs of one leaves them. The server is moto's, in Python and in one process: its
requests take about a millisecond of a core, and `--delay` adds what a network would.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from lrsym.config.trial import Trial
from lrsym.results.store.part_file import _seen
from lrsym.results.store.store import Store
from lrsym.sweep.execution.rows import status_rows
from tests.s3_server import S3Server, running


def main() -> None:
    """Print a table: what was done, requests, seconds (median and range of n)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=2000, help="parts in the table trials")
    parser.add_argument("--n", type=int, default=3, help="how often each reading is timed")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each request waits besides")
    asked = parser.parse_args()
    with running() as server:
        os.environ.update(server.environment)
        server.make_bucket()
        store = Store("s3://bucket/results")
        trials = [Trial(seed=seed) for seed in range(asked.parts)]

        def put(trial: Trial) -> None:
            rows = status_rows([trial], status="done", message=None, run_id="0")
            store.write(trial.trial_id, {"trials": rows["trials"]})

        with ThreadPoolExecutor(8) as pool:
            report(server, "put, 8 at a time", lambda: [*pool.map(put, trials)], n=1)
        server.tell(delay=asked.delay)
        report(server, "list", lambda: store.files.stamps("trials"), n=asked.n)
        report(server, "status of every trial, in a new process", lambda: fresh(store.statuses), n=asked.n)
        report(server, "status of every trial, asked again", store.statuses, n=asked.n)
        report(server, "all columns", lambda: store.scan("trials").collect(), n=asked.n)
        server.tell(delay=0)
        report(server, "compact", store.compact, n=1)
        server.tell(delay=asked.delay)
        report(server, "status after compact", lambda: fresh(store.statuses), n=asked.n)
    print(f"{asked.parts} parts, {asked.delay * 1000:g} ms added to a request, polars {pl.__version__}")


def fresh(read: Callable[[], Any]) -> Any:
    """Return what `read` gives to a process that has not looked at any part yet."""
    _seen.clear()
    return read()


def report(server: S3Server, what: str, do: Callable[[], Any], *, n: int) -> None:
    """Print what `do` takes."""
    before, seconds = server.tell(), []
    for _ in range(n):
        begun = time.perf_counter()
        do()
        seconds.append(time.perf_counter() - begun)
    requests = sum((server.tell() - before).values()) / n
    spread = f" ({min(seconds):.2f} to {max(seconds):.2f})" if n > 1 else ""
    print(f"| {what} | {requests:,.0f} | {statistics.median(seconds):.2f}{spread} | {n} |", flush=True)


if __name__ == "__main__":
    main()
