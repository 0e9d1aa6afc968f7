"""Documentation that is made from code, or executed, so that it cannot drift."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from lrsym.cli import app as cli
from lrsym.config import axes
from lrsym.results.store import schema

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_axes_page_is_what_the_code_says():
    assert (ROOT / "docs/axes.md").read_text() == axes.as_markdown()


def test_the_columns_page_is_what_the_code_says():
    assert (ROOT / "docs/columns.md").read_text() == schema.as_markdown()


def test_columns_of_trials_are_the_last_names_of_the_axes_and_none_is_used_twice():
    names = [column.name for column in schema.TABLES["trials"].columns]
    assert len(names) == len(set(names))
    assert {axis.name for axis in axes.axes()} < set(names)


def commands(page):
    """The `lrsym ...` command lines in code blocks of a page."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    blocks = [block for language, block in fenced if language in ("", "bash", "sh", "console")]
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.removeprefix("$ ").startswith("lrsym ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_lrsym_command_in_the_documentation_exists_with_its_options_and_files(page):
    for line in commands(page):
        words = [word for word in shlex.split(line)[1:]]
        command = get_command(cli.app)
        while words and hasattr(command, "commands") and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), line
        known = {option for p in command.params for option in p.opts} | {"--help"}
        assert {w for w in words if w.startswith("--")} <= known, line
        for word in words:
            if word.startswith(("sweeps/", "claims/")) and word.endswith(".toml") and "…" not in word:
                assert (ROOT / word).exists(), line


def test_the_readme_shows_commands_at_all():
    assert len(commands(ROOT / "README.md")) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_constraints_pin_every_dependency_exactly():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    assert {re.match(r"[\w-]+", name)[0].lower() for name in wanted} <= set(pinned)
    assert pinned["torch"] == "2.13.0"


def test_the_benchmarks_page_shows_the_figures_that_were_taken():
    words = [sys.executable, "-m", "benchmarks", "--markdown"]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() in (ROOT / "docs/benchmarks.md").read_text()
