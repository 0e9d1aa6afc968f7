"""The page as a document: what it says of a sweep, that nothing in it is markup, and what it refuses."""

import re

import pytest

from lrsym.errors import UsageError
from lrsym.reports import page, payload
from lrsym.reports.page import make_page
from tests.reports.made_up import RUN, sweep, write

HOSTILE = "</script><img src=x onerror=alert(1)>"


def text_of(html):
    """What a reader sees of it: without scripts and tags."""
    return " ".join(re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL).split())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page of a sweep of which three trials are missing, one diverged and two crashed."""
    root = tmp_path_factory.mktemp("made")
    found = sweep(question=f"is {HOSTILE} read?")
    lost = {
        found.trials[0].trial_id: "diverged",
        found.trials[1].trial_id: "crashed",
        found.trials[2].trial_id: "crashed",
    }
    write(
        root, found.trials[:9], status=lambda trial: lost.get(trial.trial_id, "done"),
        message=lambda trial: HOSTILE if lost.get(trial.trial_id) == "crashed" else None,
    )  # fmt: skip
    return make_page([found], str(root), command="lrsym report made_up.toml").html


def test_the_page_says_what_became_of_the_trials(made):
    text = text_of(made)
    assert "12 trials: 4 cells, 3 replicates of each." in text
    for count in ("6 done", "1 diverged", "2 crashed", "3 missing"):
        assert count in text


def test_the_page_names_source_cost_and_commands_but_not_the_machine(made):
    text = text_of(made)
    assert f"git checkout {RUN['commit']}" in text
    assert "torch 2.13.0, Python 3.11.2" in text
    assert "lrsym sweep no.toml" in text
    assert "lrsym report made_up.toml" in text
    assert "a trial took 3 s (median; 2 to 4)" in text
    assert RUN["host"] not in made


def test_no_text_of_a_sweep_or_a_row_is_markup(made):
    assert HOSTILE not in made
    assert "&lt;img src=x onerror=alert(1)&gt;" in made
    assert made.count("<script") == made.count("</script>") == 10  # seven parts, what they share, two that run


def test_the_page_fetches_nothing_and_forbids_it(made):
    own = re.sub(r"<script.*?</script>", "", made, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"|@import|url\(', own)
    assert "default-src 'none'" in made


@pytest.mark.slow
def test_of_very_many_trials_the_page_says_the_same_but_carries_no_rows(tmp_path, monkeypatch):
    found = sweep()
    write(tmp_path, found.trials[:9])
    few = make_page([found], str(tmp_path))
    monkeypatch.setattr(payload, "MAX_TRIALS", 8)
    monkeypatch.setattr(page, "MAX_TRIALS", 8)
    many = make_page([found], str(tmp_path))
    carried = [dict(re.findall(r'data-carries="(\w+)">([^<]*)<', one.html)) for one in (few, many)]
    assert carried[0].keys() - carried[1].keys() == {"trials"}
    assert all(carried[0][name] == letters for name, letters in carried[1].items())
    assert "The rows of trials do not fit on a page" in text_of(many.html)


@pytest.mark.slow
def test_two_sweeps_have_a_part_each(tmp_path):
    first, second = sweep(), sweep(layouts=(3, 6), name="other")
    write(tmp_path, [*first.trials, *second.trials])
    html = make_page([first, second], str(tmp_path)).html
    assert 'href="#sweep-1">other</a>' in html
    assert html.count("<article") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "order"}, "metric must be a split and a metric"),
        ({"names": ("made_up", "made_up")}, "must differ in their names, got made_up twice"),
        ({"names": ("made_up", "untrained")}, "no trial of untrained in"),
    ],
)
def test_what_cannot_be_is_told_with_its_remedy(tmp_path, options, message):
    write(tmp_path, sweep().trials)
    names = options.pop("names", ("made_up",))
    sweeps = [sweep(name=name, layouts=(7,) if name == "untrained" else (1, 20)) for name in names]
    with pytest.raises(UsageError, match=message):
        make_page(sweeps, str(tmp_path), **options)
