"""Search files: what each mistake says."""

import re

import pytest

from lrsym.errors import UsageError
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.search_table import MAX_BUDGET
from lrsym.sweep.spec.sweep_file import parse, parse_any

RATE = '"optim.learning_rate" = { low = 1e-4, high = 1e-2, log = true }'


def read(text: str) -> Search:
    found = parse_any(text, source="s.toml")
    assert isinstance(found, Search)
    return found


def file(*, keys: str = "", budget: str = "budget = 5", sought: str = 'maximise = "unseen_order"', space: str = RATE,
         top: str = "", below: str = "") -> str:  # fmt: skip
    """A search of one rate, with other text in some of its places."""
    return f'name = "s"\n{top}\n[search]\n{budget}\n{sought}\n{keys}\n[search.space]\n{space}\n{below}'


def told(text: str) -> tuple[int, str]:
    """The line and the message that a text is refused with."""
    with pytest.raises(UsageError) as caught:
        parse_any(text, source="s.toml")
    where = re.fullmatch(r"s\.toml:(\d+): (.+)", str(caught.value))  # . is no line break
    assert where, str(caught.value)
    return int(where[1]), where[2]


TWO = f'{RATE}\n"optim.beta1" = {{ low = 0.5, high = 0.9 }}'
HEADS = '"model.n_heads" = [1, 2]'


def beside(space: str, line: int, *words: str) -> tuple[dict[str, str], int, tuple[str, ...]]:
    """A mistake in [search.space], which begins at line 8."""
    return {"space": space}, line, words


# Each case: what stands in the file, the line named, what the message holds. The table [search] is on line 3, its
# budget on 4, what is sought on 5, other keys on 6; [search.space] is on 7.

