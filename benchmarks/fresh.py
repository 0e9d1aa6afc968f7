"""Fresh processes: a function in the environment of lrsym's workers, and the real command with an empty store."""

import itertools
import json
import multiprocessing as mp
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from lrsym.sweep.workers.processes import environment, worker_environment

P = ParamSpec("P")
T = TypeVar("T")

SWEEP = """\
# Question: what does a sweep cost?
# Cost: see benchmarks
# Command: python -m benchmarks
name = "benchmark"
replicates = {trials}

[base]
{base}
"""


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns in a process of its own, which starts with the environment of a worker of one thread."""
    with environment(worker_environment(1)), ProcessPoolExecutor(1, mp.get_context("spawn")) as process:
        return process.submit(function, *args, **kwargs).result()


def in_turn(names: Sequence[str], repeats: int) -> Iterator[str]:
    """Every one of `names` in each of `repeats` rounds, each round beginning with another one."""
    for repeat in range(repeats):
        yield from itertools.islice(itertools.cycle(names), repeat % len(names), repeat % len(names) + len(names))


def write_sweep(path: Path, *, trials: int, axes: Mapping[str, object]) -> Path:
    """A sweep file at `path`: one cell with `axes`, and `trials` replicates of it."""
    base = "\n".join(f'"{key}" = {json.dumps(value)}' for key, value in axes.items())
    path.write_text(SWEEP.format(trials=trials, base=base))
    return path


@contextmanager
def lrsym_sweep(
    file: Path, results: Path, *, engine: str, pack: int, workers: int
) -> Iterator[subprocess.Popen[bytes]]:
    """`lrsym sweep` of `file` on CPU while it runs; at the end it is waited for. Raises RuntimeError if it fails."""
    options = {"--engine": engine, "--pack": pack, "--workers": workers, "--device": "cpu", "--results": results}
    program = Path(sys.executable).with_name("lrsym")
    with command([program, "sweep", file, *itertools.chain.from_iterable(options.items())]) as process:
        yield process


@contextmanager
def command(words: Sequence[object], **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process of a command, waited for at the end. Raises RuntimeError, with its last words, if it fails."""
    # An address in the environment would send the work to a cluster.
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | variables
    line = [str(word) for word in words]
    with tempfile.TemporaryFile() as output:
        with subprocess.Popen(line, env=environment, stdout=output, stderr=output) as process:
            try:
                yield process
                process.wait()
            finally:
                process.terminate()
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{' '.join(line)} failed: {output.read().decode()[-2000:]}")
