"""Sweep files: what each mistake says."""

import pytest

from lrsym.config.messages import AXES, MEANINGS
from lrsym.errors import UsageError
from lrsym.sweep.spec.messages import TOP_KEYS
from lrsym.sweep.spec.search_table import SearchTable
from lrsym.sweep.spec.sweep_file import Sweep, parse, parse_any
from lrsym.toml_source import MAX_TOLD, show


def read(body: str, *, name: str = 'name = "s"\n') -> Sweep:
    return parse(name + body, source="s.toml")


# Each case: the text below `name = "s"` on line 1, the line named, what the message holds.

BAD: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "unknown axis": (
        '\n[base]\n"optim.learning_rat" = 1.0',
        4,
        ('"optim.learning_rat"', "[base]", "did you mean optim.learning_rate?"),
    ),
    "axis without its section": ("\n[base]\nsteps = 5", 4, ('"steps"', "did you mean optim.steps?")),
    "axis in another section": ("[grid]\nmodel.steps = [5]", 3, ('"model.steps"', "did you mean optim.steps?")),
    "unknown section": ("[base]\nmodl.d_model = 5", 3, ('"modl.d_model"', "did you mean model.d_model?")),
    "unknown nested axis": ("[base.optim]\nstep = 5", 3, ('"optim.step"', "did you mean optim.steps?")),
    "no near axis": ('[base]\n"qqq" = 5', 3, ('"qqq"', "lrsym axes")),
    "a section for a value": ("[base]\noptim = 5", 3, ('"optim"', "did you mean optim")),
    "unknown axis in a zip": ('[[zip]]\n"optim.stepz" = [1]', 3, ("[[zip]]", "did you mean optim.steps?")),
    "unknown axis in a nested zip": (
        "[[zip]]\n[zip.optim]\nbeta1 = [0.1]\n[[zip]]\n[zip.optim]\nstepz = [1]",
        7,
        ('"optim.stepz"', "did you mean optim.steps?"),
    ),
    "unknown top key": ("replicate = 5", 2, ('"replicate"', "did you mean replicates?")),
    "unknown table": ("\n[grids]\noptim.steps = [5]", 3, ('"grids"', "did you mean grid?")),
    "unknown key with no near": ("zzz = 5", 2, ('"zzz"', "known are name, replicates")),
    "axis outside a table": ("optim.steps = 5", 2, ("optim", "[base]")),
    "quoted axis outside a table": ('"optim.steps" = 5', 2, ("optim.steps", "[base]")),
    "top key in a table": ('[base]\n"replicates" = 5', 3, ("replicates", "above the first table")),
    "unknown key of seed": ("[seed]\nfrist = 5", 3, ('"frist"', "first")),
    "another stop rule": ('stop = "asha"', 2, ("stop must be one of none, decided", 'got "asha"', "under [search]")),
    "the stop rule of grids in a search": (
        'stop = "decided"\n[search]\nmaximise = "unseen_order"\nbudget = 4\n[search.space]\n"optim.beta1" = [0.8, 0.9]',
        2,
        ("stop on top is for grids", 'got "decided" beside [search]'),
    ),
    "no text for a stop rule": ("stop = true", 2, ("stop must be one of none, decided", "got true")),
    "text for an integer": (
        '[base]\n"optim.steps" = "1000"',
        3,
        ("optim.steps must be a whole number >= 1", 'got "1000"', "write 1000 without quotes"),
    ),
    "real for an integer": ('[base]\n"optim.steps" = 5.0', 3, ("a whole number", "got 5.0", "write 5")),
    "bool for an integer": ('[base]\n"optim.steps" = true', 3, ("a whole number", "got true")),
    "bool for a real": ('[base]\n"optim.beta1" = true', 3, ("optim.beta1 must be a number", "got true")),
    "true after 1": ('[grid]\n"optim.steps" = [1, true]', 3, ("optim.steps must be a whole number", "got true")),
    "1.0 after 1": ('[grid]\n"optim.steps" = [1, 1.0]', 3, ("optim.steps must be a whole number", "got 1.0")),
    "integer for a bool": ('[base]\n"optim.replacement" = 1', 3, ("true or false", "got 1", "write true")),
    "text for a bool": ('[base]\n"optim.replacement" = "false"', 3, ("true or false", "write false")),
    "text for a real": ('[base]\n"optim.beta1" = "high"', 3, ("a number >= 0 and < 1", 'got "high"', "default, 0.9")),
    "text for the scale": ('[base]\n"model.embedding_scale" = "sqrt"', 3, ('got "sqrt"', '"sqrt_d_model" or a number')),
    "date": ('[base]\n"optim.steps" = 2020-01-01', 3, ("a whole number", "got 2020-01-01")),
    "list in base": ('[base]\n"optim.steps" = [1, 2]', 3, ("one value in [base]", "a list of 2", "[grid]")),
    "table in base": ('[base]\n"optim.steps" = {a = 1}', 3, ("a whole number", "a table")),
    "a list in a list": ('[grid]\n"optim.steps" = [[1, 2]]', 3, ("a whole number", "a list of 2")),
    "one of two choices": ('[base]\n"eval.schedule" = "lin"', 3, ('one of "log", "linear"', 'got "lin"')),
    "misspelt choice": (
        '[base]\n"eval.schedule" = "liner"',
        3,
        ('write "linear", or leave the key out for its default, "log"',),
    ),
    "below the bound": ('[base]\n"optim.steps" = 0', 3, (">= 1", "got 0", "default, 3000")),
    "above the bound": ('[base]\n"optim.beta2" = 1.0', 3, ("< 1", "got 1.0")),
    "nan": ('[base]\n"optim.beta2" = nan', 3, ("optim.beta2", "got nan", "finite")),
    "inf": ('[grid]\n"optim.weight_decay" = [0, inf]', 3, ("optim.weight_decay", "got inf", "finite")),
    "beyond 64 bits": (f'[base]\n"optim.steps" = {2**63}', 3, ("optim.steps", "beyond 64 bits")),
    "60 layouts of 45": (
        '\n[grid]\n"scenes.n_pair_labels" = [5, 8]\n"scenes.layouts_per_pair" = [1,\n60]',
        5,
        (
            "scenes.layouts_per_pair must be 1..45 for 10 positions, got 60; lower it or raise scenes.n_positions",
            "first in the cell scenes.n_pair_labels = 5, scenes.layouts_per_pair = 60",
        ),
    ),
    "coverage that trains nothing": (
        '[base]\n"scenes.n_pair_labels" = 3\n"scenes.coverage" = 0.05',
        4,
        ("scenes.coverage must leave at least one of 6 pairs to train, got 0.05", "raise it to 0.167 or more"),
    ),
    "default against base": (
        '[base]\n"scenes.n_positions" = 4',
        3,
        ("positions_per_label must be 1..4", "got 5", "scenes.n_positions"),
    ),
    "heads that do not divide": (
        '[grid]\n"model.d_model" = [64, 66]',
        3,
        ("n_heads must divide model.d_model", "4 heads for width 66", "[[zip]]", "cell model.d_model = 66"),
    ),
    "too few labels": ('[base]\n"scenes.n_labels" = 19', 3, ("scenes.n_labels must be at least", "got 19")),
    "steps and epochs": (
        '[base]\n"optim.steps" = 5\n[grid]\n"optim.epochs" = [1]',
        3,
        ("either optim.steps", "got optim.steps 5 and optim.epochs 1", "leave one of them out"),
    ),
    "base and grid": (
        '[base]\n"optim.steps" = 5\n[grid]\n"optim.steps" = [5, 6]',
        5,
        ("optim.steps is given in [grid] and already in [base] (line 3)", "keep one"),
    ),
    "grid and zip": (
        '[grid]\n"optim.steps" = [5]\n[[zip]]\noptim.steps = [1]',
        5,
        ("optim.steps", "[[zip]]", "[grid] (line 3)"),
    ),
    "two zips": (
        '[[zip]]\n"optim.steps" = [5]\n\n[[zip]]\n"optim.steps" = [1]',
        6,
        ("optim.steps", "[[zip]] and already in [[zip]] (line 3)"),
    ),
    "two spellings": ('[base]\n"optim.steps" = 5\noptim.steps = 6', 4, ("optim.steps", "[base] (line 3)")),
    "seed in base": ('[base]\n"seed" = 5', 3, ("seed", "[base]", "replicates = 5", "[seed]")),
    "seed in grid": ("[grid]\nseed = [1, 2]", 3, ("seed", "[grid]", "replicates = 5", "[seed]")),
    "seed in exclude": ("[[exclude]]\nseed = 1", 3, ("seed", "[[exclude]]", "replicates")),
    "empty list": ('[grid]\n"optim.steps" = []', 3, ("optim.steps has an empty list in [grid]", "drop the key")),
    "empty zip list": ('[[zip]]\n"optim.steps" = []', 3, ("optim.steps has an empty list in [[zip]]",)),
    "no list in grid": ('[grid]\n"optim.steps" = 5', 3, ("optim.steps takes a list in [grid], got 5", "write [5]")),
    "table in grid": ('[grid]\n"optim.steps" = {a = 1}', 3, ("takes a list in [grid], got a table",)),
    "no list in zip": ('[[zip]]\n"optim.steps" = "x"', 3, ('takes a list in [[zip]], got "x"',)),
    "zip of two lengths": (
        '[[zip]]\n"model.d_model" = [64, 128, 256]\n"model.n_heads" = [2, 4]',
        4,
        ("one length", "3 values for model.d_model", "2 for model.n_heads", "[grid]"),
    ),
    "zip without keys": ('[[zip]]\n"optim.steps" = [1]\n[[zip]]', 4, ("[[zip]] has no keys", "drop it")),
    "one bracket for zip": ("\n[zip]\noptim.steps = [1]", 3, ("zip must be a list of tables", "[[zip]]")),
    "list of numbers for zip": ("zip = [1, 2]", 2, ("zip must be a list of tables", "got 1", "[[zip]]")),
    "one bracket for exclude": ("[exclude]\noptim.steps = 1", 2, ("exclude must be a list", "[[exclude]]")),
    "two brackets for grid": ("[[grid]]\noptim.steps = [1]", 2, ("grid must be a table", "[grid]")),
    "number for base": ("base = 5", 2, ("base must be a table, got 5", "[base]")),
    "a repeated value": (
        '[grid]\n"optim.steps" = [5, 6, 5]',
        3,
        ("same trial", "optim.steps: entries 1 (5) and 3 (5)", "remove one"),
    ),
    "1 and 1.0": ('[grid]\n"optim.weight_decay" = [1, 1.0]', 3, ("entries 1 (1) and 2 (1.0)",)),
    "0.0 and -0.0": ('[grid]\n"optim.weight_decay" = [0.0, -0.0]', 3, ("entries 1 (0.0) and 2 (-0.0)",)),
    "values that resolve alike": (
        '[base]\nmodel.d_model = 64\n[grid]\n"model.embedding_scale" = [1.0, "sqrt_d_model", 8]',
        5,
        ('entries 2 ("sqrt_d_model") and 3 (8)',),
    ),
    "repeated zip entries": (
        '[[zip]]\n"optim.beta1" = [0.1, 0.1]\n"optim.beta2" = [0.5, 0.5]',
        3,
        ("optim.beta1 and optim.beta2: entries 1 (0.1, 0.5) and 2 (0.1, 0.5)",),
    ),
    "exclude matches nothing": (
        '[grid]\n"optim.steps" = [5, 6]\n[[exclude]]\n"optim.steps" = 7',
        5,
        ("optim.steps = 7 matches no cell", "optim.steps is 5, 6", "change the value"),
    ),
    "exclude of no zip entry": (
        '[[zip]]\n"optim.beta1" = [0.1, 0.2]\n"optim.beta2" = [0.5, 0.6]\n'
        '[[exclude]]\n"optim.beta1" = 0.1\n"optim.beta2" = 0.6',
        6,
        ("matches no cell", "optim.beta1 is 0.1, 0.2; optim.beta2 is 0.5, 0.6"),
    ),
    "exclude true for 1": (
        '[grid]\n"optim.steps" = [1, 2]\n[[exclude]]\n"optim.steps" = true',
        5,
        ("optim.steps = true matches no cell",),
    ),
    "exclude everything": (
        '[grid]\n"optim.steps" = [5, 6]\n[[exclude]]\noptim.steps = 5\n[[exclude]]\noptim.steps = 6',
        4,
        ("no cells left", "all 2"),
    ),
    "exclude what is not varied": (
        '[base]\n"optim.steps" = 5\n[[exclude]]\n"optim.steps" = 5',
        5,
        ("optim.steps is not varied", "[grid]"),
    ),
    "exclude a list": (
        '[grid]\n"optim.steps" = [5, 6]\n[[exclude]]\n"optim.steps" = [5]',
        5,
        ("one value in [[exclude]]", "a list of 1", "write one [[exclude]] for each"),
    ),
    "exclude without keys": ('[grid]\n"optim.steps" = [5, 6]\n[[exclude]]', 4, ("[[exclude]] has no keys",)),
    "exclude twice in one": (
        '[grid]\n"optim.steps" = [5, 6]\n[[exclude]]\n"optim.steps" = 5\noptim.steps = 6',
        6,
        ("optim.steps is given twice",),
    ),
    "an unknown start": (
        '[base]\n"model.init" = "torch"',
        3,
        ("model.init must be one of", 'got "torch"', '"pytorch"'),
    ),
    "a negative gain": ('[grid]\n"model.init_bias_gain" = [-1]', 3, ("model.init_bias_gain must be", ">= 0", "got -1")),
    "no distribution": ('[base]\nmodel.init_distribution = "flat"', 3, ('one of "normal", "uniform"', 'got "flat"')),
    "no way of scaling": ('[base]\nmodel.init_scaling = "width"', 3, ('one of "fan_in", "depth"', 'got "width"')),
    "a number for a decay": ("[base]\noptim.decay_temperature = 1", 3, ("true or false", "got 1", "write true")),
    "no position where [CLS] is turned": (
        '[base]\nmodel.positions = "rotary"\n[grid]\nmodel.cls_position = [true, false]',
        5,
        ("model.cls_position must be true with rotary model.positions", "got false", "leave it out"),
    ),
    "a bias of no projection": (
        '[base]\nmodel.kind = "autoregressive"\nmodel.projection_bias = true',
        4,
        ("model.projection_bias must be false with model.kind autoregressive", "got true", "leave it out"),
    ),
    "no replicates": ("replicates = 0", 2, ("replicates must be a whole number >= 1", "got 0", "replicates = 5")),
    "replicates as text": ('\nreplicates = "5"', 3, ("replicates must be a whole number", 'got "5"')),
    "replicates as real": ("replicates = 5.0", 2, ("replicates must be a whole number", "got 5.0")),
    "replicates as bool": ("replicates = true", 2, ("replicates must be a whole number", "got true")),
    "far too many replicates": (f"replicates = 0x{'f' * 5000}", 2, ("replicates", "beyond 64 bits")),
    "seed as number": ("seed = 5", 2, ("seed must be a table, got 5", "first = 0 under [seed]")),
    "first below 0": ("[seed]\nfirst = -1", 3, ("first must be a whole number >= 0", "got -1")),
    "first beyond": (f"[seed]\nfirst = {2**63}", 3, ("< 2**63", "beyond 64 bits")),
    "seeds beyond": (f"replicates = 5\n[seed]\nfirst = {2**63 - 4}", 4, ("seeds must stay below 2**63", "lower first")),
    "broken value": ("\n[base]\noptim.steps = \noptim.beta1 = 1", 4, ("not valid TOML", "column", "quotes")),
    "unquoted text": ("[base]\neval.schedule = log", 3, ("not valid TOML", "text takes quotes")),
    "open list": ("[grid]\noptim.steps = [1, 2\n\n", 5, ("not valid TOML",)),
    "key twice": ("replicates = 1\nreplicates = 2", 3, ("not valid TOML", "stands twice, remove one")),
    "table twice": ("[base]\noptim.steps = 1\n[base]", 4, ("stands twice, remove one",)),
    "deep nesting": (f"[base]\noptim.steps = {'[' * 5000}", 1, ("nested too deeply",)),
    "a deep dotted key": (f"[base]\n{'.'.join('a' * 5000)} = 1", 3, ('"a.a"', "[base]")),
    "a very long number": (f"[base]\noptim.steps = {'1' * 5000}", 1, ("not valid TOML", "too many digits")),
}


