"""Claims: the intervals, the one rule of verdicts, and what the rows of a store say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsym.claims.chart import extent, plot_claim
from lrsym.claims.file import Part, parse
from lrsym.claims.judging import JudgedPart, counts, judge_claim, trained
from lrsym.claims.report import as_data, claimed, estimated, gaps, lines
from lrsym.claims.tables import values_of
from lrsym.claims.verdict import Estimate, estimate, judge, together
from lrsym.errors import UsageError
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.vocabulary import INTERVALS, VERDICTS
from tests.charts import marks, rows


def test_students_interval_of_five_values_is_2_776_standard_errors_wide_on_each_side():
    found = estimate([1, 2, 3, 4, 5], interval="t")
    reach = 2.776 * math.sqrt(2.5 / 5)
    assert (found.n, found.mean) == (5, 3)
    assert (found.low, found.high) == pytest.approx((3 - reach, 3 + reach), abs=1e-3)


def test_wilsons_interval_is_the_textbook_formula_on_the_share_of_ones():
    found = estimate([1] * 9 + [0], interval="wilson")
    z, p, n = 1.95996, 0.9, 10
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert found.mean == 0.9
    assert (found.low, found.high) == pytest.approx((middle - reach, middle + reach), abs=1e-5)


def test_wilson_refuses_values_that_are_no_truth_values():
    with pytest.raises(UsageError, match=r"truth values, 1 and 0, got 0\.5"):
        estimate([1, 1, 0.5, 0], interval="wilson")


def test_the_bootstrap_of_many_values_agrees_with_students_interval():
    values = [i % 10 for i in range(200)]
    boot, student = (estimate(values, interval=name) for name in ("bootstrap", "t"))
    assert (boot.low, boot.high) == pytest.approx((student.low, student.high), abs=0.05)


@pytest.mark.parametrize("interval", INTERVALS)
def test_an_interval_does_not_depend_on_the_order_of_the_rows_and_repeats(interval):
    values = [0, 1, 1, 0, 0, 1] if interval == "wilson" else [0, 1, 1, 0.3, 0.7, 1]
    assert estimate(values, interval=interval) == estimate(values[::-1], interval=interval)


@pytest.mark.parametrize("interval", ["t", "bootstrap"])
@pytest.mark.parametrize("value", [0.9, 0.1, 0.0, -3.7])
def test_equal_values_have_an_interval_of_exactly_that_point(interval, value):
    assert estimate([value] * 7, interval=interval) == Estimate(7, value, value, value)


@pytest.mark.parametrize("interval", ["t", "bootstrap"])
def test_one_value_has_a_mean_and_no_interval_and_none_has_neither(interval):
    assert estimate([0.5], interval=interval) == Estimate(1, 0.5)
    assert estimate([], interval=interval) == Estimate(0)


@pytest.mark.parametrize("interval", INTERVALS)
@given(values=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=9))
def test_the_mean_lies_in_its_interval(interval, values):
    found = estimate([float(v == 1) for v in values] if interval == "wilson" else values, interval=interval)
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9


def verdict(low, high, *, at_least=None, at_most=None, n=5):
    return judge(Estimate(n, (low + high) / 2, low, high), at_least=at_least, at_most=at_most, minimum_n=5)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.45, 0.55, "supported"),
        (0.40, 0.60, "supported"),  # ends included
        (0.39, 0.55, "undecided"),
        (0.55, 0.61, "undecided"),
        (0.30, 0.70, "undecided"),
        (0.30, 0.40, "undecided"),  # touches the range
        (0.30, 0.39, "refuted"),
        (0.60, 0.70, "undecided"),
        (0.61, 0.70, "refuted"),
        (0.40, 0.40, "supported"),
        (0.39, 0.39, "refuted"),
    ],
)
def test_a_verdict_says_where_the_whole_interval_lies(low, high, expected):
    assert verdict(low, high, at_least=0.4, at_most=0.6) == expected


def test_an_absent_end_is_infinitely_far_away():
    assert verdict(0.95, 1e9, at_least=0.9) == "supported"
    assert verdict(-1e9, 0.1, at_most=0.2) == "supported"
    assert verdict(-1e9, 0.1, at_least=0.2) == "refuted"


def test_too_few_values_decide_nothing_however_clear_they_are():
    assert verdict(0.5, 0.5, at_least=0.4, n=4) == "undecided"
    assert verdict(0.5, 0.5, at_least=0.6, n=4) == "undecided"


def test_all_parts_must_be_supported_and_one_refuted_part_refutes():
    assert together(["supported", "supported"]) == "supported"
    assert together(["supported", "undecided"]) == "undecided"
    assert together(["supported", "undecided", "refuted"]) == "refuted"


FILE = parse(
    """
