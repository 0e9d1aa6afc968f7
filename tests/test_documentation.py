"""Documentation that is made from code, or executed, so that it cannot drift."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

import lrsym as lrsym_package
from benchmarks import __main__ as benchmarks
from docs.site import answers
from lrsym import vocabulary
from lrsym.cli import app as cli
from lrsym.config import axes
from lrsym.results.store import schema
from lrsym.sweep.spec.sweep_file import load
from tests import pages
from tests.fitted import train
from tests.running import lrsym
from tests.small_trials import SMALL

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
COMMAND = get_command(cli.app)
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "results/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page):
    return str(page.relative_to(ROOT))


def test_the_axes_page_is_what_the_code_says():
    assert (ROOT / "docs/axes.md").read_text() == axes.as_markdown()


def test_the_columns_page_is_what_the_code_says():
    assert (ROOT / "docs/columns.md").read_text() == schema.as_markdown()


def test_columns_of_trials_are_the_last_names_of_the_axes_and_none_is_used_twice():
    names = [column.name for column in schema.TABLES["trials"].columns]
    assert len(names) == len(set(names))
    assert {axis.name for axis in axes.axes()} < set(names)


def blocks(page, *languages):
    """The code blocks of a page in one of `languages`."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [block for language, block in fenced if language in languages]


def commands(page):
    """The `lrsym ...` commands in code blocks of a page; one goes on as long as a quote of it is open."""
    found = []
    for block in blocks(page, "", "bash", "sh", "console"):
        for line in block.splitlines():
            if found and is_open(found[-1]):
                found[-1] += f"\n{line}"
            elif (line := line.strip().removeprefix("$ ")).startswith("lrsym "):
                found.append(line.partition("  #")[0].strip())
    return found


def is_open(command):
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_lrsym_command_in_the_documentation_exists_with_its_options_and_files(page):
    for line in commands(page):
        words = [word for word in shlex.split(line)[1:]]
        command = COMMAND
        while words and hasattr(command, "commands") and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), line
        known = {option for p in command.params for option in p.opts} | {"--help"}
        assert {w for w in words if w.startswith("--")} <= known, line
        for word in words:
            if word.startswith(("sweeps/", "claims/")) and word.endswith(".toml") and "…" not in word:
                assert (ROOT / word).exists(), line


def test_the_readme_shows_commands_at_all():
    assert len(commands(README)) >= 5


ON_COMMITTED_ROWS = sorted(
    {
        line
        for page in PAGES
        for line in commands(page)
        if line.endswith(("--results results/reference", "--results results/atlas"))
        and line.split()[1] in ("query", "claims", "contrast", "boundary")
    }
)


ANSWERS = {command: answer for page in PAGES for command, answer in answers.answered(page.read_text())}


@pytest.mark.slow
@pytest.mark.parametrize("line", ON_COMMITTED_ROWS)
def test_every_query_and_claim_on_the_committed_rows_answers_as_the_page_says(line, monkeypatch):
    words = shlex.split(line)[1:]
    if words[0] == "claims" and "--no-page" not in words:
        words.append("--no-page")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", answers.WIDTH)
    found = lrsym(*words)
    assert len(found.splitlines()) > 3
    assert line not in ANSWERS or answers.as_blocks(line, found) == answers.as_blocks(line, ANSWERS[line])


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    """A folder as a reader of the README has it: a demo of one small cell, trained, with its weights."""
    root = tmp_path_factory.mktemp("demo")
    (root / "sweeps").mkdir()
    axes_of_demo = "\n".join(f'"{key}" = {value}' for key, value in SMALL.items())
    (root / "sweeps/demo.toml").write_text(f'name = "demo"\nreplicates = 2\n[base]\n{axes_of_demo}\n')
    train(root / "results", load(root / "sweeps/demo.toml").trials, save_weights=True)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_on_a_page_runs(page, demo_folder, monkeypatch):
    monkeypatch.chdir(demo_folder)
    names = {"trial_id": next(Path("results/weights").glob("*.safetensors")).stem}
    for block in blocks(page, "python"):  # of one page, as one session
        exec(compile(block, name_of(page), "exec"), names)


def test_the_page_of_python_lists_every_public_name():
    listed = {name for row in pages.table("docs/python.md", "| name | what it gives |") for name in row[0].split("`")}
    listed = {re.match(r"\w*", name)[0] for name in listed}
    assert {*dir(lrsym_package)} <= listed


def test_the_readme_shows_the_demo_as_it_is():
    shown = README.read_text().partition("<!-- demo:begin -->\n```toml\n")[2].partition("```\n<!-- demo:end -->")[0]
    assert shown == (ROOT / "sweeps/demo.toml").read_text()


def test_the_page_of_searches_shows_the_shipped_one_as_it_is():
    shown = blocks(ROOT / "docs/search.md", "toml")[0]
    assert (ROOT / "sweeps/rates.toml").read_text().endswith(shown)


def anchors(page):
    """What a link can name on a page: its headings, as code hosts write them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_within_the_project_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        aim = page.parent / target if target else page
        assert aim.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(aim), f"{page.name}: {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_a_page_names_exist(page):
    for path in re.findall(r"`((?:lrsym|tests|docs|sweeps|claims|benchmarks)/[\w./-]+)`", page.read_text()):
        assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_every_page_of_the_documentation_is_linked_from_the_readme():
    linked = re.findall(r"\]\((docs/[\w/.-]+)\)", README.read_text())
    assert {name_of(page) for page in PAGES if page.parent == ROOT / "docs"} <= {*linked}


def test_every_shipped_sweep_has_its_question_in_the_list():
    listed = re.findall(r"\]\(\.\./(sweeps/\w+\.toml)\)", (ROOT / "docs/sweeps.md").read_text())
    assert sorted(listed) == sorted(name_of(path) for path in (ROOT / "sweeps").glob("*.toml"))


def test_the_words_of_the_tables_are_those_of_the_vocabulary():
    page = "docs/words.md"
    named = {
        heading: {name for row in pages.table(page, heading) for name in row[0].replace("`", "").split(", ")}
        for heading in pages.headings(page)
    }
    for heading, words in {
        "| split | scenes |": vocabulary.SPLITS,
        "| metric | question |": vocabulary.METRICS,
        "| phase | when |": vocabulary.PHASES,
        "| status | meaning |": vocabulary.STATUSES,
        "| table | a row |": schema.TABLES,
    }.items():
        assert named[heading] <= {*words}
        assert len(named[heading]) >= 4


def test_constraints_pin_every_dependency_exactly():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"], *extras["docs"], *extras["notebooks"]]
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    assert {re.match(r"[\w-]+", name)[0].lower() for name in wanted} <= set(pinned)
    assert pinned["torch"] == "2.13.0"


@pytest.mark.slow
def test_the_benchmarks_page_shows_the_figures_that_were_taken(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--markdown"])
    benchmarks.main()
    assert capsys.readouterr().out.strip() in (ROOT / "docs/benchmarks.md").read_text()