@pytest.mark.parametrize(("body", "line", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_told_its_line_rule_and_remedy(body: str, line: int, expected: tuple[str, ...]):
    with pytest.raises(UsageError) as caught:
        read(body)
    message = str(caught.value)
    assert message.startswith(f"s.toml:{line}: ")
    assert "\n" not in message
    assert [words for words in expected if words not in message] == []


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "-rf", "_x", "näme", "a.b", "x" * 65, "a\n"])
def test_a_name_that_is_no_safe_file_name_is_refused(name: str):
    with pytest.raises(UsageError, match=r"^s.toml:1: name must be text that is safe as a file name"):
        read("", name=f"name = {show(name)}\n" if len(name) < 50 else f'name = "{name}"\n')


@pytest.mark.parametrize("name", ["a", "0", "labels_by-layouts", "X" * 64])
def test_a_safe_name_is_taken(name: str):
    assert read("", name=f'name = "{name}"').name == name


def test_a_name_of_another_type_is_refused():
    with pytest.raises(UsageError, match=r"^s.toml:1: name must be text .*, got 5; write"):
        read("", name="name = 5")


def test_a_missing_name_is_told():
    with pytest.raises(UsageError, match=r"^s.toml:1: name is missing; write"):
        read("replicates = 3", name="")


def test_more_trials_than_the_limit_are_counted_and_not_built():
    many = list(range(1, 3001))
    with pytest.raises(UsageError, match=r"^s.toml:5: .*at most 2,000,000 trials, this one 27,000,000"):
        read(f'replicates = 3\n[grid]\n"optim.steps" = {many}\n"optim.warmup_steps" = {many}'.replace("3\n[", "3\n\n["))


