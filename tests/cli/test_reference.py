"""The verbs that list keys and columns: tables that fit, parts of them, and the pages of the documentation."""

import json

import pytest

from tests.pages import ROOT
from tests.running import lrsym


@pytest.mark.slow_after(3)
@pytest.mark.parametrize("columns", ["60", "100", "200"])
@pytest.mark.parametrize("verb", ["axes", "columns"])
def test_the_table_is_no_wider_than_the_terminal(monkeypatch, verb, columns):
    monkeypatch.setenv("COLUMNS", columns)
    lines = lrsym(verb).splitlines()
    tables = [line for line in lines if ": " not in line]  # headings may be wrapped by the terminal
    assert max(map(len, tables)) <= int(columns)
    assert any("optim" in line or "trial_id" in line for line in lines)


def test_a_text_keeps_the_keys_that_have_it_in_name_meaning_or_source(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = lrsym("axes", "weight_decay")
    assert "optim.weight_decay" in text
    assert "scenes.n_pair_labels" not in text
    keys = [axis["key"] for axis in json.loads(lrsym("axes", "DECAY", "--json"))["axes"]]
    assert "optim.weight_decay" in keys
    assert len(keys) < len(json.loads(lrsym("axes", "--json"))["axes"])


@pytest.mark.slow
def test_a_text_keeps_columns_and_the_name_of_a_table_keeps_all_of_it():
    found = json.loads(lrsym("columns", "steps_to_unseen", "--json"))["tables"]
    assert {*found} == {"trials"}
    assert all("steps_to_unseen" in column["name"] for column in found["trials"])
    whole = json.loads(lrsym("columns", "--json"))["tables"]
    assert json.loads(lrsym("columns", "curves", "--json"))["tables"]["curves"] == whole["curves"]


@pytest.mark.parametrize("verb", ["axes", "columns"])
def test_a_text_that_nothing_has_is_told(verb):
    assert f"in its name or meaning; `lrsym {verb}` lists all of them" in lrsym(verb, "zzz", code=2)


@pytest.mark.parametrize("verb", ["axes", "columns"])
def test_the_page_of_the_documentation_is_printed_on_demand_and_whole(verb):
    assert lrsym(verb, "--markdown") == (ROOT / f"docs/{verb}.md").read_text()
    assert "leave one of them out" in lrsym(verb, "weight", "--markdown", code=2)
