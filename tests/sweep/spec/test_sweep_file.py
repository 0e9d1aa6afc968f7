"""Sweep files: what they mean, and that nothing but a usage error comes out of a bad one."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lrsym.sweep.spec.sweep_file as spec
from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.sweep.spec.sweep_file import Sweep, load, parse

VALID = """\
# Question: what is asked?   Cost: about nothing
# Command: lrsym sweep sweeps/valid.toml
name = "valid"
replicates = 2

[seed]
first = 10

[base]
"optim.steps" = 50

[grid]
"scenes.n_pair_labels" = [5, 8]
"scenes.layouts_per_pair" = [1, 5, 20]

[[zip]]
"model.d_model" = [64, 128]
"model.n_heads" = [2, 4]

[[exclude]]
"scenes.n_pair_labels" = 5
"scenes.layouts_per_pair" = 20
"""


def read(body: str, *, name: str = 'name = "s"\n') -> Sweep:
    return parse(name + body, source="s.toml")


def columns(sweep: Sweep, *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(trial.values()[key] for key in keys) for trial in sweep.trials]


# What a good file means


def test_the_first_grid_axis_is_slowest_and_the_seed_fastest():
    sweep = read('replicates = 2\n[grid]\n"optim.steps" = [7, 3]\n"optim.beta1" = [0.1, 0.2]')
    seen = columns(sweep, "optim.steps", "optim.beta1", "seed")
    assert seen == list(itertools.product([7, 3], [0.1, 0.2], [0, 1]))


def test_zipped_axes_move_together_and_multiply_with_the_grid_and_each_other():
    sweep = read(
        '[grid]\n"optim.steps" = [1, 2]\n'
        '[[zip]]\n"model.d_model" = [64, 128]\n"model.n_heads" = [2, 4]\n'
        '[[zip]]\n"optim.beta1" = [0.1, 0.2, 0.3]\n"optim.beta2" = [0.4, 0.5, 0.6]\n'
    )
    rows = itertools.product([1, 2], [(64, 2), (128, 4)], [(0.1, 0.4), (0.2, 0.5), (0.3, 0.6)])
    expected = [(steps, *size, *betas) for steps, size, betas in rows]
    assert columns(sweep, "optim.steps", "model.d_model", "model.n_heads", "optim.beta1", "optim.beta2") == expected


def test_varied_lists_grid_axes_then_zip_axes():
    expected = ("scenes.n_pair_labels", "scenes.layouts_per_pair", "model.d_model", "model.n_heads")
    assert parse(VALID, source="s").varied == expected


def test_excluded_cells_are_left_out_and_no_others():
    kept = set(columns(parse(VALID, source="s"), "scenes.n_pair_labels", "scenes.layouts_per_pair"))
    assert kept == {(5, 1), (5, 5), (8, 1), (8, 5), (8, 20)}


def test_an_exclude_saves_cells_that_no_trial_can_be():
    body = '[grid]\n"model.d_model" = [60, 64]\n"model.n_heads" = [5, 8]\n'
    body += '[[exclude]]\n"model.d_model" = 60\n"model.n_heads" = 8\n'
    body += '[[exclude]]\n"model.d_model" = 64\n"model.n_heads" = 5\n'
    assert columns(read(body), "model.d_model", "model.n_heads") == [(60, 5), (64, 8)]


def test_seeds_begin_with_the_first():
    assert sorted({trial.seed for trial in parse(VALID, source="s").trials}) == [10, 11]


def test_the_last_seed_may_be_the_largest():
    assert read(f"replicates = 2\n[seed]\nfirst = {2**63 - 2}").trials[-1].seed == 2**63 - 1


def test_a_file_with_a_name_alone_is_the_default_trial():
    assert tuple(read("").trials) == (Trial(),)


@pytest.mark.parametrize(
    "body",
    [
        '[base]\n"optim.steps" = 9\n"model.d_model" = 64',
        "[base]\noptim.steps = 9\nmodel.d_model = 64",
        "[base.optim]\nsteps = 9\n[base.model]\nd_model = 64",
        "base.optim.steps = 9\nbase.model.d_model = 64",
        "base = {optim = {steps = 9}, model.d_model = 64}",
    ],
)
def test_quoted_dotted_and_nested_keys_mean_the_same(body: str):
    assert tuple(read(body).trials) == (Trial.from_axes({"optim.steps": 9, "model.d_model": 64}),)


def test_dotted_keys_may_stand_in_grid_zip_and_exclude():
    body = "[grid]\noptim.steps = [1, 2]\n[[zip]]\noptim.beta1 = [0.1]\n[[exclude]]\noptim.steps = 1"
    assert columns(read(body), "optim.steps", "optim.beta1") == [(2, 0.1)]


def test_trials_equal_those_made_one_by_one():
    body = '[base]\n"optim.epochs" = 3\n[grid]\n"model.d_model" = [64, 128]\n"scenes.n_pair_labels" = [5, 6]'
    axes = [{"model.d_model": d, "scenes.n_pair_labels": n} for d in (64, 128) for n in (5, 6)]
    single = tuple(Trial.from_axes({"optim.epochs": 3, **values}) for values in axes)
    sweep = read(body)
    assert tuple(sweep.trials) == single
    assert [t.trial_id for t in sweep.trials] == [t.trial_id for t in single]


def test_trials_share_the_sections_in_which_they_are_equal():
    trials = parse(VALID, source="s").trials
    assert len({id(trial.model) for trial in trials}) == 2
    assert len({id(trial.optim) for trial in trials}) == 1


def test_an_empty_section_changes_nothing():
    assert tuple(read("[base.optim]\n[grid]\n").trials) == (Trial(),)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path):
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbf" + VALID.encode())
    assert load(tmp_path / "s.toml").cells == parse(VALID, source="s").cells


def test_windows_line_ends_change_nothing():
    assert parse(VALID.replace("\n", "\r\n"), source="s") == parse(VALID, source="s")


@pytest.mark.slow
def test_reading_sweep_files_needs_neither_torch_nor_ray_nor_polars():
    code = "import sys, lrsym.sweep.spec.sweep_file; print({'torch', 'ray', 'polars', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# The head comment


def test_the_head_tells_question_cost_and_command():
    head = parse(VALID, source="s").head
    assert (head.question, head.cost) == ("what is asked?", "about nothing")
    assert head.command == "lrsym sweep sweeps/valid.toml"


def test_a_question_may_run_over_lines_up_to_an_empty_comment_line():
    sweep = parse('# QUESTION: is it\n# so?\n#\n# Made up. \nname = "s"', source="s")
    assert sweep.head.question == "is it so?"


@pytest.mark.parametrize("word", ["Question", "Cost", "Command"])
def test_a_missing_part_of_the_head_is_a_warning_and_no_error(word: str):
    sweep = parse(VALID.replace(f"{word}:", f"{word} -"), source="sweeps/s.toml")
    assert len(sweep.warnings) == 1
    assert sweep.warnings[0].startswith("sweeps/s.toml:1: ")
    assert f"# {word}:" in sweep.warnings[0]


def test_a_complete_head_warns_of_nothing():
    assert parse(VALID, source="s").warnings == ()


def test_comments_below_the_first_key_are_no_head():
    assert parse('name = "s"\n# Question: late?', source="s").head.question == ""


# Files


def test_a_file_is_read_and_named_in_the_sweep(tmp_path: Path):
    (tmp_path / "s.toml").write_text(VALID)
    assert load(tmp_path / "s.toml") == parse(VALID, source=str(tmp_path / "s.toml"))


def test_a_missing_file_is_told_with_the_nearest_name(tmp_path: Path):
    (tmp_path / "demo.toml").write_text(VALID)
    with pytest.raises(UsageError, match=r"demoo.toml: there is no such file; did you mean .*demo.toml\?"):
        load(tmp_path / "demoo.toml")


def test_a_missing_file_in_a_missing_folder_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match="there is no such file; check the path"):
        load(tmp_path / "nowhere" / "mine.toml")


def test_a_missing_file_may_be_the_shipped_one_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps/demo.toml").write_text(VALID)
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "demo.toml", "sweep/demo.toml"):
        with pytest.raises(UsageError, match=r"there is no such file; did you mean sweeps/demo.toml\?"):
            load(Path(name))


def test_a_claims_file_is_not_taken_for_a_sweep():
    with pytest.raises(UsageError, match=r"claim is no key of a sweep file.*judge them with lrsym claims"):
        parse('name = "x"\n[[claim]]\nid = "C1"\n', source="c.toml")


def test_a_folder_is_no_sweep_file(tmp_path: Path):
    with pytest.raises(UsageError, match="this is a folder; name a file in it"):
        load(tmp_path)


def test_a_path_through_a_file_is_told(tmp_path: Path):
    (tmp_path / "s.toml").write_text(VALID)
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "s.toml" / "t.toml")


def test_a_path_that_no_system_has_is_told():
    with pytest.raises(UsageError, match="cannot be read"):
        load(Path("a\0b.toml"))


def test_a_file_that_is_not_utf8_is_told_with_its_line(tmp_path: Path):
    (tmp_path / "s.toml").write_bytes(b'name = "s"\n# caf\xe9\n')
    with pytest.raises(UsageError, match=r"s.toml:2: a sweep file must be UTF-8 text"):
        load(tmp_path / "s.toml")


# Properties

GRID_VALUES = {
    "optim.steps": st.integers(1, 10**6),
    "scenes.n_pair_labels": st.integers(2, 15),
    "scenes.layouts_per_pair": st.integers(1, 45),
    "optim.weight_decay": st.floats(0, 10, allow_subnormal=False),
    "eval.schedule": st.sampled_from(["log", "linear"]),
    "optim.replacement": st.booleans(),
}


def toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def table(name: str, values: dict[str, Any]) -> str:
    return "\n".join([name, *(f'"{key}" = {toml(value)}' for key, value in values.items())]) + "\n"


@st.composite
def grids(draw: st.DrawFn) -> dict[str, list[Any]]:
    keys = draw(st.lists(st.sampled_from(sorted(GRID_VALUES)), min_size=1, max_size=4, unique=True))
    return {key: draw(st.lists(GRID_VALUES[key], min_size=1, max_size=4, unique=True)) for key in keys}


@pytest.mark.slow
@given(grid=grids(), replicates=st.integers(1, 4), data=st.data())
def test_the_number_of_trials_is_the_product_less_the_excluded_cells(
    grid: dict[str, list[Any]], replicates: int, data: st.DataObject
):
    keys = data.draw(st.lists(st.sampled_from(sorted(grid)), min_size=1, unique=True))
    exclude = {key: data.draw(st.sampled_from(grid[key])) for key in keys}
    cells = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    kept = [cell for cell in cells if any(cell[key] != value for key, value in exclude.items())]
    text = f"replicates = {replicates}\n" + table("[grid]", grid) + table("[[exclude]]", exclude)
    if kept:
        assert len(read(text).trials) == len(kept) * replicates
    else:
        with pytest.raises(UsageError, match="no cells left"):
            read(text)


@pytest.mark.slow
@given(grid=grids(), data=st.data())
def test_the_order_of_keys_does_not_change_the_set_of_trials(grid: dict[str, list[Any]], data: st.DataObject):
    shuffled = {key: data.draw(st.permutations(grid[key])) for key in data.draw(st.permutations(list(grid)))}
    first, second = (read(table("[grid]", values)).trials for values in (grid, shuffled))
    assert {t.trial_id for t in first} == {t.trial_id for t in second}


@given(grid=grids())
def test_no_two_trials_share_an_id(grid: dict[str, list[Any]]):
    trials = read("replicates = 2\n" + table("[grid]", grid)).trials
    assert len({t.trial_id for t in trials}) == len(trials)


def outcome(text: str) -> Sweep | str:
    try:
        return parse(text, source="s.toml")
    except UsageError as error:
        return str(error)


def check_that_it_parses_or_is_refused(text: str) -> None:
    result = outcome(text)
    assert isinstance(result, Sweep) or all(line.startswith("s.toml:") for line in result.split("\n"))


@pytest.mark.slow
@given(text=st.text())
@example(text="")
@example(text="\x00")
@example(text="name")
def test_any_text_is_a_sweep_or_a_usage_error(text: str):
    check_that_it_parses_or_is_refused(text)


PIECES = st.sampled_from(
    [*'[]"=.,#\n{}', "true", "nan", "-1", "1e400", "9" * 25, "[[zip]]\n", "seed", '"', "'''", "1979-05-27", "é", "\r"]
)


@pytest.mark.slow
@given(edits=st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), PIECES), min_size=1, max_size=4))
def test_a_mutated_file_is_a_sweep_or_a_usage_error(edits: list[tuple[int, int, str]]):
    text = VALID
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    check_that_it_parses_or_is_refused(text)


TREES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.sampled_from(["sqrt_d_model", "log", "x", ""]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*spec.AXES, "seed", "name", "optim", "stepz", "a.b.c"])


@pytest.mark.slow
@given(
    tables=st.lists(
        st.tuples(
            st.sampled_from(["[base]", "[grid]", "[seed]", "[[zip]]", "[[exclude]]", "[base.optim]"]),
            st.dictionaries(KEYS, TREES, max_size=3),
        ),
        max_size=4,
    )
)
def test_any_values_in_any_tables_are_a_sweep_or_a_usage_error(tables: list[tuple[str, dict[str, Any]]]):
    check_that_it_parses_or_is_refused('name = "s"\n' + "".join(table(name, values) for name, values in tables))


def test_a_preset_varies_like_an_axis_and_gives_way_to_keys_beside_it():
    sweep = parse(
        'name = "t"\n[base]\n"model.dropout" = 0.0\n[grid]\n"model.preset" = ["simplified", "full"]\n', source="t.toml"
    )
    assert [(t.model.text_blocks, t.model.d_mlp, t.model.dropout) for t in sweep.trials] == [(1, 0, 0.0), (2, 512, 0.0)]


def test_a_path_may_be_text(tmp_path):
    file = tmp_path / "t.toml"
    file.write_text('name = "t"\n')
    assert load(str(file)) == load(file)


def test_a_stop_rule_is_asked_for_at_the_top_and_is_no_part_of_a_trial():
    plain, stopping = (parse(f"{line}{VALID}", source="s.toml") for line in ("", 'stop = "decided"\n'))
    assert (plain.stop, stopping.stop) == (None, "decided")
    assert parse(f'stop = "none"\n{VALID}', source="s.toml").stop is None
    assert stopping.trial_ids() == plain.trial_ids()
