"""The notebooks of docs/notebooks, run from their first cell to their last."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lrsym import query

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/notebooks"
JUPYTER, MARIMO = FOLDER / "first_questions.ipynb", FOLDER / "explore.py"
CALLS = ("load_sweep(", "query(", "plot_line(", "contrast(", "run_sweep(")


def cells(kind):
    return ["".join(c["source"]) for c in json.loads(JUPYTER.read_text())["cells"] if c["cell_type"] == kind]


def run(source, names):
    """Run a cell; return what it shows, the value of a last line that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, JUPYTER.name, "exec"), names)
    return eval(compile(ast.Expression(last.value), JUPYTER.name, "eval"), names) if last else None


def shows(value):
    """Whether Jupyter has more for `value` than its repr."""
    return any(hasattr(value, name) for name in ("_repr_html_", "_repr_mimebundle_"))


def test_the_notebooks_ask_the_same_and_are_kept_without_their_outputs():
    stored = json.loads(JUPYTER.read_text())
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in stored["cells"] if c["cell_type"] == "code")
    for text in ("\n".join(cells("code")), MARIMO.read_text()):
        assert all(call in text for call in CALLS)
    listed = (FOLDER / "README.md").read_text()
    assert all(f"({path.name})" in listed for path in FOLDER.iterdir() if path.suffix in (".py", ".ipynb"))


@pytest.mark.slow
def test_every_cell_of_the_jupyter_notebook_runs_and_shows_its_table_or_picture(monkeypatch):
    monkeypatch.chdir(FOLDER)
    names = {}
    shown = [run(source, names) for source in cells("code")]
    assert [value is not None for value in shown[1:]] == [True] * (len(shown) - 1)
    assert [shows(value) for value in shown[1:-1]] == [True] * (len(shown) - 2)
    asked = shown[-1]
    assert len(asked) == 4
    assert max(value for _, value in asked) > 0.8 > min(value for _, value in asked)
    trained = query(names["results"], "select count(*) as n from trials where status = 'done'")
    assert trained["n"].item() == 8


ASKED = """
import json, sys
sys.path.insert(0, "docs/notebooks")
import explore
outputs, names = explore.app.run()
print(json.dumps({
    "shown": [type(value).__name__ for value in outputs], "told": names["told"],
    "estimate": names["contrast"]["estimate"].item(), "left": [names["low"], names["high"]],
}))
"""


@pytest.mark.slow
def test_the_marimo_notebook_runs_as_a_script_and_its_cells_give_what_they_say():
    done = subprocess.run([sys.executable, "-c", ASKED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["estimate"] == pytest.approx(0.0573, abs=5e-5)  # as docs/reading.md has it
    assert {"DataFrame", "VConcatChart"} <= {*found["shown"]}
    first, second = found["told"]
    assert (second["steps"] < first["steps"]) == (first["train_order"] >= 0.9)
    assert 20 <= found["left"][0] < found["left"][1] <= 400
