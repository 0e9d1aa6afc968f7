"""Words of a command that no verb gets to see: numbers that are none, options given twice or without their partner."""

import pytest
from typer.main import get_command

from lrsym.api.numbers import NUMBERS, Number
from lrsym.cli.app import app
from lrsym.cli.words import EXCLUDES, NEEDS
from lrsym.errors import UsageError
from tests.running import lrsym
from tests.small_trials import write_sweep


def verbs(command, *words):
    for name, verb in command.commands.items():
        yield from verbs(verb, *words, name) if hasattr(verb, "commands") else [(" ".join((*words, name)), verb)]


VERBS = dict(verbs(get_command(app)))

NUMERIC = [
    (name, option.opts[0], option.type_descriptor.parameter_info.parser)
    for name, verb in VERBS.items()
    for option in verb.params
    if isinstance(option.type_descriptor.parameter_info.parser, Number)
]
"""Every option of a number, by the words of its verb."""

WRONG = ["0", "-1", "nan", "inf", "-inf", "many", "", "1e400", str(10**30), "9" * 5000, "1_0", "0x5", "5 "]

SENSIBLE = {("--seed", "0"), ("--port", "0"), ("--interval", "0"), ("--tolerance", "0")}
"""What of these is a number that such an option may be."""


def refused(verb, *words):
    """The one line that a verb refuses its words with."""
    with pytest.raises(UsageError) as caught:
        VERBS[verb].make_context(verb, [*words])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_option_that_takes_a_number_is_checked_by_its_rule():
    plain = [
        (name, option.name)
        for name, verb in VERBS.items()
        for option in verb.params
        if option.type_descriptor.annotation in (int, float)
        and not isinstance(option.type_descriptor.parameter_info.parser, Number)
    ]
    assert plain == []
    assert {name.lstrip("-").replace("-", "_") for _, name, _ in NUMERIC} == {*NUMBERS}


@pytest.mark.parametrize("verb", sorted({verb for verb, _, _ in NUMERIC}))
def test_what_is_no_number_of_its_kind_is_refused_with_rule_value_and_remedy(verb):
    for name, option, rule in NUMERIC:
        for value in WRONG if name == verb else ():
            if (option, value) in SENSIBLE:
                rule.check_text(option, value)
                continue
            text = refused(verb, option, value)
            assert text.startswith(f"{option} must be {'auto or ' * rule.auto}{rule.what} "), text
            assert f", got {value[:40] or 'nothing'}" in text
            assert text.endswith(f"; {rule.remedy}")
            assert len(text) < 250


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("007", 7), ("+3", 3)])
def test_a_whole_number_is_read_as_people_write_it(text, value):
    NUMBERS["limit"].check_text("--limit", text)
    assert NUMBERS["limit"](text) == value


@pytest.mark.parametrize("text", ["0.5", ".5", "5e-1", "+0.5"])
def test_a_number_is_read_as_people_write_it(text):
    NUMBERS["level"].check_text("--level", text)
    assert NUMBERS["level"](text) == 0.5


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_of_one_value_is_refused_where_it_is_given_twice(verb):
    single = [o for o in VERBS[verb].params if o.param_type_name == "option" and not (o.multiple or o.is_flag)]
    for option in single:
        text = refused(verb, option.opts[0], "1/2", option.opts[-1], "2/2")
        assert text == f"{option.opts[0]} takes one value, got 2: 1/2, 2/2; leave out all but one"


def test_an_option_of_several_values_and_a_flag_may_be_repeated():
    context = VERBS["sweep"].make_context(
        "sweep", ["x.toml", "--set", "optim.steps=1", "--set", "optim.points=2", "--json", "--json"]
    )
    assert (context.params["set_"], context.params["json"]) == (["optim.steps=1", "optim.points=2"], True)


PARTNERS = [(verb, name, partner) for verb, pairs in NEEDS.items() for name, partner in pairs.items()]


@pytest.mark.parametrize(("verb", "name", "partner"), PARTNERS)
def test_an_option_that_means_nothing_without_another_is_refused_without_it(verb, name, partner):
    known = {option for parameter in VERBS[verb].params for option in parameter.opts}
    assert {name, partner} <= known
    text = refused(verb, name, "0.5" if name in ("--level", "--every") else "2")
    assert text.startswith(f"{name} is for {partner}, got ")
    assert text.endswith(f" without it; add {partner}, or leave {name} out")


def test_options_that_leave_no_room_for_each_other_are_options_of_their_verb():
    for verb, pairs in EXCLUDES.items():
        known = {option for parameter in VERBS[verb].params for option in parameter.opts}
        assert {name for first, others in pairs.items() for name in (first, *others)} <= known


def test_every_file_that_is_not_there_is_told_at_once(tmp_path):
    there = write_sweep(tmp_path, steps=5)
    for verb in (("plot", "phase"), ("plot", "line"), ("report",)):
        text = lrsym(*verb, tmp_path / "a.toml", there, tmp_path / "b.toml", "--results", tmp_path / "r", code=2)
        first, second = text.splitlines()
        assert first.startswith(f"error: {tmp_path}/a.toml: there is no such file; ")
        assert second.startswith(f"{tmp_path}/b.toml: there is no such file; ")