def test_a_message_shortens_long_text():
    with pytest.raises(UsageError) as caught:
        read(f'[base]\n"optim.steps" = "{"x" * 5000}"')
    assert len(str(caught.value)) < 400


MANY = """\
replicate = 3
[base]
lr = 1e-3
"optim.steps" = 0
model.d_model = 6
[grid]
width = [1, 2]
optim.beta1 = [0.5, 2]
optim.beta2 = []
[[zip]]
"model.n_heads" = [1, 2]
"optim.warmup_steps" = [1, -2, 3]
[[exclude]]
"optim.beta1" = 0.5
steps = 1
"""


def test_every_mistake_of_a_file_is_told_at_once_in_its_order():
    with pytest.raises(UsageError) as caught:
        read(MANY)
    lengths = "got 2 values for model.n_heads and 3 for optim.warmup_steps"
    told = [line.split(": ", 1) for line in str(caught.value).split("\n")]
    assert [(int(place.removeprefix("s.toml:")), message.split(";")[0]) for place, message in told] == [
        (2, 'unknown key "replicate"'),
        (4, 'unknown key "lr" in [base]'),
        (5, "optim.steps must be a whole number >= 1 and <= 1000000000, got 0"),
        (8, 'unknown key "width" in [grid]'),
        (9, "optim.beta1 must be a number >= 0 and < 1, got 2"),
        (10, "optim.beta2 has an empty list in [grid], which leaves no cells"),
        (13, "optim.warmup_steps must be a whole number >= 0 and <= 1000000000, got -2"),
        (13, f"the lists of one [[zip]] must have one length, {lengths}"),
        (16, 'unknown key "steps" in [[exclude]]'),
    ]


