"""Claims put to the rows of a store: what counts, what is left out, how it is told and drawn."""

import pytest

from lrsym.claims.chart import axis_ends, plot_claim
from lrsym.claims.claim import Part
from lrsym.claims.file import parse
from lrsym.claims.judging import JudgedPart, _corrected, count_verdicts, judge_claim, read_results
from lrsym.claims.report import as_data, describe_gaps, format_estimate, format_range, table_rows
from lrsym.claims.tables import query_values
from lrsym.errors import UsageError
from lrsym.results.analysis.intervals import Estimate
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.vocabulary import VERDICTS
from tests.charts import marks, rows

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
resolution = 0.01
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
    one = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(10)])
    two = read_results(store, sweep="two", trial_ids=[f"b{i}" for i in range(3)])
    return judge_claim(FILE, FILE.claims[0], {"one": one, "two": two})


def test_an_arm_is_asked_of_the_done_trials_of_its_sweep_and_of_their_rows(judged):
    order, joined = judged.arms[0].parts
    assert order.values == pytest.approx([0.5, 0.51, 0.52, 0.53, 0.54, 0.55])
    assert joined.values == (1.0,) * 6
    assert judged.arms[0].verdict == "supported"


def test_trials_without_a_result_are_missing_and_diverged_ones_are_counted_apart(judged):
    one, two = (arm.results for arm in judged.arms)
    assert (one.trials, one.missing, one.diverged) == (10, 3, 1)
    assert describe_gaps(one) == "3 of 10 trials missing, 1 of 10 trials diverged, not asked"
    assert describe_gaps(two) == ""


def test_null_values_are_left_out_and_counted_and_too_few_are_told(judged):
    order, joined = judged.arms[1].parts
    assert (order.estimate.n, order.dropped, order.too_few) == (0, 3, True)
    assert (joined.estimate.n, joined.too_few, joined.verdict) == (3, True, "undecided")
    text = " ".join(cell for row in table_rows([judged]) for cell in row)
    assert "too few: 0 of 5, 3 null or not finite, left out" in text
    assert "too few: 3 of 5" in text


def test_equal_values_of_no_known_resolution_decide_nothing_and_the_remedy_is_told(store):
    one = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)])
    file = claim_with("at_most = 2", estimate="select seed * 0 + 1.0 as value from trials")
    judged = judge_claim(file, file.claims[0], {"one": one})
    (part,) = judged.arms[0].parts
    assert (part.verdict, part.level, part.n_to_decide, part.estimate.low) == ("undecided", None, None, None)
    (row,) = table_rows([judged])
    assert "equal values tell no spread, so use interval wilson for shares, else t with the resolution" in row[-1]
    wide = claim_with("at_most = 2", "resolution = 0.5", estimate="select seed * 0 + 1.0 as value from trials")
    (part,) = judge_claim(wide, wide.claims[0], {"one": one}).arms[0].parts
    assert part.verdict == "supported"
    assert 1 < part.estimate.high < 1.2


def test_more_values_than_trials_are_no_replicates(store):
    one = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)])
    estimate = "select value from (select 1.0 as value from trials union all select 0.5 as value from trials)"
    file = claim_with("at_most = 2", estimate=estimate)
    with pytest.raises(
        UsageError, match=r"^claims\.toml:11: .*'order' fails: .* has 12 values of 6 trials; .* GROUP BY"
    ):
        judge_claim(file, file.claims[0], {"one": one})


@pytest.mark.parametrize("interval", ["t", "logit", "bootstrap", "wilson"])
@pytest.mark.parametrize("size", ["1e200", "1e307", "-1e300", "1e-200", "1e-310"])
def test_numbers_of_any_size_are_judged_or_refused_in_a_sentence(store, size, interval):
    one = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)])
    estimate = f"select (seed + 1) * {size} as value from trials"
    file = claim_with("at_most = 2", interval=interval, estimate=estimate, minimum_n=20)
    if abs(float(size)) < 1:
        (part,) = judge_claim(file, file.claims[0], {"one": one}).arms[0].parts
        assert len(format_estimate(part)) < 60
    else:
        with pytest.raises(UsageError, match=r"hold numbers up to 1e\+150, got .*; divide it"):
            judge_claim(file, file.claims[0], {"one": one})


