"""What SECURITY.md says may not happen."""

import ast
import contextlib
import os
import re
import socket
from pathlib import Path

import pytest

from lrsym.errors import UsageError
from lrsym.sweep.execution.tensor_file import tensor_bytes
from lrsym.sweep.execution.weights import load_weights
from tests.pages import ROOT
from tests.running import lrsym, processes, start, wait_for

UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle"}
CALLS = {"eval", "exec", "torch.load", "np.load", "numpy.load", "yaml.load", "pl.DataFrame.deserialize"}


def unpicklers(source):
    """What a file imports or calls that may run code of what it reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in UNPICKLERS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNPICKLERS:
            yield node.module
        elif isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in CALLS:
            yield name


@pytest.mark.slow
def test_no_module_that_reads_a_store_can_unpickle():
    found = {path.name: [*unpicklers(path.read_text())] for path in (ROOT / "lrsym").rglob("*.py")}
    assert len(found) > 100
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "source", ["import pickle", "from joblib import load", "torch.load(x)", "def f():\n    return eval(text)"]
)
def test_the_check_sees_what_unpickles(source):
    assert [*unpicklers(source)]


@pytest.mark.parametrize("trial_id", ["../secret", "/etc/passwd", "a/../../secret", "..", "%2e%2e/secret"])
def test_no_name_of_weights_leaves_the_folder(tmp_path, trial_id):
    import torch

    (tmp_path / "r/weights").mkdir(parents=True)
    for place in (tmp_path / "secret.safetensors", tmp_path / "r/secret.safetensors"):
        place.write_bytes(tensor_bytes({"x": torch.zeros(1)}, {"trial_id": trial_id}))
    with pytest.raises(UsageError, match="a trial is named by 4 to 32 hex digits"):
        load_weights(str(tmp_path / "r"), trial_id)


@pytest.mark.parametrize("trial_id", ["../..", "/etc/passwd", "a/b/c/d"])
def test_no_name_of_a_trial_leaves_the_folder(tmp_path, trial_id):
    assert "a trial is named by 4 to 32 hex digits" in lrsym("explain", trial_id, "--results", tmp_path, code=2)


def listening(pid):
    """The sockets of a process that wait for connections, of any address family."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        inodes |= {fields[9] for fields in map(str.split, lines) if fields[3] == "0A"}
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of this very listing
            held |= {*re.findall(r"socket:\[(\d+)\]", str(link.readlink()))}
    return held & inodes


@pytest.mark.slow
def test_a_sweep_on_one_machine_listens_nowhere(tmp_path):
    process = start("-m", "tests.sweep.engines.made_up_task", "local", tmp_path, "--trials", 2, "--seconds", 60)
    try:
        wait_for(lambda: (tmp_path / "tries").exists() and len([*(tmp_path / "tries").iterdir()]) == 2)
        family = [process.pid, *(pid for pid, parent, _ in processes() if parent == process.pid)]
        assert len(family) >= 3
        assert {pid: listening(pid) for pid in family} == {pid: set() for pid in family}
    finally:
        process.terminate()
        process.communicate()


def test_the_check_sees_a_socket_that_listens():
    with socket.create_server(("127.0.0.1", 0)):
        assert len(listening(os.getpid())) >= 1


def test_behind_each_rule_stands_a_test():
    text = (ROOT / "SECURITY.md").read_text()
    rows = re.findall(r"^\|.*\| (`tests/.*?) \|$", text, re.MULTILINE)
    assert len(rows) > 6
    for cell in rows:
        for file, test in re.findall(r"`(tests/[\w/.]+)::(\w+)`", cell):
            assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{test}"
