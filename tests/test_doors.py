"""The table of rooms in CONTRIBUTING.md, held to the imports of every file."""

import ast
import re
from pathlib import Path

import pytest

from tests.pages import ROOT

OPEN = {"errors", "vocabulary", "toml_source", "rooms", "config"}
"""Rooms that every other may import."""

UNROOMED = {"lrsym", "lrsym.__main__"}
"""The package itself, which imports lazily, and its entry."""


def doors(text):
    """Which rooms each room may import, by the table under the heading of that name."""
    section = text.partition("## Rooms and their doors")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {re.findall(r"`([\w.]+)`", row[0])[0]: {*re.findall(r"`([\w.]+)`", row[-1])} for row in rows}


def room_of(module, rooms):
    """The room that `module` (`lrsym.results.store.schema`) lies in; None for the package itself."""
    name = module.removeprefix("lrsym.")
    found = [room for room in rooms if name == room or name.startswith(f"{room}.")]
    return found[0] if found else None


def imports(tree):
    """Every module of the package that a file imports, wherever it does: names imported from a package as modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "lrsym")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "lrsym":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def trespasses(root, allowed):
    """What files below `root` import from rooms that theirs has no door to, and files in no room."""
    rooms = {*allowed, *OPEN}
    for path in sorted((root / "lrsym").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        room = room_of(module, rooms)
        if room is None and module not in UNROOMED and path.name != "__init__.py":
            yield f"{path.relative_to(root)} is in no room of the table"
        for imported in imports(ast.parse(path.read_text())):
            other = room_of(imported, rooms)
            if room and other and other not in {room, *OPEN, *allowed.get(room, ())}:
                yield f"{path.relative_to(root)} imports {imported}: {room} has no door to {other}"


DOORS = doors((ROOT / "CONTRIBUTING.md").read_text())


def test_every_file_imports_only_through_the_doors_of_its_room():
    assert len(DOORS) > 10
    assert [*trespasses(ROOT, DOORS)] == []


def test_doors_open_one_way():
    above = dict(DOORS)
    while above:
        lowest = {room for room, below in above.items() if not below & above.keys()}
        assert lowest, f"rooms import each other in a circle: {', '.join(above)}"
        above = {room: below for room, below in above.items() if room not in lowest}


@pytest.mark.parametrize(
    ("file", "line", "why"),
    [
        ("results/store/schema.py", "from lrsym.sweep import driver", "results.store has no door to sweep.driver"),
        ("testbed/evaluation.py", "import lrsym.results.store.store", "testbed has no door to results.store"),
        (
            "claims/judging.py",
            "def f():\n    from lrsym.explain.page import save_page",
            "claims has no door to explain",
        ),
        ("config/axes.py", "from lrsym.testbed.data import scenes", "config has no door to testbed"),
        ("utils.py", "x = 1", "utils.py is in no room"),
    ],
)
def test_the_check_sees_an_import_through_a_wall(tmp_path, file, line, why):
    path: Path = tmp_path / "lrsym" / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    (found,) = trespasses(tmp_path, DOORS)
    assert why in found
