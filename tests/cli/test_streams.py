"""Streams that are closed, lost or cannot show a letter: what is asked for is done all the same."""

import errno
import io
import os
import subprocess
import sys

import pytest

from lrsym.cli.output import Output, message
from lrsym.sweep.execution.progress import Display, LossyStream
from lrsym.sweep.planning.packing import make_packs
from tests.pages import ROOT
from tests.running import parts
from tests.small_trials import small, write_sweep

ASK = ("query", "select 'x' as n, count(*) as m from trials", "--results", "results/reference")


class Lost(io.StringIO):
    """A stream whose reader or terminal has gone, or whose disk is full."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, "lost")

    def flush(self):
        self.write("")


def command(*words, redirect="", **environment):
    """What a shell makes of `lrsym`, with its streams redirected."""
    line = f'{sys.executable} -m lrsym "$@" {redirect}'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}", "lrsym", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_with_closed_streams_a_verb_ends_as_with_open_ones(redirect):
    ended = command(*ASK, redirect=redirect)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_terminal_without_lines_gets_a_table_without_them():
    ended = command(*ASK, PYTHONIOENCODING="latin-1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("+")


@pytest.mark.slow
def test_a_letter_that_cannot_be_shown_is_replaced(tmp_path):
    ended = command("status", tmp_path / "fehlt-\N{GREEK SMALL LETTER ALPHA}.toml", PYTHONIOENCODING="latin-1")
    assert ended.returncode == 2
    assert "fehlt-?.toml: there is no such file" in ended.stderr


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO, errno.ENOSPC])
def test_what_is_told_on_the_way_is_dropped_where_nobody_can_read_it(monkeypatch, number):
    monkeypatch.setattr(sys, "stdout", Lost(number))
    monkeypatch.setattr(sys, "stderr", Lost(number))
    Output(as_json=False).text(["on the way"])
    message("on the way")
    with Display(make_packs([small()], size=1)) as display:
        display.say("on the way")


def test_a_reader_that_has_seen_enough_is_no_error_and_a_full_disk_is_one_at_the_end(monkeypatch):
    for number in (errno.EPIPE, errno.EIO):
        monkeypatch.setattr(sys, "stdout", Lost(number))
        Output(as_json=True).result({}, [])
    monkeypatch.setattr(sys, "stdout", Lost(errno.ENOSPC))
    with pytest.raises(OSError, match="lost"):
        Output(as_json=True).result({}, [])


def test_a_lossy_stream_passes_on_what_can_be_written():
    stream = io.StringIO()
    LossyStream(stream).write("text")
    assert stream.getvalue() == "text"
    assert not LossyStream(stream).isatty()
    stream.close()
    assert LossyStream(stream).write("lost") == 4


@pytest.mark.slow
@pytest.mark.parametrize("redirect", ["2>&1 | head -1", ">&- 2>&-", "2>/dev/full"])
def test_a_sweep_trains_all_whoever_reads_it(tmp_path, redirect):
    path, results = write_sweep(tmp_path, steps=12), tmp_path / "r"
    ended = command("sweep", path, "--results", results, "--workers", 1, "--pack", 4, redirect=redirect)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)
    assert len(parts(results)) == 2