BAD: dict[str, tuple[dict[str, str], int, tuple[str, ...]]] = {
    "unknown key": ({"keys": 'samplr = "tpe"'}, 6, ('"samplr" in [search]', "did you mean sampler?")),
    "unknown key with no near": ({"keys": "qqq = 1"}, 6, ('"qqq" in [search]', "it has sampler, budget")),
    "top key in the table": ({"keys": "replicates = 3"}, 6, ("replicates is no key of [search]", "above the first")),
    "axis in the table": ({"keys": "optim.steps = 3"}, 6, ("optim is no key of [search]", "under [search.space]")),
    "key of the table on top": ({"top": 'sampler = "gp"'}, 2, ("sampler stands outside", "under [search]")),
    "key of the table in the space": (
        {"budget": "", "space": f"{RATE}\nbudget = 3"},
        9,
        ("budget is a key of [search], but stands in [search.space]", "move it above that table"),
    ),
    "second key of the table in the space": beside(
        f'{RATE}\nsampler = "gp"', 9, "sampler is a key of [search]", "above"
    ),
    "unknown sampler": ({"keys": 'sampler = "bayes"'}, 6, ("one of tpe, gp, cmaes", 'got "bayes"', 'sampler = "tpe"')),
    "sampler in capitals": ({"keys": 'sampler = "TPE"'}, 6, ("one of tpe", 'got "TPE"')),
    "unknown rule": ({"keys": 'stop = "hyperband"'}, 6, ("one of none, asha", 'got "hyperband"', "leave it out")),
    "no budget": ({"budget": ""}, 3, ("budget is missing", "budget = 60 under [search]")),
    "budget 0": ({"budget": "budget = 0"}, 4, ("budget must be a whole number of cells >= 1", "got 0", "budget = 60")),
    "budget below 0": ({"budget": "budget = -3"}, 4, (">= 1", "got -3")),
    "budget as real": ({"budget": "budget = 60.0"}, 4, ("a whole number", "got 60.0")),
    "budget as text": ({"budget": 'budget = "60"'}, 4, ("a whole number", 'got "60"')),
    "budget as bool": ({"budget": "budget = true"}, 4, ("a whole number", "got true")),
    "budget too large": ({"budget": "budget = 100001"}, 4, ("<= 100,000", "got 100001")),
    "budget beyond 64 bits": ({"budget": f"budget = {2**64}"}, 4, ("beyond 64 bits",)),
    "budget times replicates": (
        {"top": "replicates = 21", "budget": "budget = 100_000"},
        4,
        ("at most 2,000,000 trials", "100,000 cells have 2,100,000", "lower the budget"),
    ),
    "seed below 0": ({"keys": "seed = -1"}, 6, ("seed must be a whole number >= 0", "got -1", "write seed = 0")),
    "seed as text": ({"keys": 'seed = "0"'}, 6, ("seed must be a whole number", 'got "0"')),
    "reuse as number": ({"keys": "reuse = 1"}, 6, ("reuse must be true or false", "got 1")),
    "no objective": ({"sought": ""}, 3, ("does not say what is sought", 'maximise = "unseen_order"')),
    "empty objective": ({"sought": 'maximise = ""'}, 5, ("does not say what is sought",)),
    "blank objective": ({"sought": 'maximise = " "'}, 5, ("does not say what is sought",)),
    "empty objectives": ({"sought": "minimise = []"}, 5, ("does not say what is sought",)),
    "both empty": ({"sought": 'maximise = ""\nminimise = []'}, 5, ("does not say what is sought",)),
    "an empty one in a list": ({"sought": 'maximise = ["seconds", ""]'}, 5, ("does not say what is sought",)),
    "objective as number": ({"sought": "maximise = 5"}, 5, ("maximise must be a column", "got 5", "unseen_order")),
    "a number in a list": ({"sought": 'minimise = ["seconds", 5]'}, 5, ("minimise must be a column", "a list of 2")),
    "objective twice": ({"sought": 'maximise = ["a", "a "]'}, 5, ('seeks "a" twice', "keep one")),
    "both directions": ({"sought": 'maximise = "a"\nminimise = "a"'}, 5, ('seeks "a" twice',)),
    "a zip without keys": (
        {"sought": 'maximise = "a"', "below": "[[zip]]\n"},
        9,
        ("[[zip]]", "cannot stand in one file"),
    ),
    "no space": ({"space": ""}, 7, ("[search.space] has no keys", "such as")),
    "a section without axes": beside("optim = {}", 7, "[search.space] has no keys"),
    "low above high": beside(
        '"optim.steps" = { low = 5, high = 4 }', 8, "low must not be above high, got 5 and 4", "swap"
    ),
    "log of zero": beside('"optim.weight_decay" = { low = 0, high = 1, log = true }', 8, "low > 0, got 0", "drop log"),
    "log below zero": beside(
        '"optim.weight_decay" = { low = -1.5, high = 1, log = true }', 8, "log range needs low > 0, got -1.5"
    ),
    "log as number": beside('"optim.steps" = { low = 1, high = 2, log = 1 }', 8, "must be true or false, got 1"),
    "range without low": beside('"optim.steps" = { high = 2 }', 8, "lacks low", "write for example"),
    "range without high": beside('"optim.steps" = { low = 2 }', 8, "lacks high"),
    "empty range": beside('"optim.steps" = {}', 8, "lacks low"),
    "unknown key of a range": beside('"optim.steps" = { low = 1, hgih = 2 }', 8, '"hgih"', "did you mean high?"),
    "step of a range": beside(
        '"optim.steps" = { low = 1, high = 2, step = 1 }', 8, '"step"', "it has low, high and log"
    ),
    "real bounds of a whole axis": beside(
        '"optim.steps" = { low = 1.0, high = 2 }', 8, "whole number", "got 1.0", "write 1"
    ),
    "text for a bound": beside('"optim.beta1" = { low = "0.5", high = 0.9 }', 8, 'got "0.5"', "without quotes"),
    "true for a bound": beside('"optim.beta1" = { low = 0.5, high = true }', 8, "a number", "got true"),
    "inf for a bound": beside('"optim.weight_decay" = { low = 0, high = inf }', 8, "got inf", "give a finite one"),
    "nan for a bound": beside('"optim.weight_decay" = { low = nan, high = 1 }', 8, "got nan", "give a finite one"),
    "beyond 64 bits": beside(f'"optim.beta1" = {{ low = 0, high = {2**64} }}', 8, "beyond 64 bits"),
    "low beyond the axis": beside('"optim.steps" = { low = 0, high = 5 }', 8, "whole number >= 1", "got 0"),
    "high beyond the axis": beside('"optim.beta1" = { low = 0.5, high = 1.0 }', 8, ">= 0 and < 1", "got 1.0"),
    "range of words": beside(
        '"eval.schedule" = { low = 1, high = 2 }', 8, "eval.schedule has no range", "write a list"
    ),
    "range of true and false": beside('"optim.replacement" = { low = 0, high = 1 }', 8, "has no range", "write a list"),
    "range of presets": beside('"model.preset" = { low = 0, high = 1 }', 8, "has no range", "write a list"),
    "a number for an axis": beside('"optim.steps" = 5', 8, "takes a range or a list", "got 5", "move it to [base]"),
    "a cell of one range": beside(
        '"optim.steps" = { low = 5, high = 5 }', 7, "the space has one cell", "widen an axis"
    ),
    "a cell of one value": beside('"optim.steps" = [5]', 7, "the space has one cell", "drop [search]"),
    "empty list": beside('"optim.steps" = []', 8, "empty list in [search.space]", "give values"),
    "a value twice": beside('"optim.steps" = [5, 6, 5]', 8, "the same value twice, 5 and 5", "keep one"),
    "1 and 1.0": beside('"optim.weight_decay" = [1, 1.0]', 8, "the same value twice, 1 and 1.0"),
    "1 and true": beside('"optim.replacement" = [1, true]', 8, "true or false, got 1", "write true"),
    "a value that the axis refuses": beside('"optim.steps" = [5,\n-7,\n6]', 8, "whole number >= 1", "got -7"),
    "a word that the axis refuses": beside('"eval.schedule" = ["log", "liner"]', 8, 'got "liner"', 'write "linear"'),
    "an unknown preset": beside('"model.preset" = ["full", "simple"]', 8, 'got "simple"', "simplified"),
    "nan in a list": beside('"optim.weight_decay" = [0.1, nan]', 8, "got nan", "give a finite one"),
    "a list in a list": beside('"optim.steps" = [[5]]', 8, "got a list of 1"),
    "a range in a list": beside('"optim.steps" = [{ low = 1, high = 2 }]', 8, "got a table"),
    "unknown axis": beside('"optim.learning_rat" = [1, 2]', 8, "[search.space]", "did you mean optim.learning_rate?"),
    "unknown nested axis": beside("[search.space.optim]\nstepz = [1, 2]", 9, '"optim.stepz"', "optim.steps?"),
    "seed in the space": beside(f"{RATE}\nseed = [0, 1]", 9, "seed cannot stand in [search.space]", "replicates = 5"),
    "dotted axis twice": beside(
        "optim.steps = [5, 6]\n'optim.steps' = [7, 8]", 9, "[search.space] (line 8)", "keep one"
    ),
    "a bad nested range": beside(
        "[search.space.optim]\nsteps = { low = 2, high = 1 }", 9, "low must not be above high"
    ),
    "a bad range in a table": beside('[search.space."optim.steps"]\nlow = 2\nhigh = 1', 8, "low must not be above"),
    "a bad dotted range": beside("optim.steps.low = 2\noptim.steps.high = 1", 8, "low must not be above high"),
    "an axis in the base too": (
        {"top": '[base]\n"optim.learning_rate" = 1e-3'},
        9,
        ("optim.learning_rate is given in [search.space] and already in [base] (line 3)", "keep one"),
    ),
    "a wrong base": ({"top": "[base]\noptim.steps = 0"}, 3, ("optim.steps must be a whole number >= 1", "got 0")),
    "a list in the base": ({"top": "[base]\noptim.steps = [1]"}, 3, ("one value in [base]", "to [search.space]")),
    "an unknown start": beside('"model.init" = ["small", "torch"]', 8, 'got "torch"', "pytorch"),
    "range of starts": beside('"model.init" = { low = 0, high = 1 }', 8, "has no range", "write a list"),
    "an unknown preset in the base": (
        {"top": '[base]\nmodel.preset = "x"'},
        3,
        ("model.preset must be one of", 'got "x"'),
    ),
    "grid": ({"below": '[grid]\n"optim.steps" = [5, 6]'}, 9, ("[grid] and [search]", "two files", "[search.space]")),
    "zip": ({"below": '[[zip]]\n"optim.steps" = [5, 6]'}, 9, ("[[zip]] and [search]", "two files")),
    "exclude of a range": (
        {"below": '[[exclude]]\n"optim.learning_rate" = 1e-3'},
        10,
        ("optim.learning_rate is continuous", "narrow its range"),
    ),
    "exclude of an unknown axis": ({"below": '[[exclude]]\n"optim.stepz" = 1'}, 10, ("did you mean optim.steps?",)),
    "exclude of a fixed axis": (
        {"below": '[[exclude]]\n"optim.steps" = 5'},
        10,
        ("optim.steps is not varied", "vary it in [search.space]"),
    ),
    "exclude of no value": (
        {"space": HEADS, "below": '[[exclude]]\n"model.n_heads" = 3'},
        10,
        ("[[exclude]] model.n_heads = 3 matches no cell", "drop the table"),
    ),
    "exclude beyond a range": (
        {"space": '"model.n_heads" = { low = 1, high = 4 }', "below": '[[exclude]]\n"model.n_heads" = 5'},
        10,
        ("model.n_heads = 5 matches no cell",),
    ),
    "exclude of a list": (
        {"space": HEADS, "below": '[[exclude]]\n"model.n_heads" = [1, 2]'},
        10,
        ("takes one value in [[exclude]]", "one [[exclude]] for each"),
    ),
    "exclude twice in one": (
        {"space": HEADS, "below": '[[exclude]]\n"model.n_heads" = 1\nmodel.n_heads = 2'},
        11,
        ("model.n_heads is given twice",),
    ),
    "exclude without keys": ({"below": "[[exclude]]"}, 9, ("[[exclude]] has no keys", "drop it")),
    "exclude everything": (
        {"space": HEADS, "below": '[[exclude]]\n"model.n_heads" = 1\n[[exclude]]\n"model.n_heads" = 2'},
        7,
        ("no trial can be in this space", "[[exclude]]", "drop one"),
    ),
    "heads that never divide": (
        {"space": f'{RATE}\n"model.n_heads" = [3, 5]'},
        7,
        ("no trial can be in this space", "n_heads must divide model.d_model, got 3 heads for width 128", "change one"),
    ),
    "steps and epochs": (
        {"top": "[base]\noptim.steps = 5", "space": "optim.epochs = [1, 2]"},
        8,
        ("no trial can be in this space", "either optim.steps", "leave one of them out"),
    ),
    "cmaes with a list": (
        {"keys": 'sampler = "cmaes"', "space": f'{RATE}\n"optim.beta1" = [0.5, 0.9]'},
        9,
        ("cmaes takes ranges", "optim.beta1 has a list", "take tpe"),
    ),
    "cmaes with one axis": ({"keys": 'sampler = "cmaes"'}, 6, ("cmaes needs two axes or more", "take tpe")),
    "cmaes with objectives": (
        {"keys": 'sampler = "cmaes"', "space": TWO, "sought": 'maximise = ["a", "b"]'},
        6,
        ("cmaes takes one objective, got 2", "take nsga2"),
    ),
    "wilcoxon with 3 replicates": (
        {"top": "replicates = 3", "keys": 'stop = "wilcoxon"'},
        6,
        ("wilcoxon with fewer than 5 replicates cannot stop anything, got 3", "replicates = 5"),
    ),
    "asha with sql": (
        {"keys": 'stop = "asha"', "sought": 'maximise = "avg(unseen_order)"'},
        6,
        ('stop = "asha" needs an objective that learning curves have', 'got "avg(unseen_order)"', "drop stop"),
    ),
    "asha with a column without curves": (
        {"keys": 'stop = "asha"', "sought": 'minimise = "seconds"'},
        6,
        ("an objective that learning curves have", 'got "seconds"'),
    ),
    "asha with objectives": (
        {"keys": 'stop = "asha"', "sought": 'maximise = ["unseen_order", "seen_order"]'},
        6,
        ('stop = "asha" takes one objective, got 2', "drop stop"),
    ),
    "asha with other evaluations": (
        {"keys": 'stop = "asha"', "space": f'{RATE}\n"eval.points" = [5, 10]'},
        6,
        ("eval.points varies", "fix it in [base]"),
    ),
}


