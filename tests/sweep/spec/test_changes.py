"""Values that are set from the command line: what they change, and what is refused, by its own name."""

import pytest

from lrsym.errors import UsageError
from lrsym.sweep.spec.sweep_file import parse, parse_any

FILE = """
name = "s"
[base]
"optim.steps" = 50
optim.batch_size = 16
[base.scenes]
n_labels = 20
[grid]
"scenes.n_pair_labels" = [5, 8]
[[zip]]
"model.d_model" = [16, 32]
model.n_heads = [2, 4]
"""
SEARCH = FILE.partition("[grid]")[0] + '[search]\nbudget = 3\nmaximise = "unseen_order"\n[search.space]\n'


def changed(*changes):
    return parse(FILE, source="s.toml", changes=changes)


@pytest.mark.parametrize(
    ("change", "section", "axis", "value"),
    [
        ("optim.steps=100", "optim", "steps", 100),
        (" optim.steps = 1_00 ", "optim", "steps", 100),
        ('"optim.steps"=100', "optim", "steps", 100),
        ("optim.batch_size=32", "optim", "batch_size", 32),
        ("scenes.n_labels=21", "scenes", "n_labels", 21),
        ("optim.learning_rate=1e-4", "optim", "learning_rate", 1e-4),
        ("model.layer_norm=pre", "model", "layer_norm", "pre"),
        ('model.layer_norm="pre"', "model", "layer_norm", "pre"),
    ],
)
def test_a_value_stands_in_place_of_the_files_or_beside_the_others(change, section, axis, value):
    sweep = changed(change)
    assert {getattr(getattr(trial, section), axis) for trial in sweep.trials} == {value}
    before = [trial.values() | {f"{section}.{axis}": None} for trial in changed().trials]
    assert [trial.values() | {f"{section}.{axis}": None} for trial in sweep.trials] == before
    assert sweep.changes == (change,)
    assert f"--set '{change}'" in sweep.command("sweep", "r") or f"--set {change} " in sweep.command("sweep", "r")


def test_several_changes_and_those_of_a_search():
    assert {(t.optim.steps, t.optim.batch_size) for t in changed("optim.steps=9", "optim.batch_size=8").trials} == {
        (9, 8)
    }
    space = '"optim.learning_rate" = [1e-3, 1e-2]'
    one, other = (parse_any(SEARCH + space, source="s", changes=changes) for changes in ((), ("optim.steps=9",)))
    assert one.key != other.key
    assert other.sweep([{"optim.learning_rate": 1e-3}]).trials[0].optim.steps == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optim.steps", '--set takes KEY=VALUE, got "optim.steps"; write for example --set optim.steps=100'),
        ("optim.steps=", "--set takes KEY=VALUE"),
        ("=3", "--set takes KEY=VALUE"),
        ("", "--set takes KEY=VALUE"),
        ("optim.stesp=3", '--set optim.stesp=3: unknown key "optim.stesp" in [base]; did you mean optim.steps?'),
        ("steps=3", '--set steps=3: unknown key "steps" in [base]; did you mean optim.steps?'),
        ("replicates=3", "--set replicates=3: --set changes axes of [base], and replicates is none; change it in"),
        ("seed.first=3", "--set changes axes of [base]"),
        ("search.budget=3", "--set changes axes of [base]"),
        ("scenes.n_pair_labels=5", "scenes.n_pair_labels varies in [grid] (s.toml:9), and --set changes what all"),
        ("model.d_model=16", "model.d_model varies in [[zip]] (s.toml:11)"),
        ("model.n_heads=2", "model.n_heads varies in [[zip]] (s.toml:12)"),
        ("optim.steps=0", "--set optim.steps=0: optim.steps must be a whole number >= 1 and <= 1000000000, got 0"),
        ("optim.steps=ten", '--set optim.steps=ten: optim.steps must be a whole number >= 1 and'),
        ("optim.steps=[1, 2]", "optim.steps takes one value in [base], got a list of 2"),
        ("optim.steps={a = 1}", "--set optim.steps={a = 1}: "),
        ("optim.steps=1979-05-27", "--set optim.steps=1979-05-27: "),
        ("optim.steps=1e", "--set optim.steps=1e: the value must be as in a sweep file"),
        ("optim.steps=1\nx = 2", "a change is one KEY=VALUE"),
        ("optim.steps=" + "9" * 5000, "the value must be as in a sweep file"),
        ("optim.steps=" + "[" * 5000, "the value must be as in a sweep file"),
        ("model.preset=large", '--set model.preset=large: model.preset must be one of'),
        ("scenes.n_labels=6", "--set scenes.n_labels=6"),
        ("optim.learning_rate=nan", "--set optim.learning_rate=nan: optim.learning_rate must be a number"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_told_by_the_change_with_a_remedy(change, message):
    with pytest.raises(UsageError) as told:
        changed(change)
    assert message in str(told.value)
    assert len(str(told.value).splitlines()) == 1
    assert len(str(told.value)) < 500


def test_an_axis_is_set_once():
    with pytest.raises(UsageError, match=r"--set optim.steps=4: optim.steps is set twice, and by --set optim.steps=3"):
        changed("optim.steps=3", "optim.steps=4")


def test_an_axis_of_a_space_is_not_set():
    with pytest.raises(UsageError, match=r"optim.learning_rate varies in \[search.space\] \(s.toml:12\)"):
        parse_any(
            SEARCH + '"optim.learning_rate" = [1e-3, 1e-2]', source="s.toml", changes=["optim.learning_rate=1e-3"]
        )


@pytest.mark.parametrize("text", ["base = 3", "grid = 3", "zip = 3", "zip = [3]", "search = 3", "[search]\nspace = 3"])
def test_a_file_that_is_wrong_is_told_as_without_a_change(text):
    told = []
    for changes in ((), ("optim.steps=3",)):
        with pytest.raises(UsageError) as error:
            parse_any(f'name = "s"\n{text}', source="s.toml", changes=changes)
        told.append(str(error.value))
    assert told[0] == told[1]
