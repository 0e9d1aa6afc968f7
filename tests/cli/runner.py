"""The command `lrsym` for tests, without a process of its own."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from lrsym.cli.app import main


def lrsym(*words, code=0):
    """Run the command in this process, expect exit code `code`; what it prints, on standard error where that is 2."""
    out, err = io.StringIO(), io.StringIO()
    found = 0
    with mock.patch.object(sys, "argv", ["lrsym", *map(str, words)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            found = stop.code or 0
    assert found == code, err.getvalue() + out.getvalue()
    return err.getvalue() if code == 2 else out.getvalue()
