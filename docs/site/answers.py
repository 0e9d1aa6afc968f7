"""Commands of a page with their answers: a block of `sh` with one command, and right below it a block of `text`."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable

from docs.site.layout import ROOT

WIDTH = "100"
"""Columns of the terminal that answers are printed on."""

_ANSWERED = re.compile(r"^```sh\n(lrsym [^`]*)\n```\n\n```text\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def answered(text: str) -> list[tuple[str, str]]:
    """Return the commands of a page that are followed by their answers, with these."""
    return _ANSWERED.findall(text)


def run(command: str) -> str:
    """Return what a command prints in the root of the repository, on a terminal of WIDTH columns."""
    words = shlex.split(command)
    assert words[0] == "lrsym", command
    environment = {**os.environ, "COLUMNS": WIDTH, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def with_answers(text: str, answer: Callable[[str], str] = run) -> str:
    """Return a page with each command answered anew."""
    return _ANSWERED.sub(lambda block: as_blocks(block[1], answer(block[1])), text)


def as_blocks(command: str, answer: str) -> str:
    """Return a command and its answer as blocks of a page."""
    lines = "\n".join(line.rstrip() for line in answer.strip("\n").splitlines())
    return f"```sh\n{command}\n```\n\n```text\n{lines}\n```"
