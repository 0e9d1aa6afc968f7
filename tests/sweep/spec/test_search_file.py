"""Search files by the command line and by the thousand: a search, or one line that tells what to change."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.errors import UsageError
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_table import SearchTable
from lrsym.sweep.spec.sweep_file import parse_any
from lrsym.vocabulary import SAMPLERS, SEARCH_STOP_RULES
from tests import pages
from tests.running import lrsym
from tests.sweep.spec.test_search_messages import file

COMMANDS = {
    "bad file": (file(keys="seed = -1"), (), ":6: seed must be a whole number >= 0"),
    "bad objective": (file(sought='maximise = "unseen_ordr"'), (), ":5: maximise must give one number"),
    "empty space": (file(space='"model.n_heads" = [3, 5]'), (), ":7: no trial can be in this space"),
    "budget 0": (file(), ("--budget", "0"), "--budget must be a whole number from 1 to 2,000,000, got 0; write"),
    "budget below 0": (file(), ("--budget=-1",), "got -1; write for example 60"),
    "budget as text": (file(), ("--budget", "x"), "got x; write"),
    "huge budget": (file(), ("--budget", "9" * 5000), "9... (5000 letters); write"),
    "budget beyond any": (file(), ("--budget", "100001"), "--budget must be a number of cells from 1 to 100,000, got"),
    "budget times replicates": (
        file(top="replicates = 30"), ("--budget", "99999"), ":4: a search has at most 2,000,000 trials",
    ),
    "budget of a grid": (
        'name = "s"\n[grid]\noptim.steps = [5, 6]', ("--budget", "5"), "is for searches, s is a grid; leave it out",
    ),
}  # fmt: skip


@pytest.mark.slow_after(6)
@pytest.mark.parametrize("verb", ["plan", "sweep"])
@pytest.mark.parametrize("case", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_mistake_ends_the_command_with_one_line_and_nothing_written(tmp_path, verb, case):
    text, options, *expected = case
    path = tmp_path / "s.toml"
    path.write_text(text)
    message = lrsym(verb, path, "--results", tmp_path / "r", "--no-pilot", *options, code=2)
    lines = [line for line in message.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1
    assert len(lines[0]) < 500
    assert [words for words in expected if words not in lines[0]] == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.toml"]


# Whatever stands in the tables

WORDS = st.sampled_from(["log", "full", "x", "", "tpe"])
SCALARS = st.booleans() | st.integers(-3, 70) | st.just(2**70) | st.floats() | WORDS
RANGES = st.fixed_dictionaries({}, optional={"low": SCALARS, "high": SCALARS, "log": SCALARS, "step": SCALARS})
VALID_RANGES = st.fixed_dictionaries({"low": st.integers(1, 9), "high": st.integers(9, 18), "log": st.booleans()})
AXES = st.sampled_from(
    ["model.n_heads", "model.d_model", "model.preset", "model.init", "optim.steps", "optim.epochs",
     "optim.learning_rate", "optim.replacement", "scenes.layouts_per_pair", "scenes.n_labels",
     "eval.points", "seed", "budget", "stepz"]
)  # fmt: skip
SPACES = st.dictionaries(AXES, VALID_RANGES | RANGES | st.lists(SCALARS, max_size=3) | SCALARS, max_size=3)
KEYS = st.fixed_dictionaries(
    {
        "budget": st.integers(1, 9) | SCALARS,
        "maximise": st.just("unseen_order") | SCALARS | st.lists(SCALARS, max_size=2),
    },
    optional={
        "sampler": st.sampled_from([*SAMPLERS, "x"]), "stop": st.sampled_from(["none", *SEARCH_STOP_RULES]),
        "seed": SCALARS, "reuse": st.booleans(), "minimise": SCALARS, "step": SCALARS,
    },
)  # fmt: skip


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def lines(values: dict[str, Any]) -> str:
    return "".join(f'"{key}" = {toml(value)}\n' for key, value in values.items())


def outcome(text: str) -> object:
    try:
        return parse_any(text, source="s.toml")
    except UsageError as error:
        return str(error)


@pytest.mark.slow
@given(keys=KEYS, space=SPACES, base=st.dictionaries(AXES, SCALARS, max_size=1), exclude=st.none() | SPACES)
def test_any_tables_are_a_search_or_a_usage_error(keys, space, base, exclude):
    tables = [f"[base]\n{lines(base)}", f"[search]\n{lines(keys)}", f"[search.space]\n{lines(space)}"]
    tables += [] if exclude is None else [f"[[exclude]]\n{lines(exclude)}"]
    found = outcome('name = "s"\n' + "".join(tables))
    assert isinstance(found, Search) or all(re.fullmatch(r"s\.toml:\d+: .+", line) for line in found.split("\n"))


def test_every_key_of_the_table_stands_on_the_page_with_its_default():
    rows = {row[0].strip("`"): row[1].strip("`") for row in pages.table("docs/search.md", "| key | default | rule |")}
    fields = SearchTable.model_fields
    assert [*rows] == [*fields]
    for key, field in fields.items():
        default = "" if field.is_required() or field.default is None else toml(field.default)
        assert rows[key] == default
