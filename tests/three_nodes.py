"""`python -m tests.three_nodes`: a Ray cluster of three nodes on this machine, which loses them, and the rows then.

The nodes have networks, mounts and processes of their own (`nodes`); the head has no CPUs and the driver, each of the
others one. A sweep of 8 trials in packs of one is disturbed once in its midst, and its command is given again until it
ends well. Then the rows of every table must be those of an undisturbed run, each once.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lrsym.results.store.filesystem import open_filesystem
from tests import chaos, s3_server
from tests.nodes import BASE, NET, PORT, SHARE, Node, in_namespaces
from tests.running import wait_for
from tests.small_trials import write_sweep

MAX_STARTS = 5
"""The command must end well by then."""

SECONDS = 600
"""A command must end by then, whatever was done to it."""

SHARE_MB = 64


class Cluster:
    """Three nodes, and the share or the object store that they write to."""

    def __init__(self, base: Path, server: s3_server.S3Server | None) -> None:
        self._base, self._server, self._number = base, server, 1
        self.head: Node
        self.nodes: list[Node] = []

    def start(self) -> None:
        """Start whatever is not there of a head and two nodes."""
        if self._number == 1 or self.head.gone:
            for node in self.nodes:
                node.kill()
            self.head, self.nodes = self._new(), []
            self.head.start_ray(head=None, cpus=0)
        self.nodes = [node for node in self.nodes if not node.gone and node.shares == (self._server is None)]
        while len(self.nodes) < 2:
            self.add()

    def _new(self) -> Node:
        self._number += 1
        return Node(self._number, self._base, shares=self._server is None)

    def add(self) -> Node:
        """Start one more node."""
        self.nodes.append(self._new())
        self.nodes[-1].start_ray(head=f"{self.head.address}:{PORT}", cpus=1)
        return self.nodes[-1]

    def sweep(self, results: str, *options: str) -> subprocess.Popen[str]:
        """Start the sweep on the head."""
        words = [sys.executable, "-m", "lrsym", "sweep", f"{BASE}/small.toml", "--results", results, "--engine", "ray",
                 "--workers", "3", "--pack", "1", "--no-pilot", "--device", "cpu", *options]  # fmt: skip
        return self.head.start(words, env={"RAY_ADDRESS": f"{self.head.address}:{PORT}", "RAY_AUTH_MODE": "disabled"})

    def busy(self) -> Node:
        """Return a node that is training."""
        return wait_for(lambda: next((node for node in self.nodes if node.workers()), None))

    def stop(self) -> None:
        """End all nodes."""
        for node in (*self.nodes, self.head):
            node.kill()


class Disturbances:
    """What may happen to a sweep, each by its name; `after` puts right what a person would."""

    def __init__(self, cluster: Cluster, share: Path, server: s3_server.S3Server | None) -> None:
        self._cluster, self._share, self._server = cluster, share, server
        self._added: Node | None = None
        self._ballast = share / "ballast"
        self.notes: list[str] = []
        every: dict[str, Callable[[subprocess.Popen[str]], object]] = {
            "node killed in mid-pack": lambda _: cluster.busy().kill(),
            "node killed, another added": self._replace,
            "node added": self._add,
            "driver killed": self._kill_driver,
            "head killed": lambda _: cluster.head.kill(),
            "worker frozen": lambda _: os.kill(cluster.busy().workers()[0], signal.SIGSTOP),
        }
        of_share = {"share unmounted on a node": self._unmount, "share full": self._fill}
        of_store = {"store refuses": lambda _: self._refuse(60), "store is slow": self._slow}
        self.by_name = every | (of_share if server is None else of_store)

    def _replace(self, _: object) -> None:
        self._cluster.busy().kill()
        self._cluster.add()

    def _add(self, _: object) -> None:
        node = self._cluster.add()
        wait_for(node.workers, seconds=60)
        self.notes.append("the node that was added trained")

    def _kill_driver(self, process: subprocess.Popen[str]) -> None:
        os.killpg(process.pid, signal.SIGKILL)

    def _unmount(self, _: object) -> None:
        self._cluster.busy().unmount()

    def _fill(self, _: object) -> None:
        with contextlib.suppress(OSError), self._ballast.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))

    def _refuse(self, times: int) -> None:
        assert self._server is not None
        self._server.tell(fail={"status": 503, "times": times})

    def _slow(self, _: object) -> None:
        assert self._server is not None
        self._server.tell(delay=0.3)

    def after(self) -> None:
        """Free the share, let the store behave, replace nodes."""
        self._ballast.unlink(missing_ok=True)
        if self._server:
            self._server.reset_faults()
        self._cluster.start()


def disturb_once(name: str, cluster: Cluster, disturbances: Disturbances, inside: str, outside: str) -> str:
    """Run a sweep that is disturbed in its midst until it has ended well; return what happened, in words.

    `inside` is its results folder for the nodes, `outside` for this process. Raises AssertionError for an end that is
    none of a sweep.
    """
    said, codes = [], []
    for number in range(MAX_STARTS):
        process = cluster.sweep(inside, "--quiet")
        try:
            if number == 0:
                wait_for(lambda: len(open_filesystem(outside).list("trials")) >= 2, seconds=SECONDS)
                assert process.poll() is None, "the sweep ended before it could be disturbed"
                disturbances.by_name[name](process)
            out, err = process.communicate(timeout=SECONDS)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            os.killpg(process.pid, signal.SIGKILL)  # else it would train beside the next one
            raise AssertionError(f"{name}: {error}\n{''.join(process.communicate())}") from None
        codes.append(process.returncode)
        said += [line for line in (out + err).splitlines() if line.strip()]
        assert "Traceback" not in out + err, f"{name}: {out}{err}"
        disturbances.after()
        if process.returncode == 0:
            notes, disturbances.notes = disturbances.notes, []
            return f"{len(codes)} starts, exit codes {', '.join(map(str, codes))}" + "".join(f"; {n}" for n in notes)
    raise AssertionError(f"{name}: no end after {MAX_STARTS} starts: {codes}\n" + "\n".join(said[-20:]))


def run(base: Path, *, store: str, steps: int, only: list[str]) -> list[str]:
    """Disturb a sweep in each way; print what came of it and return the faults."""
    path, share, faults = write_sweep(base, steps=steps), base / "share", []
    share.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SHARE_MB}m", "none", str(share)], check=True)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(s3_server.running(f"{NET}.1")) if store == "s3" else None
        if server:
            server.make_bucket()
            os.environ.update(server.environment)
        cluster = Cluster(base, server)
        stack.callback(cluster.stop)
        cluster.start()
        disturbances = Disturbances(cluster, share, server)

        def places(name: str) -> tuple[str, str]:
            name = name.replace(" ", "_").replace(",", "")
            return (f"s3://bucket/{name}",) * 2 if server else (f"{SHARE}/{name}", str(share / name))

        inside, expected = places("undisturbed")
        _, err = (process := cluster.sweep(inside)).communicate(timeout=SECONDS)
        assert process.returncode == 0, err
        for name in only or disturbances.by_name:
            began, (inside, outside) = time.monotonic(), places(name)
            try:
                words = disturb_once(name, cluster, disturbances, inside, outside)
                rows, wrong = chaos.compare(path, expected, outside)
            except AssertionError as error:
                words, rows, wrong = "", 0, [str(error)]
                disturbances.after()
            faults += wrong
            seconds = time.monotonic() - began
            print(f"{name}: {rows} rows compared, {len(wrong)} faults; {words}; {seconds:.0f} s", flush=True)
            for fault in wrong:
                print(f"  {fault}", flush=True)
    return faults


def main() -> None:
    """Print what happened; the exit code is 1 where anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.three_nodes", description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=["share", "s3"], default="share")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--only", nargs="+", default=[], help="names of disturbances, else all")
    asked = parser.parse_args()
    in_namespaces("tests.three_nodes")
    with tempfile.TemporaryDirectory(prefix="lrsym-nodes-") as folder:
        faults = run(Path(folder), store=asked.store, steps=asked.steps, only=asked.only)
        subprocess.run(["umount", "--lazy", f"{folder}/share"], check=False)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
