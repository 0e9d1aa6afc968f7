"""A Ray that stands already: to start one takes longer than most runs on it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.running import HANG_SECONDS, wait_for


@pytest.fixture(scope="session")
def ray_address():
    """The address of a cluster of this machine alone, with slots for two workers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false",
             "--node-ip-address=127.0.0.1", "--disable-usage-stats"]  # fmt: skip
    # In a folder of its own Ray also notes where the cluster is: in the usual one the note outlives it, and misleads.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("ray"), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": folder},
        )  # fmt: skip
        try:
            wait_for(lambda: "Ray runtime started" in process.stdout.readline() or process.poll() is not None)
            assert process.poll() is None, "Ray did not start"
            assert Path(folder, "ray/ray_current_cluster").exists()
            yield f"127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)  # ends what it has started, too
            process.communicate(timeout=HANG_SECONDS)


@pytest.fixture
def ray_stands(engine, request, monkeypatch):
    """The engine `ray` runs on that cluster, and not on a Ray of its own."""
    if engine == "ray":
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        monkeypatch.setenv("RAY_ADDRESS", request.getfixturevalue("ray_address"))
