"""SQL over the tables, as a notebook asks it."""

import polars as pl
import pytest

from lrsym.errors import UsageError
from lrsym.results.store.query import query
from lrsym.results.store.store import Store
from tests.results.store.test_store import curves, trials


@pytest.fixture
def root(tmp_path):
    """A store of two trials, with a row of curves each."""
    Store(tmp_path).write("a", {"trials": trials(("x", "done", 0, 0.5), ("y", "done", 0, 0.7))})
    Store(tmp_path).write("b", {"trials": trials(("z", "crashed", 0, None)), "curves": curves(("z", 10, 1.5))})
    return str(tmp_path)


def test_the_answer_is_a_frame(root):
    frame = query(root, "select trial_id, unseen_order from trials where status = 'done' order by trial_id")
    assert frame.equals(pl.DataFrame({"trial_id": ["x", "y"], "unseen_order": [0.5, 0.7]}))


def test_tables_are_joined_and_keep_to_the_trials_that_are_given(root):
    sql = "select status, value from trials join curves using (trial_id)"
    assert query(root, sql).rows() == [("crashed", 1.5)]
    assert query(root, sql, trial_ids=["x", "y"]).rows() == []
    assert query(root, "select count(*) as n from runs", trial_ids=["x"]).rows() == [(0,)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec x", "query failed"),
        ("select nope from trials", "nope"),
        ("select 1 from trails", "tables are trials"),
        ("drop table trials", "ask with SELECT"),
    ],
)
def test_what_cannot_be_answered_is_a_usage_error_in_one_line(root, sql, message):
    with pytest.raises(UsageError, match=message) as caught:
        query(root, sql)
    assert "\n" not in str(caught.value)


def test_a_store_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="there are no results in"):
        query(str(tmp_path / "typo"), "select 1 from trials")