def test_a_part_without_a_level_counts_in_holms_correction_as_it_was_asked(store):
    """Else bounds on one part, which take its verdict, would give another one its own back."""
    one = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)])
    asked = 'at_least = 0.498\n[[claim.part]]\nname = "other"\nestimate = "{}"\nat_most = 1.2\n{}'
    wide = "select 0.5 + 0.3 * (seed % 2) as value from trials"
    holm = []
    for line in ("", "bounds = [0, 0.8]"):
        file = claim_with(asked.format(wide, line))
        first, second = judge(file, one).arms[0].parts
        holm.append((first.level, first.holm, second.level is None))
    assert [without for *_, without in holm] == [False, True]
    assert holm[0][:2] == holm[1][:2]


def test_of_equivalence_the_interval_is_shown_that_decides(store):
    one = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)])
    shown = {}
    for verdict, ends in {"supported": (0.4, 0.6), "refuted": (0.7, 0.8)}.items():
        file = claim_with(f"at_least = {ends[0]}\nat_most = {ends[1]}", 'test = "equivalence"')
        (part,) = judge_claim(file, file.claims[0], {"one": one}).arms[0].parts
        assert part.verdict == verdict
        shown[verdict] = format_estimate(part)
    assert "90 %" in shown["supported"]
    assert "90 %" not in shown["refuted"]


def test_wilson_takes_the_shares_of_each_seed(store):
    one = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)])
    file = claim_with(
        "at_least = 0.9", interval="wilson", estimate="select 1.0 - 0.1 * (seed % 2) as value from trials"
    )
    (part,) = judge_claim(file, file.claims[0], {"one": one}).arms[0].parts
    assert (part.verdict, part.estimate.n) == ("undecided", 6)
    assert 0.5 < part.estimate.low < 0.6


def test_verdicts_are_counted_by_claim_and_arm(judged):
    assert count_verdicts([judged]) == {"supported": 1, "refuted": 0, "undecided": 1, "untestable": 0}
    assert list(count_verdicts([])) == list(VERDICTS)


WITH_PRECONDITION = parse(
    FILE.where.text.replace(
        "at_most = 0.6", "at_most = 0.6\nrequires = 'select avg(unseen_order) < 0.52 as value from trials'"
    ),
    source="claims.toml",
)


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(("ids", "verdict"), [(range(6), "untestable"), (range(3), "undecided"), ((), "undecided")])
def test_where_the_precondition_fails_a_part_is_untestable_and_so_is_its_claim(store, ids, verdict):
    """Six trials have a mean of 0.525; of the first three 0.51, too few to decide; without rows nothing is known."""
    results = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in ids])
    (arm,) = judge_claim(WITH_PRECONDITION, WITH_PRECONDITION.claims[0], {"one": results}).arms
    assert arm.parts[0].verdict == arm.verdict == verdict
    assert arm.parts[0].part.requires is not None


def test_a_precondition_that_fails_names_claim_part_and_line(store):
    wrong = WITH_PRECONDITION.where.text.replace("select avg(unseen_order) < 0.52 as value", "select status as value")
    file = parse(wrong, source="claims.toml")
    with pytest.raises(UsageError, match=r"^claims.toml:15: claim A: requires of part 'order' fails: .* String"):
        judge_claim(file, file.claims[0], {"one": read_results(store, sweep="one", trial_ids=["a0"])})


@pytest.fixture
def near_one(tmp_path):
    """Five done trials whose accuracies near 1 have a t interval that reaches 1.02."""
    values = (1.0, 0.98, 0.999, 0.9, 1.0)
    trials = [{"trial_id": f"a{i}", "status": "done", "unseen_order": value} for i, value in enumerate(values)]
    Store(tmp_path).write("part", {"trials": TABLES["trials"].build(trials)})
    return read_results(tmp_path, sweep="one", trial_ids=[f"a{i}" for i in range(5)])


