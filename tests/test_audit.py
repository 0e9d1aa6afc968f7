"""`.ci/audit`: what it says of weaknesses, and of a service or a pip-audit that does not answer."""

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.pages import ROOT
from tests.running import HANG_SECONDS


class Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    """The address of a service that answers."""
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def audit(tmp_path, service, made_up):
    """Exit code and output, with a shell script in the place of pip-audit; its last word is the file of the report."""
    program = tmp_path / "bin/pip-audit"
    program.parent.mkdir()
    program.write_text(f"#!/usr/bin/env bash\n{made_up}\n")
    program.chmod(0o755)
    variables = {"OSV_URL": service, "PYTHON": sys.executable, "AUDIT_VENV": str(tmp_path)}
    done = subprocess.run(
        [ROOT / ".ci/audit"], env={**os.environ, **variables}, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made_up", "code", "said"),
    [
        ('echo "none" > "${!#}"', 0, "no known weakness\n"),
        ('echo "torch 1.0 CVE-1" > "${!#}"; exit 1', 1, "torch 1.0 CVE-1\n"),
        ('echo "no connection"; exit 1', 0, "SKIPPED, nobody looked for known weaknesses: pip-audit ended with code 1"),
    ],
)
def test_a_weakness_is_told_and_fails_and_trouble_of_the_audit_itself_is_told_and_does_not(
    service, tmp_path, made_up, code, said
):
    found, text = audit(tmp_path, service, made_up)
    assert (found, said in text) == (code, True), text


def test_without_an_answer_it_says_at_once_that_nobody_looked(tmp_path):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        code, text = audit(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}", "exit 1")
    assert (code, "SKIPPED, nobody looked for known weaknesses: http://127.0.0.1" in text) == (0, True), text


@pytest.mark.slow
def test_the_packages_that_are_audited_are_the_pinned_ones(service, tmp_path):
    _, text = audit(tmp_path, service, 'echo "$@" > "${!#}"')
    assert "--requirement constraints.txt" in text