@pytest.mark.parametrize(("places", "line", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_search_is_told_its_line_rule_and_remedy(places: dict[str, str], line: int, expected: tuple[str, ...]):
    found, message = told(file(**places))
    assert (found, [words for words in expected if words not in message]) == (line, []), message


WHOLE: dict[str, tuple[str, int, str]] = {
    "no space at all": ('[search]\nbudget = 5\nmaximise = "a"', 2, "space is missing; write [search.space] above"),
    "two brackets": ("[[search]]\nbudget = 5", 2, "search must be a table, got a list of 1; write [search] above"),
    "search as a number": ("search = 5", 2, "search must be a table, got 5"),
    "space as a list": ("[search]\nbudget = 5\nspace = [1]", 4, "space must be a table, got a list of 1"),
    "two brackets for the space": ("[search]\nbudget = 5\n[[search.space]]", 4, "space must be a table"),
}


@pytest.mark.parametrize(("body", "line", "words"), WHOLE.values(), ids=WHOLE.keys())
def test_a_search_that_is_no_table_is_told_so(body: str, line: int, words: str):
    found, message = told(f'name = "s"\n{body}')
    assert found == line
    assert message.startswith(words)


GOOD: dict[str, dict[str, str]] = {
    "as it is written": {},
    "low is high beside another axis": {"space": f'{RATE}\n"optim.steps" = {{ low = 5, high = 5 }}'},
    "wilcoxon with 5": {"top": "replicates = 5", "keys": 'stop = "wilcoxon"'},
    "values that some widths refuse": {"space": '"model.n_heads" = [3, 4]\n"model.d_model" = [6, 128]'},
    "low values that are refused": {
        "space": '"scenes.coverage" = { low = 0.01, high = 1 }\n"scenes.n_pair_labels" = [3, 2]'
    },
    "largest budget": {"budget": f"budget = {MAX_BUDGET}"},
    "a list of one objective": {"sought": 'minimise = ["seconds"]', "keys": 'sampler = "nsga2"'},
}


@pytest.mark.parametrize("places", GOOD.values(), ids=GOOD.keys())
def test_what_lies_just_within_the_rules_is_a_search(places: dict[str, str]):
    assert read(file(**places)).name == "s"


def test_a_search_is_no_sweep_and_says_so():
    with pytest.raises(UsageError, match=r"^s.toml:3: this file is a search: .*; name a file with \[grid\]$"):
        parse(file(), source="s.toml")