def claim_with(*lines, interval="t", estimate="select unseen_order as value from trials", minimum_n=None):
    return parse(
        f"""name = "small"
[[claim]]
id = "A"
sentence = "a"
source = "s"
interval = "{interval}"{f"{chr(10)}minimum_n = {minimum_n}" if minimum_n else ""}
[claim.sweeps]
"one" = "one.toml"
[[claim.part]]
name = "order"
estimate = "{estimate}"
"""
        + "\n".join(lines),
        source="claims.toml",
    )


def judge(file, results):
    return _corrected([judge_claim(file, file.claims[0], {"one": results})])[0]


@pytest.mark.parametrize(
    ("lines", "interval", "verdict"),
    [
        (["at_least = 0.9"], "t", "supported"),
        (["at_least = 0.9", "bounds = [0, 1]"], "t", "undecided"),
        (["at_most = 0.5", "bounds = [0, 1]"], "t", "undecided"),
        (["at_least = 0.5", "bounds = [0, 1]"], "logit", "supported"),
        (["at_least = 0.9", "bounds = [0, 2]"], "t", "supported"),
    ],
)
def test_an_interval_that_leaves_the_bounds_decides_nothing(near_one, lines, interval, verdict):
    (arm,) = judge(claim_with(*lines, interval=interval), near_one).arms
    assert arm.verdict == arm.holm == verdict


@pytest.mark.parametrize(
    ("estimate", "bounds", "remedy"),
    [
        ("select unseen_order as value from trials", [0, 1], "interval t leaves 0 to 1, so use interval logit"),
        ("select unseen_order > 0.95 as value from trials", [0, 1], "so use interval wilson"),
        ("select 2 * unseen_order - 1 as value from trials", [-1, 1], "leaves -1 to 1, so use interval bootstrap"),
    ],
)
def test_which_interval_stays_within_the_bounds_is_told(near_one, estimate, bounds, remedy):
    claim = judge(claim_with("at_least = 0.5", f"bounds = {bounds}", estimate=estimate), near_one)
    (row,) = table_rows([claim])
    (part,) = as_data(claim)["arms"][0]["parts"]
    assert remedy in row[-1]
    assert "would decide" not in row[-1]
    assert (part["out_of_bounds"], part["p"], part["n_to_decide"]) == (True, None, None)


def test_a_value_beyond_the_bounds_is_a_mistake_of_the_query(near_one):
    file = claim_with("at_least = 0.5", "bounds = [0, 0.95]")
    with pytest.raises(UsageError, match=r"^claims.toml:11: .*bounds 0 to 0\.95 must hold every value, got 1;"):
        judge_claim(file, file.claims[0], {"one": near_one})


def test_the_logit_interval_refuses_differences_and_names_the_query(near_one):
    file = claim_with("at_least = 0.5", interval="logit", estimate="select unseen_order - 0.95 as value from trials")
    with pytest.raises(UsageError, match=r"^claims.toml:11: .*interval logit takes accuracies, 0 to 1, got -0\.05"):
        judge_claim(file, file.claims[0], {"one": near_one})


def test_plain_data_tell_level_tolerance_and_what_is_left_after_correction(judged):
    (one, _) = _corrected([judged])[0].arms
    part = as_data(judged)["arms"][0]["parts"][0]
    assert part["p"] == pytest.approx(0.000187, rel=0.01)
    assert part["tolerance"]["supported"] == pytest.approx(-0.0554, abs=1e-3)
    assert (part["requires"], part["verdict"]) == (None, "supported")
    assert one.parts[0].holm == one.holm == "supported"


def test_plain_data_hold_estimate_range_values_and_sql(judged):
    part = as_data(judged)["arms"][0]["parts"][0]
    assert part["estimate"] == pytest.approx(0.525)
    assert (part["at_least"], part["at_most"], part["n"]) == (0.4, 0.6, 6)
    assert len(part["values"]) == 6
    assert part["sql"] == FILE.claims[0].part[0].estimate