name = "small"
[[claim]]
id = "A"
sentence = "a"
source = "s"
[claim.sweeps]
"one" = "one.toml"
"two" = "two.toml"
[[claim.part]]
name = "order"
estimate = "select unseen_order as value from trials"
at_least = 0.4
at_most = 0.6
[[claim.part]]
name = "joined"
estimate = '''
select a.value from ablations as a join trials using (trial_id) where term = 'EP' and seed >= 0'''
at_most = 2
""",
    source="claims.toml",
)


@pytest.fixture
def store(tmp_path):
    """Six done trials a0 to a5, one crashed, one diverged, and done ones of another sweep."""
    done = [{"trial_id": f"a{i}", "status": "done", "seed": i, "unseen_order": 0.5 + i / 100} for i in range(6)]
    odd = [
        {"trial_id": "a6", "status": "crashed", "seed": 6, "unseen_order": 0.0},
        {"trial_id": "a7", "status": "diverged", "seed": 7, "unseen_order": 0.0},
    ]
    other = [{"trial_id": f"b{i}", "status": "done", "seed": i, "unseen_order": None} for i in range(3)]
    trials = [{**row, "run_id": "r"} for row in (*done, *odd, *other)]
    ablations = [
        {"trial_id": row["trial_id"], "term": "EP", "split": "unseen", "metric": "order", "value": 1.0}
        for row in trials
    ]
    tables = {"trials": trials, "ablations": ablations}
    Store(tmp_path).write("part", {name: TABLES[name].build(rows) for name, rows in tables.items()})
    return tmp_path


@pytest.fixture
def judged(store):
    one = trained(store, sweep="one", trial_ids=[f"a{i}" for i in range(10)])
    two = trained(store, sweep="two", trial_ids=[f"b{i}" for i in range(3)])
    return judge_claim(FILE, FILE.claims[0], [("one", one), ("two", two)])


def test_an_arm_is_asked_of_the_done_trials_of_its_sweep_and_of_their_rows(judged):
    order, joined = judged.arms[0].parts
    assert order.values == pytest.approx([0.5, 0.51, 0.52, 0.53, 0.54, 0.55])
    assert joined.values == (1.0,) * 6
    assert judged.arms[0].verdict == "supported"


def test_trials_without_a_result_are_missing_and_diverged_ones_are_counted_apart(judged):
    one, two = (arm.trained for arm in judged.arms)
    assert (one.trials, one.missing, one.diverged) == (10, 3, 1)
    assert gaps(one) == "3 of 10 trials missing, 1 of 10 trials diverged, not asked"
    assert gaps(two) == ""


def test_null_values_are_left_out_and_counted_and_too_few_are_told(judged):
    order, joined = judged.arms[1].parts
    assert (order.found.n, order.dropped, order.too_few) == (0, 3, True)
    assert (joined.found.n, joined.too_few, joined.verdict) == (3, True, "undecided")
    text = " ".join(cell for row in lines([judged]) for cell in row)
    assert "too few: 0 of 5, 3 null or not finite, left out" in text
    assert "too few: 3 of 5" in text


def test_verdicts_are_counted_by_claim_and_arm(judged):
    assert counts([judged]) == {"supported": 1, "refuted": 0, "undecided": 1}
    assert list(counts([])) == list(VERDICTS)


def test_plain_data_hold_estimate_range_values_and_sql(judged):
    part = as_data(judged)["arms"][0]["parts"][0]
    assert part["estimate"] == pytest.approx(0.525)
    assert (part["at_least"], part["at_most"], part["n"]) == (0.4, 0.6, 6)
    assert len(part["values"]) == 6
    assert part["sql"] == FILE.claims[0].part[0].estimate


def test_truth_values_count_as_one_and_zero_and_what_is_not_finite_is_left_out(store):
    tables = trained(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)]).tables
    assert values_of("select seed > 3 as value from trials order by seed", tables) == ([0, 0, 0, 0, 1, 1], 0)
    assert values_of("select 1 / seed as value from trials where seed < 2 order by seed", tables) == ([1.0], 1)


def test_provenance_is_that_of_the_trials_asked(store):
    runs = [{"run_id": name, "sweep": name} for name in ("r", "another")]
    Store(store).write("runs", {"runs": TABLES["runs"].build(runs)})
    assert trained(store, sweep="one", trial_ids=["a0"]).tables["runs"]["run_id"].to_list() == ["r"]


def test_every_table_can_be_asked(store):
    assert set(trained(store, sweep="one", trial_ids=["a0"]).tables) == set(TABLES)


def test_an_estimate_that_fails_on_the_rows_names_claim_part_and_line(store):
    text = FILE.where.text.replace("select unseen_order as value from trials", "select status as value from trials")
    file = parse(text, source="claims.toml")
    with pytest.raises(UsageError, match=r"^claims.toml:12: claim A: estimate of part 'order' fails: .* String"):
        judge_claim(file, file.claims[0], [("one", trained(store, sweep="one", trial_ids=["a0"]))])


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(5, 0.6174, 0.5711, 0.664), "0.617 [0.571, 0.664]"),
        (Estimate(5, -0.00333, -0.00657, -0.0000978), "-0.00333 [-0.00657, -0.00010]"),
        (Estimate(5, 1234.5, 1200.0, 1300.0), "1234 [1200, 1300]"),
        (Estimate(5, 0.0, 0.0, 0.0), "0 [0, 0]"),
        (Estimate(1, 0.5), "0.500"),
        (Estimate(0), "no values"),
    ],
)
def test_figures_have_three_digits_of_the_largest(found, text):
    assert estimated(judged_part(found=found)) == text


@pytest.mark.parametrize(
    ("bounds", "text"),
    [({"at_least": 0.9}, "at least 0.9"), ({"at_most": 1}, "at most 1"), ({"at_least": 0, "at_most": 0.5}, "0 to 0.5")],
)
def test_a_range_is_told_in_words(bounds, text):
    assert claimed(Part(name="p", estimate="e", **bounds)) == text


def judged_part(*, found=None, values=(), **bounds):
    part = Part(name="p", estimate="e", **(bounds or {"at_least": 0.5}))
    return JudgedPart(part, tuple(values), 0, found or Estimate(0), False, "undecided")


def test_the_axis_keeps_the_full_scale_for_shares_and_shows_all_that_is_drawn():
    share = judged_part(values=[0.9, 0.95])
    assert extent(share.part, [share]) == (0, 1)
    small = judged_part(values=[0.001, 0.002], at_most=0.01)
    low, high = extent(small.part, [small])
    assert low < 0.001
    assert 0.01 < high < 0.02
    slope = judged_part(values=[-3.0, 3.0], found=Estimate(2, 0.0, -9.0, 9.0), at_most=1)
    assert extent(slope.part, [slope])[0] < -9


def test_the_picture_has_a_panel_for_each_part_with_a_dot_for_each_replicate_and_the_range_shaded(judged):
    spec = plot_claim(judged).to_dict()
    order, joined = spec["concat"]
    assert order["title"]["text"] == "order"

    def drawn(panel, kind):
        return [rows(spec, layer) for layer in marks(panel, kind)]

    assert len(drawn(order, "circle")[0]) == 6
    assert drawn(order, "rect")[0] == [{"low": 0.4, "high": 0.6}]
    low, high = drawn(joined, "rect")[0][0].values()
    assert low < 1
    assert high == 2
    assert [row["arm"] for row in drawn(order, "point")[0]] == ["one", "two"]
