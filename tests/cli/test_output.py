"""What verbs print of text that is not theirs: letters, and nothing that a terminal takes for commands."""

import json
import sys
import time

import polars as pl
import pytest

from lrsym.cli.claims import _in_columns
from lrsym.cli.output import Output
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.store import Store
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.spec.sweep_file import load
from tests.running import lrsym
from tests.small_trials import write_sweep

EVIL = "\x1b[2J\x9b31mgone\x07"
SHOWN = r"\x1b[2J\x9b31mgone\x07"


@pytest.fixture
def foreign(tmp_path):
    """A sweep, and results of somebody else: a lease, a status, a run and a file whose texts are commands."""
    path, store = write_sweep(tmp_path, steps=5), Store(tmp_path / "r")
    first, second, *_ = load(path).trials
    store.write("p", status_rows([first], status=EVIL, message=EVIL, run_id=EVIL))
    claim = {
        "run_id": EVIL, "holder": {"host": EVIL, "boot": EVIL, "pid": 7, "started": EVIL}, "heartbeat": time.time(),
        "alone": None, "trial_ids": [second.trial_id],
    }  # fmt: skip
    files = open_filesystem(str(tmp_path / "r"))
    files.put("leases/x.json", json.dumps(claim).encode())
    files.put(f"checkpoints/{EVIL}.safetensors", b"")
    return path, tmp_path / "r"


@pytest.mark.parametrize(("verb", "code"), [("status", 0), ("check", 1), ("doctor", 0), ("plan", 0)])
def test_no_verb_prints_commands_to_a_terminal(foreign, verb, code):
    path, results = foreign
    words = [verb, *([path] if verb in ("status", "plan") else []), "--results", results]
    text = lrsym(*words, code=code)
    assert not {"\x1b", "\x9b", "\x07"} & {*text}
    assert verb == "plan" or SHOWN in text


def test_lines_are_shown_in_pythons_notation(capsys):
    Output(as_json=False).text([EVIL, "µ² two\nlines"])
    Output(as_json=False).result({}, [EVIL])
    assert capsys.readouterr().out == f"{SHOWN}\nµ² two\nlines\n{SHOWN}\n"


def test_json_holds_no_commands_and_says_the_same(capsys):
    Output(as_json=True).result({"a": EVIL}, [])
    Output(as_json=True).table(pl.DataFrame({"a": [EVIL]}))
    first, second = capsys.readouterr().out.splitlines()
    assert not {"\x1b", "\x9b", "\x07"} & {*first, *second}
    assert (json.loads(first), json.loads(second)) == ({"a": EVIL}, [{"a": EVIL}])


@pytest.mark.parametrize("on_terminal", [False, True])
def test_csv_is_as_it_is_but_on_a_terminal(capsys, monkeypatch, on_terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: on_terminal)
    Output(as_json=False).table(pl.DataFrame({"a": ["\x9b31m\x07"]}), csv=True)
    assert capsys.readouterr().out == ("a\n\\x9b31m\\x07\n" if on_terminal else "a\n\x9b31m\x07\n")


def test_verdicts_keep_their_colours(capsys):
    Output(as_json=False).result({}, _in_columns([(EVIL, "arm", "supported", "5", EVIL)]))
    text = capsys.readouterr().out
    assert SHOWN in text
    lines = _in_columns([("C1", "arm", "supported", "5", EVIL)])
    assert "\x1b[32msupported" in lines[1]
    assert lines[1].endswith(SHOWN)
