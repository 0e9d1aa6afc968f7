"""Nodes of a cluster on one machine: each with a network, mounts and processes of its own, in Linux namespaces.

The nodes hang on a bridge in a network that nothing outside sees; what is mounted in one is mounted in no other. For
that the whole program runs in namespaces of its own (`in_namespaces`), as root.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.running import HANG_SECONDS, processes, wait_for

NET = "10.77.0"
"""Addresses of the nodes: the bridge, where an object store may listen, is number 1, the head 2."""

BASE, SHARE = "/mnt/base", "/mnt/share"
"""Where the nodes have the folder that all of them see, and the share."""

PORT = 6379

QUICK = {"health_check_period_ms": 1000, "health_check_timeout_ms": 2000, "health_check_failure_threshold": 3}
"""Ray gives up a node that does not answer after some ten seconds, not after a minute."""

_SPACES = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child"]

_INSIDE = "LRSYM_IN_NAMESPACES"


def in_namespaces(module: str) -> None:
    """Start the program `module` anew in namespaces of its own, where it is not there yet; leave with its exit code."""
    if _INSIDE in os.environ:
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "br0", "type", "bridge")
        _run("ip", "addr", "add", f"{NET}.1/24", "dev", "br0")
        _run("ip", "link", "set", "br0", "up")
        return
    # A shell is the first process, which takes in orphans: as long as one of a node is not, the node never ends.
    command = [*_SPACES, "bash", "-c", '"$@"; exit', "first", sys.executable, "-m", module, *sys.argv[1:]]
    sys.exit(subprocess.run(command, env={**os.environ, _INSIDE: "1"}).returncode)


def can_be_had() -> str | None:
    """Return why there can be no such nodes here, None where there can."""
    missing = [name for name in ("unshare", "nsenter", "ip", "mount") if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    tried = subprocess.run([*_SPACES, "ip", "link", "add", "br0", "type", "bridge"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"needs root and namespaces: {tried.stderr.strip()}"


class Node:
    """A machine, as far as its processes can tell; everything in it ends with its first process.

    It sees the folder `base` as BASE, and on SHARE what is in base/share, if `shares`: else that is its own disk, as
    where nothing is mounted.
    """

    def __init__(self, number: int, base: Path, *, shares: bool) -> None:
        self.address, self.shares = f"{NET}.{number}", shares
        self._outer = subprocess.Popen([*_SPACES, "sleep", "infinity"], start_new_session=True)
        self.pid = wait_for(self._find_first_process)
        self._say("hostname", f"node{number}")
        self._say("mount", "-t", "tmpfs", "none", "/mnt")
        self._say("mkdir", BASE, SHARE)
        self._say("mount", "--rbind", str(base), BASE)
        for folder in ("/tmp", "/dev/shm"):
            self._say("mount", "-t", "tmpfs", "none", folder)
        if shares:
            self._say("mount", "--bind", f"{BASE}/share", SHARE)
        _run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", str(self.pid))
        _run("ip", "link", "set", f"v{number}", "master", "br0", "up")
        self._say("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            self._say("ip", "link", "set", device, "up")

    def _find_first_process(self) -> int | None:
        found = (pid for pid, parent, command in processes() if parent == self._outer.pid and "sleep" in command)
        return next(found, None)

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self._outer.poll() is not None

    def unmount(self) -> None:
        """Lose the share, however busy it is."""
        self.shares = False
        self._say("umount", "--lazy", SHARE)

    def start(self, words: Sequence[str], *, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command in this node."""
        command = ["nsenter", "--all", "--target", str(self.pid), "--wd=/", "--", *words]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, **(env or {})},
        )  # fmt: skip

    def start_ray(self, *, head: str | None, cpus: int) -> None:
        """Start Ray, as the head where that has no address yet."""
        ray = str(Path(sys.executable).with_name("ray"))
        where = ["--head", f"--port={PORT}", "--include-dashboard=false"] if head is None else [f"--address={head}"]
        words = [ray, "start", *where, f"--num-cpus={cpus}", f"--node-ip-address={self.address}",
                 "--object-store-memory=100000000", "--disable-usage-stats"]  # fmt: skip
        if head is None:
            words.append(f"--system-config={json.dumps(QUICK)}")
        process = self.start(words, env={"RAY_AUTH_MODE": "disabled"})
        out, err = process.communicate(timeout=HANG_SECONDS)
        if process.returncode:
            raise RuntimeError(f"Ray did not start on {self.address}: {out}{err}")

    def workers(self) -> list[int]:
        """Return the processes here that train, by the numbers they have outside."""
        own = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = []
        for pid, _, command in processes():
            with contextlib.suppress(OSError):  # it has just ended
                if "ray::ImplicitFunc" in command and os.readlink(f"/proc/{pid}/ns/pid") == own:
                    found.append(pid)
        return found

    def kill(self) -> None:
        """End it at once, as a machine that loses its power."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._outer.wait()

    def _say(self, *words: str) -> None:
        _run("nsenter", "--all", "--target", str(self.pid), "--", *words)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
