"""What a search seeks: a number of a cell, from the rows of its replicates."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.store.schema import TABLES
from lrsym.sweep.search.objective import check_objectives, objective_values
from lrsym.sweep.spec.search import Objective, Search
from lrsym.sweep.spec.sweep_file import parse_any
from lrsym.toml_source import show


def search(sql: str) -> Search:
    found = parse_any(
        f'name = "s"\n[search]\nbudget = 5\nminimise = "seen_order"\nmaximise = {show(sql)}\n[search.space]\n'
        '"optim.beta1" = [0.8, 0.9]',
        source="s.toml",
    )
    assert isinstance(found, Search)
    return found


def value(sql: str, *accuracies: float | None) -> float | None:
    """The objective of a cell whose replicates have these accuracies on unseen pairs."""
    table = TABLES["trials"].empty
    columns = {name: [None] * len(accuracies) for name in table.columns} | {"unseen_order": list(accuracies)}
    found = objective_values([Objective(sql, maximise=True)], pl.DataFrame(columns, schema=table.schema))
    return None if found is None else found[0]


REFUSED = {
    "a column that is none": ("unseen_ordr", '"unseen_ordr" is no column of numbers', "did you mean unseen_order?"),
    "a column with no near one": ("qqq", '"qqq" is no column of numbers', "`lrsym columns` lists them"),
    "a number": ("5", '"5" is no column of numbers'),
    "a word of SQL": ("select", '"select" is no column of numbers'),
    "text": ("status", '"status" is no column of numbers'),
    "a time": ("finished_at", '"finished_at" is no column of numbers'),
    "text in SQL": ("max(status)", '"max(status)" gives String', "write for example avg(unseen_order)"),
    "a mean of text": ("avg(status)", "gives none", "write for example avg(unseen_order)"),
    "a null": ("max(null)", "gives Null"),
    "a list": ("array_agg(unseen_order)", "gives List(Float64)"),
    "rows": ("unseen_order + 1", '"unseen_order + 1" gives 2 rows of two', "write for example avg(unseen_order)"),
    "distinct rows": ("distinct unseen_order", "gives none"),
    "two numbers": ("avg(unseen_order), 1", "gives none", "write for example avg(unseen_order)"),
    "no SQL": ("best of all", "gives none", "sql parser error"),
    "an open bracket": ("avg(unseen_order", "gives none", "sql parser error"),
    "an unknown column in SQL": ("avg(unseen_ordr)", "gives none", 'unable to find column "unseen_ordr"'),
    "an axis": ("learning_rate", '"learning_rate" is an axis'),
    "the seed": ("seed", '"seed" is an axis', "write for example unseen_order"),
    "another table": (
        "(select max(value) from curves)",
        "gives none",
        "'curves' was not found",
        "tables are trials, their",
    ),
    "a whole statement": ("avg(unseen_order) from trials --", "gives none", "sql parser error"),
    "a second statement": ("avg(unseen_order); drop table trials", "gives none", "ask with SELECT"),
}


@pytest.mark.parametrize(("sql", "expected"), [(sql, words) for sql, *words in REFUSED.values()], ids=REFUSED.keys())
def test_an_objective_that_is_no_number_of_a_cell_is_refused_with_its_line(sql: str, expected: list[str]):
    with pytest.raises(UsageError) as caught:
        check_objectives(search(sql))
    message = str(caught.value)
    assert message.startswith("s.toml:5: maximise must give one number for the rows of a cell, ")
    assert [words for words in expected if words not in message] == []
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "sql",
    ["unseen_order", "seconds", "avg(unseen_order) - stddev(unseen_order)", "min(unseen_inset)",
     "max(unseen_order) > 0.9", "count(*)", "avg(unseen_order) -- the mean"],
)  # fmt: skip
def test_a_column_of_numbers_and_an_aggregate_in_sql_are_taken(sql: str):
    check_objectives(search(sql))


def test_a_column_stands_for_its_mean():
    assert value("unseen_order", 0.5, 1.0) == 0.75


def test_a_column_is_null_where_one_replicate_has_none():
    assert value("unseen_order", 0.5, None) is None


def test_in_sql_the_aggregate_says_what_becomes_of_nulls():
    assert value("avg(unseen_order)", 0.5, None) == 0.5


def test_a_comment_does_not_end_the_query():
    assert value("min(unseen_order) -- the worst", 0.5, 1.0) == 0.5


@pytest.mark.parametrize("sql", ["avg(unseen_order) / 0", "0 / (avg(unseen_order) - 0.5)"])
def test_what_is_not_finite_is_no_objective(sql: str):
    assert value(sql, 0.5) is None


def test_true_is_one():
    assert value("min(unseen_order) > 0.9", 0.95, 1.0) == 1.0


def test_of_several_objectives_one_that_is_null_leaves_none():
    table = TABLES["trials"].empty
    rows = pl.DataFrame({name: [1.0 if name == "seen_order" else None] for name in table.columns}, schema=table.schema)
    both = [Objective("seen_order", maximise=True), Objective("unseen_order", maximise=True)]
    assert objective_values(both, rows) is None
    assert objective_values(both[:1], rows) == (1.0,)