def test_what_is_wrong_in_combination_is_told_of_every_section():
    with pytest.raises(UsageError) as caught:
        read("[base]\nscenes.n_positions = 3\nscenes.positions_per_label = 1\n[grid]\nmodel.d_model = [64, 66]")
    first, second = str(caught.value).split("\n")
    assert first.startswith("s.toml:3: scenes.layouts_per_pair must be 1..3")
    assert second.startswith("s.toml:6: model.n_heads must divide model.d_model")


def test_mistakes_of_a_search_are_told_at_once():
    text = """[base]
heads = 2
[search]
maximize = "unseen_order"
budget = 0
sampler = "grid"
[search.space]
"optim.learning_rate" = { low = 1, high = 0.1 }
"optim.beta1" = [0.1, 1.5]
batch = [5]
"""
    with pytest.raises(UsageError) as caught:
        parse_any('name = "s"\n' + text, source="s.toml")
    assert [line.partition(": ")[0] for line in str(caught.value).split("\n")] == [
        f"s.toml:{number}" for number in (3, 5, 6, 7, 9, 10, 11)
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('stop = "asha"\nreplicates = 0\n[grid]\n"model.n_heads" = [3]', {2, 3, 5}),
        ('[base]\n"model.n_heads" = 3\n[search]\nbudget = 0\nspace."optim.steps" = [5, 6]', {4, 5, 6}),
        ('[search]\nbudget = 5\nspace."optim.steps" = { low = 6, high = 5 }', {2, 4}),
        # What a trial could be is not known where something of it is wrong itself.
        ('stop = "asha"\n[base]\nwidth = 3\n[grid]\n"model.n_heads" = [3]', {2, 4}),
    ],
)
def test_what_is_wrong_on_top_hides_nothing_that_is_wrong_in_cells(text: str, lines: set[int]):
    with pytest.raises(UsageError) as caught:
        parse_any(f'name = "s"\n{text}', source="s.toml")
    assert {int(line.split(":")[1]) for line in str(caught.value).split("\n")} == lines


