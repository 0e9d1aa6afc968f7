"""Messages of functions speak of arguments, never of options of the command line."""

import ast
import inspect
import re

import pytest

import lrsym
from lrsym.api.wording import in_python
from lrsym.errors import counted
from tests.pages import ROOT
from tests.reports import made_up
from tests.results.analysis import made_up_successes
from tests.small_trials import SMALL

ARGUMENTS = {
    name
    for shown in lrsym.__all__
    if inspect.isfunction(function := lrsym.__getattr__(shown))
    for name in inspect.signature(function).parameters
}

NO_FUNCTION = {"from": "lrsym new", "port": "lrsym watch"}
"""Options of verbs that are no functions."""


def messages():
    """Texts of the rooms that are no docstring, with a letter in place of what is filled in, and their place."""
    for path in sorted((ROOT / "lrsym").rglob("*.py")):
        if "cli" in path.parts or path.name == "wording.py":
            continue
        if "--" not in (text := path.read_text()):
            continue
        tree = ast.parse(text)
        nodes = [*ast.walk(tree)]
        docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        parts = {id(value) for node in nodes if isinstance(node, ast.JoinedStr) for value in node.values}
        skipped = docs | parts
        for node in nodes:
            if id(node) in skipped:
                continue
            if isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if re.search(r"(?<![\w-])--[a-z]", text) and " " in text:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


@pytest.mark.parametrize(("place", "text"), [*messages()])
def test_every_option_that_a_room_names_is_an_argument_of_some_function(place, text):
    sentence = re.sub(r"\b(lrsym|ray job|mlflow ui|tensorboard) .*", "", text)
    options = {*re.findall(r"(?<![\w-])--([a-z][a-z-]*)", sentence)} - {*NO_FUNCTION}
    assert {in_python(f"--{option}") for option in options} <= ARGUMENTS, f"{place}: {text}"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("choose another --facet, or fewer with --where", "choose another facet, or fewer with where"),
        ("fixed with --where 'd_model = 32', or", "fixed with where='d_model = 32', or"),
        ("write for example --shard 3/8", "write for example shard='3/8'"),
        ("use --max-core-hours 2; --device must be", "use max_core_hours=2; device must be"),
        ("write for example --of layouts_per_pair=20", "write for example of={'layouts_per_pair': 20}"),
        ("--set optim.steps=x: bad", "changes=['optim.steps=x']: bad"),
        ("--claim must be an id", "ids must be an id"),
        (
            'run lrsym query "select a, b" --csv, or name --results',
            'run lrsym query "select a, b" --csv, or name results',
        ),
        ("train: lrsym sweep a.toml --results r", "train: lrsym sweep a.toml --results r"),
        ("are for ray job submit --address; see --engine", "are for ray job submit --address; see engine"),
        ("a --flag-like word--no", "a flag_like word--no"),
    ],
)
def test_options_become_arguments_and_commands_stay_as_they_are(message, said):
    assert in_python(message) == said


SWEEP = lrsym.Sweep.grid("mine", base=SMALL, grid={"optim.weight_decay": [0.1, 0.2]}, replicates=2)
ROWS = made_up_successes.rows(made_up_successes.STEP)

CALLS = {
    "a condition that nothing meets": (
        lambda root: lrsym.boundary(SWEEP, where="seed = 9", results=write(root)),
        "where seed = 9; .* leave where out",
    ),
    "no folder": (lambda root: lrsym.query(root / "r", "select 1"), "or name their folder with results"),
    "a level": (lambda root: lrsym.boundary(ROWS, level=1.0), "^level must be an accuracy above 0 and below 1"),
    "an axis of one value": (lambda root: lrsym.boundary(ROWS.head(5)), "choose another x$"),
    "sides alike": (
        lambda root: lrsym.contrast(ROWS, of={"n_pair_labels": 5}, against={"n_pair_labels": 5}),
        "^of and against must",
    ),
    "no side": (lambda root: lrsym.contrast(ROWS, of={}, against={}), "write for example of={'layouts_per_pair': 20}"),
    "a change of a file": (lambda root: lrsym.load_sweep(ROOT / "sweeps/demo.toml", changes=["x"]), "^changes takes"),
    "a budget of a grid": (lambda root: lrsym.plan(SWEEP, root, budget=3), "^budget is for searches"),
    "no metric of a grid": (lambda root: lrsym.best(SWEEP, root), "got no metric; write for example lrsym.best"),
    "an unknown export": (lambda root: lrsym.export(SWEEP, to="xml", results=write(root)), "^to must be one of"),
}


def write(root):
    made_up.write(root / "r", SWEEP.trials)
    return root / "r"


@pytest.mark.parametrize(("call", "said"), CALLS.values(), ids=CALLS)
def test_a_mistake_in_python_is_told_in_pythons_words(tmp_path, call, said):
    with pytest.raises(lrsym.UsageError, match=said) as caught:
        call(tmp_path)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (counted(1, "trial"), "1 trial"),
        (counted(0, "cell"), "0 cells"),
        (counted(2000, "trial", "are"), "2,000 trials are"),
        (counted(1, "trial", "have"), "1 trial has"),
    ],
)
def test_things_are_counted_in_the_singular_where_they_are_one(said, text):
    assert said == text