def test_truth_values_count_as_one_and_zero_and_what_is_not_finite_is_left_out(store):
    tables = read_results(store, sweep="one", trial_ids=[f"a{i}" for i in range(6)]).tables
    assert query_values("select seed > 3 as value from trials order by seed", tables) == ([0, 0, 0, 0, 1, 1], 0)
    assert query_values("select 1 / seed as value from trials where seed < 2 order by seed", tables) == ([1.0], 1)


def test_provenance_is_that_of_the_trials_asked(store):
    runs = [{"run_id": name, "sweep": name} for name in ("r", "another")]
    Store(store).write("runs", {"runs": TABLES["runs"].build(runs)})
    assert read_results(store, sweep="one", trial_ids=["a0"]).tables["runs"]["run_id"].to_list() == ["r"]


def test_every_table_can_be_asked(store):
    assert set(read_results(store, sweep="one", trial_ids=["a0"]).tables) == set(TABLES)


def test_an_estimate_that_fails_on_the_rows_names_claim_part_and_line(store):
    text = FILE.where.text.replace("select unseen_order as value from trials", "select status as value from trials")
    file = parse(text, source="claims.toml")
    with pytest.raises(UsageError, match=r"^claims.toml:12: claim A: estimate of part 'order' fails: .* String"):
        judge_claim(file, file.claims[0], {"one": read_results(store, sweep="one", trial_ids=["a0"])})


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(5, 0.6174, 0.5711, 0.664), "0.617 [0.571, 0.664]"),
        (Estimate(5, -0.00333, -0.00657, -0.0000978), "-0.00333 [-0.00657, -0.00010]"),
        (Estimate(5, 1234.5, 1200.0, 1300.0), "1234 [1200, 1300]"),
        (Estimate(5, 0.0, 0.0, 0.0), "0 [0, 0]"),
        (Estimate(1, 0.5), "0.500"),
        (Estimate(0), "no values"),
    ],
)
def test_figures_have_three_digits_of_the_largest(estimate, text):
    assert format_estimate(judged_part(estimate=estimate)) == text


@pytest.mark.parametrize(
    ("bounds", "text"),
    [({"at_least": 0.9}, "at least 0.9"), ({"at_most": 1}, "at most 1"), ({"at_least": 0, "at_most": 0.5}, "0 to 0.5")],
)
def test_a_range_is_told_in_words(bounds, text):
    assert format_range(Part(name="p", estimate="e", **bounds)) == text


def judged_part(*, estimate=None, values=(), **bounds):
    part = Part(name="p", estimate="e", **(bounds or {"at_least": 0.5}))
    return JudgedPart(part, tuple(values), 0, estimate or Estimate(0), False, "undecided")


def test_the_axis_keeps_the_full_scale_for_shares_and_shows_all_that_is_drawn():
    share = judged_part(values=[0.9, 0.95])
    assert axis_ends(share.part, [share]) == (0, 1)
    small = judged_part(values=[0.001, 0.002], at_most=0.01)
    low, high = axis_ends(small.part, [small])
    assert low < 0.001
    assert 0.01 < high < 0.02
    slope = judged_part(values=[-3.0, 3.0], estimate=Estimate(2, 0.0, -9.0, 9.0), at_most=1)
    assert axis_ends(slope.part, [slope])[0] < -9


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


def test_what_a_search_stopped_is_no_outcome_and_what_is_decided_is_one_where_it_is_asked_for(store):
    ended = [
        {"trial_id": f"c{i}", "status": "stopped", "stop_rule": rule, "unseen_order": 0.5}
        for i, rule in enumerate(("asha", "decided"))
    ]
    Store(store).write("stopped", {"trials": TABLES["trials"].build(ended)})

    def found(stop_rule):
        results = read_results(store, sweep="three", trial_ids=["c0", "c1"], stop_rule=stop_rule)
        return results.tables["trials"]["trial_id"].to_list(), results.missing

    assert found(None) == ([], 2)
    assert found("decided") == (["c1"], 1)