def test_of_very_many_mistakes_the_first_are_told_and_the_others_counted():
    with pytest.raises(UsageError) as caught:
        read("[base]\n" + "".join(f"key{number} = 1\n" for number in range(MAX_TOLD + 5)))
    lines = str(caught.value).split("\n")
    assert (len(lines), lines[-1]) == (MAX_TOLD + 1, "... and 5 more mistakes")


@pytest.mark.parametrize(("word", "meant"), MEANINGS.items())
def test_a_word_for_a_key_leads_to_it(word: str, meant: str):
    assert meant in {*AXES, *TOP_KEYS, *SearchTable.model_fields}
    assert word not in {axis.name for axis in AXES.values()}
    if meant in AXES:
        for text in (
            f"[base]\n{word} = 1",
            f"[grid]\n{word.upper()} = [1]",
            f"{word} = 1",
            f"[base]\noptim.{word} = 1",
        ):
            with pytest.raises(UsageError, match=rf"unknown key .*; did you mean {meant}\?"):
                read(text)


@pytest.mark.parametrize("text", ["seeds = 5", "[base]\nseeds = 5", "[grid]\nn_seeds = [5]"])
def test_seeds_are_told_as_replicates(text: str):
    with pytest.raises(UsageError, match=r"unknown key .*; did you mean replicates\?"):
        read(text)
