"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lrsym.sweep.execution.train_pack import run_pack
from tests.fitted import CPU
from tests.small_trials import small

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()

FOLLOWED = """
import json

from lrsym.config import axes
from lrsym.errors import UsageError
from lrsym.results.store import schema
from lrsym.results.store.store import Store, load, load_trials
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.sweep.spec.sweep_file import parse
from lrsym.config.trial import Trial
from tests.fitted import CPU
from tests.small_trials import SMALL

SWEEP = 'name = "means"\\n[grid]\\n"model.init_token_mean" = '
try:
    refused = parse(SWEEP + "[-1]", source="means.toml")
except UsageError as error:
    refused = str(error)
values = [t.model.init_token_mean for t in parse(SWEEP + "[0.0, 0.1]", source="means.toml").trials]
store = Store("results")
for value in values:
    pack = [Trial.from_axes({**SMALL, "model.init_token_mean": value})]
    store.write(f"part-{value}", run_pack(pack, run_id="r", device=CPU).tables)
others = {"sigmoid": {"model.kind": "sigmoid"}, "diagonal": {"scenes.captions": "diagonal", "scenes.n_rows": 3}}
kinds = {}
for name, changes in others.items():
    pack = [Trial.from_axes({**SMALL, **changes})]
    kinds[name] = run_pack(pack, run_id="r", device=CPU).tables["trials"].to_pylist()[0]
try:
    flat = parse("name = \\"flat\\"\\n[grid]\\n\\"scenes.captions\\" = [\\"diagonal\\"]", source="flat.toml")
except UsageError as error:
    flat = str(error)
curves, ablations = (load("results", name).collect().to_dicts() for name in ("curves", "ablations"))
columns = ("trial_id", "init_token_mean", "unseen_reciprocal")
print(json.dumps({
    "file": axes.__file__, "pages": axes.as_markdown() + schema.as_markdown(), "refused": refused, "sweep": values,
    "trials": load_trials("results").select(columns).collect().to_dicts(),
    "curves": curves, "ablations": ablations, "flat": flat,
    "kinds": {name: {key: row[key] for key in ("trial_id", "status", "unseen_order")} for name, row in kinds.items()},
}))
"""


def blocks(language, text=TEXT):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def follow(diff, root):
    """Edit the files under `root`: each hunk's lines without + become its lines without -, found exactly once."""
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        name, _, hunks = part.partition("\n")
        text = (root / name).read_text()
        for hunk in hunks.split("@@\n"):
            old, new = ("".join(x[1:] for x in hunk.splitlines(True) if x[0] != sign) for sign in "+-")
            assert text.count(old) == 1, f"CONTRIBUTING.md: {name} does not have, just once, the lines\n{old}"
            text = text.replace(old, new)
        (root / name).write_text(text)


def python(root, *words):
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *words], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy")
    for folder in ("lrsym", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for diff in blocks("diff"):
        follow(diff, root)
    return root


@pytest.fixture(scope="module")
def seen(copy):
    """What a fresh process finds after the three recipes."""
    answer = json.loads(python(copy, "-W", "ignore", "-c", FOLLOWED))
    assert Path(answer["file"]).is_relative_to(copy)
    return answer


def values_of(rows, *, trial_id):
    return {(r["step"], r["split"], r["metric"]): r["value"] for r in rows if r["trial_id"] == trial_id}


def test_there_are_five_recipes_and_each_has_its_diff():
    recipes = re.split(r"^### \d\. ", TEXT, flags=re.MULTILINE)[1:]
    assert [len(blocks("diff", recipe)) for recipe in recipes] == [1] * 5


@pytest.mark.slow
def test_a_new_axis_has_its_lines_on_both_pages_and_its_values_are_checked(seen):
    (shown,) = blocks("text")
    of_axes, of_columns, error = shown.splitlines()
    assert {of_axes, of_columns} <= set(seen["pages"].splitlines())
    assert seen["refused"].startswith(f"means.toml:3: {error}; ")


@pytest.mark.slow
def test_a_new_axis_is_a_key_of_sweep_files_and_a_column_and_older_ids_stay(seen):
    assert seen["sweep"] == [0.0, 0.1]
    assert sorted(row["init_token_mean"] for row in seen["trials"]) == [0.0, 0.1]
    assert [row["init_token_mean"] for row in seen["trials"] if row["trial_id"] == small().trial_id] == [0.0]


@pytest.mark.slow
def test_a_new_axis_moves_no_number_at_its_default_and_moves_some_elsewhere(seen):
    before = run_pack([small()], run_id="r", device=CPU).tables["curves"].to_pylist()
    wanted = values_of(before, trial_id=small().trial_id)
    ids = {row["init_token_mean"]: row["trial_id"] for row in seen["trials"]}
    default, other = (values_of(seen["curves"], trial_id=ids[value]) for value in (0.0, 0.1))
    assert {key: default[key] for key in wanted} == pytest.approx(wanted, abs=1e-6)
    assert {key: other[key] for key in wanted} != pytest.approx(wanted, abs=1e-6)


@pytest.mark.slow
def test_a_new_metric_is_in_columns_curves_and_ablations(seen):
    assert all(0 < row["unseen_reciprocal"] <= 1 for row in seen["trials"])
    assert "reciprocal" in {row["metric"] for row in seen["curves"]} & {row["metric"] for row in seen["ablations"]}


@pytest.mark.slow
def test_a_new_ablation_is_in_its_table(seen):
    assert "EP+PP" in {row["term"] for row in seen["ablations"]}


@pytest.mark.slow
def test_a_new_relation_and_a_new_kind_train_and_are_evaluated_and_older_ids_stay(seen):
    rows = seen["kinds"]
    assert {row["status"] for row in rows.values()} == {"done"}
    assert all(0 <= row["unseen_order"] <= 1 for row in rows.values())
    assert len({row["trial_id"] for row in [*rows.values(), *seen["trials"]]}) == 4
    assert seen["flat"].startswith("flat.toml:3: scenes.captions diagonal need an image of several rows, got")


@pytest.mark.slow
def test_the_tests_that_the_recipes_edit_pass(copy):
    edited = (
        "changing_any_axis or (loop_over_scenes_and_captions and (grid or diagonal)) or credit_by_hand or diagonal or "
        "(kind4 or kind5 or kind6) or pair and tables"
    )
    files = (
        "tests/config/test_trial.py",
        "tests/testbed/test_evaluation.py",
        "tests/testbed/data/test_scenes.py",
        "tests/testbed/mechanism/test_inspection.py",
        "tests/testbed/training/test_textbook_training.py",
    )
    told = python(copy, "-m", "pytest", "-v", "-n", "0", "-p", "no:cacheprovider", *files, "-k", edited)
    assert "init_token_mean" in (copy / "tests/config/test_trial.py").read_text()
    assert " passed" in told
    for new in ("captions[grid, diagonal]", "captions[diagonal]", "first[kind6]", "adamw[each pair for itself-tables]"):
        assert f"{new} PASSED" in told
